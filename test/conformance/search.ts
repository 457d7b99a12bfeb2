import type { Test } from 'tap'
import { resourceNamed, type Resource } from '../../src/kernel/resource.js'
import { listField } from './graph.js'
import { all, has, makeMany, newWorld } from './world.js'
import type { Json, Suite, World } from './world.js'

const folded = (text: string) =>
  text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .normalize('NFC')

// A word begins after a blank or a sign.
const separated = (text: string) => ` ${text.replace(/[\p{P}\p{S}]/gu, '$& ')}`.trimEnd()

const length = (text: string) => [...text].length

function textsOf({ search }: Resource, row: Json): string[] {
  const filled = (names: readonly string[]) => names.map(n => row[n] as string | null).filter(v => v !== null)
  return [filled(search!.title).join(' '), ...filled(search!.also ?? [])]
}

/** Whether a search finds a record: what the database is compared with. */
function finds(resource: Resource, row: Json, query: string): boolean {
  const texts = textsOf(resource, row).map(folded)
  const beginnings = texts.map(separated)
  return folded(query)
    .split(/\s+/)
    .every(word =>
      length(word) < 3 ? beginnings.some(t => t.includes(separated(word))) : texts.some(t => t.includes(word))
    )
}

const swapped = (text: string) => (text === text.toLowerCase() ? text.toUpperCase() : text.toLowerCase())
const piece = (text: string, from: number, to: number) => [...text].slice(from, to).join('')

/** Searches made of what the records say: whole texts, parts, beginnings, another case, words turned round. */
function queriesOf(resource: Resource, rows: Json[]): string[] {
  const texts = rows.flatMap(row => textsOf(resource, row)).filter(text => text.trim() !== '')
  const words = texts.flatMap(text => text.split(' '))
  const made = [
    ...texts,
    ...texts.map(text => text.split(' ').reverse().join('  ')),
    ...words.filter(w => length(w) > 3).map(w => piece(w, 1, 4)),
    ...words.map(w => piece(w, 0, 2)),
    ...words.map(swapped),
    ...words.map(folded)
  ].filter(query => /\S/.test(query))
  const distinct = [...new Set(made)]
  const step = Math.max(1, Math.floor(distinct.length / 40))
  return [...distinct.filter((_, i) => i % step === 0), '%', '_', '\\', 'no such words', 'zz', "'", '😀']
}

interface Found {
  count: unknown
  ids: unknown
}

const shown = (count: unknown, rows: unknown): Found => ({
  count,
  ids: (rows as Json[]).map(r => String(r.id)).sort()
})

async function byList(world: World, resource: Resource, search: string): Promise<Found> {
  const query = new URLSearchParams({ search, limit: '200', count: 'true', fields: 'id' })
  const { body } = await world.call('GET', `/v1/${resource.plural}?${query.toString()}`)
  return shown(body.page?.totalCount, body.data ?? [{ id: body.detail as string }])
}

async function byBody(world: World, resource: Resource, search: string): Promise<Found> {
  const input = { search, limit: 200, count: true, filter: { not: { id: { in: [] } } } }
  const { body } = await world.call('POST', `/v1/${resource.plural}/search`, input)
  return shown(body.page?.totalCount, body.data ?? [{ id: body.detail as string }])
}

async function byGraph(world: World, resource: Resource, search: string): Promise<Found> {
  const query = `query($search: String) { ${listField(resource)}(first: 200, search: $search) { totalCount nodes { id } } }`
  const { body } = await world.graphql(query, { search })
  const list = body.data?.[listField(resource)] as Json | null
  return list ? shown(list.totalCount, list.nodes) : shown(0, [{ id: JSON.stringify(body.errors) }])
}

async function lists(t: Test, world: World, resource: Resource, rows: Json[]): Promise<void> {
  const queries = queriesOf(resource, rows)
  const problems: unknown[] = []
  for (const query of queries) {
    const wanted = rows.filter(row => finds(resource, row, query))
    const expected = JSON.stringify(shown(wanted.length, wanted))
    for (const ask of [byList, byBody, byGraph]) {
      const found = JSON.stringify(await ask(world, resource, query))
      if (found !== expected) problems.push({ surface: ask.name, query, found, expected })
    }
  }
  t.same(problems, [], `${queries.length} searches on three surfaces`)
}

async function nestedLists(t: Test, world: World, resource: Resource): Promise<void> {
  for (const [name, { kind, target: to, field }] of Object.entries(resource.relations)) {
    const target = resourceNamed(to)
    if (kind !== 'many' || !target.search || !has(world, target, 'batch')) continue
    const [parents, children] = [await all(world, resource), await all(world, target)]
    const query = queriesOf(target, children)[0]!
    const { body } = await world.graphql(
      `query($q: String) { ${listField(resource)}(first: 200) { nodes { id ${name}(first: 200, search: $q) { totalCount nodes { id } } } } }`,
      { q: query }
    )
    const found = (body.data[listField(resource)].nodes as Json[]).map(n => {
      const { totalCount, nodes } = n[name] as Json
      return [String(n.id), shown(totalCount, nodes)]
    })
    const expected = parents.map(p => {
      const wanted = children.filter(c => c[field] === p.id && finds(target, c, query))
      return [String(p.id), shown(wanted.length, wanted)]
    })
    t.same(found.sort(), expected.sort(), `${name}, searched below each ${resource.name}`)
  }
}

async function unknown(t: Test, world: World, resource: Resource): Promise<void> {
  const path = `/v1/${resource.plural}`
  t.match(await world.call('GET', `${path}?search=abc`), {
    status: 400,
    body: { errors: [{ in: 'query', parameter: 'search', code: 'unknown_field' }] }
  })
  t.equal((await world.call('POST', `${path}/search`, { search: 'abc' })).status, 400)
  const { body } = await world.graphql(`{ ${listField(resource)}(search: "abc") { nodes { id } } }`)
  t.match(body.errors, [{ message: /Unknown argument "search"/ }])
}

/** Finding records by parts of words, on every surface, against the same search done here. */
export async function search(t: Test, suite: Suite, resource: Resource): Promise<void> {
  const world = await newWorld(suite)
  if (!resource.search) return unknown(t, world, resource)
  await makeMany(world, resource, 20)
  for (const { kind, target } of Object.values(resource.relations)) {
    if (kind === 'many') await makeMany(world, resourceNamed(target), 6)
  }
  const rows = await all(world, resource)
  await lists(t, world, resource, rows)
  await nestedLists(t, world, resource)
  const stranger = await newWorld(suite)
  const query = queriesOf(resource, rows)[0]!
  t.ok(Number((await byList(world, resource, query)).count) > 0)
  const own = (await all(stranger, resource)).filter(row => finds(resource, row, query))
  t.same(await byList(stranger, resource, query), shown(own.length, own), 'nothing of another workspace')
}
