import type { Test } from 'tap'
import type { Resource } from '../../src/kernel/resource.js'
import { graphList, listField, orderOf } from './graph.js'
import { all, fullBody, has, made, newWorld, references } from './world.js'
import type { Json, Suite, World } from './world.js'

const sorts = (resource: Resource) => resource.sorts.flatMap(s => [s, `-${s}`])
const nameOf = (sort: string) => sort.replace(/^-/, '')

/** Orders as the contract says: text by its lower case and code points, nulls greatest, ties by id. */
function comparator(resource: Resource, sort: string): (a: Json, b: Json) => number {
  const { name, kind } = resource.fields.get(nameOf(sort))!
  const sign = sort.startsWith('-') ? -1 : 1
  const bytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))
  const values = (a: unknown, b: unknown) => {
    if (a === b) return 0
    if (a === null || b === null) return a === null ? 1 : -1
    if (kind === 'integer' || kind === 'number') return Number(a) - Number(b)
    return bytes(`${a as string}`.toLowerCase(), `${b as string}`.toLowerCase())
  }
  return (a, b) => sign * (values(a[name], b[name]) || bytes(String(a.id), String(b.id)))
}

interface Churn {
  /** Ids of records whose sort value never changes, in no order. */
  stable: string[]
  /** Changes other records, and of the stable ones what is not sorted by. */
  disturb(): Promise<unknown>
}

/** Records that are walked through, and others that are made, changed and put away meanwhile. */
async function churning(world: World, resource: Resource, rows: Json[], sort: string): Promise<Churn> {
  const name = nameOf(sort)
  const ref = await references(world, resource)
  const path = `/v1/${resource.plural}`
  const restless = rows.filter((_, i) => i % 6 === 5).map(r => String(r.id))
  const stable = rows.map(r => String(r.id)).filter(id => !restless.includes(id))
  const writable = resource.fields.get(name)!.writable
  let turn = 0
  return {
    stable,
    async disturb() {
      const n = ++turn
      const other = rows[(n * 7) % rows.length]!
      const one = restless[n % restless.length]!
      const calls: Promise<unknown>[] = []
      if (n % 2 === 0) calls.push(made(world, resource, fullBody(resource, world.next(), ref)))
      if (name !== 'updatedAt') {
        calls.push(world.call('PATCH', `${path}/${stable[(n * 5) % stable.length]}`, { customFields: { n } }))
      }
      calls.push(
        world.call('PATCH', `${path}/${one}`, writable ? { [name]: other[name] } : { customFields: { n } })
      )
      if (has(world, resource, 'delete') && n % 2 === 0) {
        calls.push(world.call(n % 4 ? 'DELETE' : 'POST', n % 4 ? `${path}/${one}` : `${path}/${one}/restore`))
      }
      return Promise.all(calls)
    }
  }
}

interface Step {
  ids: string[]
  next: string | null
}

type Reader = (cursor: string | null) => Promise<Step>

const restReader =
  (world: World, resource: Resource, sort: string): Reader =>
  async cursor => {
    const query = new URLSearchParams({ sort, limit: '7', ...(cursor && { after: cursor }) })
    const { body } = await world.call('GET', `/v1/${resource.plural}?${query.toString()}`)
    return { ids: (body.data as Json[]).map(r => String(r.id)), next: body.page.nextCursor as string | null }
  }

const graphReader =
  (world: World, resource: Resource, sort: string, backward: boolean): Reader =>
  async cursor => {
    const page = backward ? { last: 7, before: cursor } : { first: 7, after: cursor }
    const { body } = await graphList(world, resource, { ...page, orderBy: orderOf(sort) })
    const { nodes, pageInfo } = body.data[listField(resource)] as Json
    const found = (nodes as Json[]).map(r => String(r.id))
    if (backward) {
      return {
        ids: found.reverse(),
        next: pageInfo.hasPreviousPage ? (pageInfo.startCursor as string) : null
      }
    }
    return { ids: found, next: pageInfo.hasNextPage ? (pageInfo.endCursor as string) : null }
  }

async function walk(read: Reader, disturb: () => Promise<unknown>): Promise<string[]> {
  const found: string[] = []
  let cursor: string | null = null
  for (let pages = 0; pages < 60; pages++) {
    const [step]: [Step, unknown] = await Promise.all([read(cursor), pages < 6 ? disturb() : undefined])
    found.push(...step.ids)
    if (step.next === null) return found
    cursor = step.next
  }
  return [...found, 'the walk has no end']
}

// Ways that a kind of sort key has been walked, in this process: each way for the first resource with it, one for others.
const walked = new Map<string, number>()

/** The ways to walk by a sort: all when its kind of key is met for the first time, else the one whose turn it is. */
function turns<T>(resource: Resource, sort: string, ways: readonly T[]): readonly T[] {
  const { kind, nullable } = resource.fields.get(nameOf(sort))!
  const key = [kind, nullable, sort.startsWith('-')].join()
  const turn = walked.get(key) ?? 0
  walked.set(key, turn + 1)
  return turn === 0 ? ways : [ways[turn % ways.length]!]
}

async function walks(t: Test, world: World, resource: Resource): Promise<void> {
  for (const sort of sorts(resource)) {
    const before = await all(world, resource)
    const rows = before.slice(0, 36)
    const { stable, disturb } = await churning(world, resource, rows, sort)
    const wanted = rows
      .filter(r => stable.includes(String(r.id)))
      .sort(comparator(resource, sort))
      .map(r => String(r.id))
    const known = new Set(stable)
    const readers: [string, Reader][] = [
      ['rest', restReader(world, resource, sort)],
      ['graph', graphReader(world, resource, sort, false)],
      ['backward', graphReader(world, resource, sort, true)]
    ]
    for (const [name, read] of turns(resource, sort, readers)) {
      const found = (await walk(read, disturb)).filter(id => known.has(id) || id.includes(' '))
      const expected = name === 'backward' ? [...wanted].reverse() : wanted
      t.same(found, expected, `${sort}: no row is repeated, skipped or out of order (${name})`)
    }
  }
}

async function orders(t: Test, world: World, resource: Resource): Promise<void> {
  const rows = await all(world, resource)
  for (const sort of sorts(resource)) {
    const { body } = await world.call('GET', `/v1/${resource.plural}?limit=200&sort=${sort}`)
    const expected = [...rows].sort(comparator(resource, sort)).map(r => r.id as string)
    t.same(
      (body.data as Json[]).map(r => r.id as string),
      expected,
      `sort=${sort}`
    )
  }
}

async function cursors(t: Test, world: World, resource: Resource): Promise<void> {
  const path = `/v1/${resource.plural}`
  const first = await world.call('GET', `${path}?limit=2&sort=createdAt&count=true`)
  const cursor = first.body.page.nextCursor as string
  const total = (await all(world, resource)).length
  t.match(first.body.page, { hasMore: true, totalCount: total })
  const last = await world.call('GET', `${path}?limit=200&count=true`)
  t.same(last.body.page, { hasMore: false, nextCursor: null, totalCount: total })
  t.equal(last.headers.link, undefined)
  const link = /^<(.+)>; rel="next"$/.exec(String(first.headers.link))?.[1]
  const next = await world.call('GET', `${path}?limit=2&sort=createdAt&count=true&after=${cursor}`)
  t.same((await world.call('GET', link!)).body, next.body, 'the Link leads to the next page')
  const search = await world.call('POST', `${path}/search`, {
    limit: 2,
    sort: 'createdAt',
    after: cursor,
    count: true
  })
  t.same(search.body, next.body, 'a search reads on from the cursor of a list')
  const graph = await graphList(world, resource, { first: 2, orderBy: 'CREATED_AT_ASC', after: cursor })
  t.same(
    graph.body.data[listField(resource)].nodes,
    (next.body.data as Json[]).map(({ id }) => ({ id: id as string })),
    'and so does GraphQL'
  )
  for (const wrong of [`sort=-createdAt&after=${cursor}`, 'after=x', 'sort=createdAt&after=eyJhIjoxfQ']) {
    const refused = await world.call('GET', `${path}?${wrong}`)
    const problem = { in: 'query', parameter: 'after', code: 'invalid_cursor' }
    t.match(refused, { status: 400, body: { errors: [problem] } }, wrong)
  }
  const other = resource.plural === 'users' ? '/v1/companies' : '/v1/users'
  t.equal(
    (await world.call('GET', `${other}?sort=createdAt&after=${cursor}`)).status,
    400,
    'another resource'
  )
  const refused = await graphList(world, resource, { orderBy: 'CREATED_AT_DESC', before: cursor })
  t.match(refused.body.errors[0].extensions, { errors: [{ pointer: '/before', code: 'invalid_cursor' }] })
  for (const args of [{ first: 0 }, { first: 201 }, { last: 201 }, { first: 1, last: 1 }]) {
    t.match((await graphList(world, resource, args)).body.errors[0].extensions, { code: 'invalid_input' })
  }
  for (const limit of ['0', '201', 'x'])
    t.equal((await world.call('GET', `${path}?limit=${limit}`)).status, 400)
}

/** Lists: their order, and walks through them while records are made, changed and put away. */
export async function paging(t: Test, suite: Suite, resource: Resource): Promise<void> {
  const world = await newWorld(suite)
  const ref = await references(world, resource)
  for (let i = 0; i < 36; i++) await made(world, resource, fullBody(resource, world.next(), ref))
  await orders(t, world, resource)
  await cursors(t, world, resource)
  await walks(t, world, resource)
}
