import type { Test } from 'tap'
import { resourceNamed, type Relation, type Resource } from '../../src/kernel/resource.js'
import { idsIn } from './evaluate.js'
import { listField } from './graph.js'
import { all, has, makeMany, newWorld } from './world.js'
import type { Json, Suite, World } from './world.js'

const oldest = (rows: readonly Json[]) =>
  [...rows]
    .sort((a, b) => (`${a.createdAt}${a.id}` < `${b.createdAt}${b.id}` ? -1 : 1))
    .map(r => String(r.id))

const page = '(first: 2, orderBy: CREATED_AT_ASC)'

type Links = [string, Relation][]

const manyOf = (suite: Suite, resource: Resource): Links =>
  Object.entries(resource.relations).filter(
    ([, r]) => r.kind === 'many' && has(suite, resourceNamed(r.target), 'list')
  )

interface Level {
  totalCount: number
  nodes: Json[]
}

const children = (rows: Json[], { target, field }: Relation, parent: unknown) =>
  rows.filter(r => idsIn(resourceNamed(target), r, field).includes(parent))

async function counted(world: World, query: string): Promise<[Json, number]> {
  let body: Json = {}
  const statements = await world.statements.count(async () => {
    body = (await world.graphql(query)).body
  })
  return [body, statements]
}

async function oneRelation(
  t: Test,
  world: World,
  resource: Resource,
  [name, relation]: [string, Relation],
  rows: Map<string, Json[]>
): Promise<void> {
  const target = resourceNamed(relation.target)
  const below = Object.entries(target.relations)
  const deeper = below.map(([n, r]) =>
    r.kind === 'one' ? `${n} { id }` : `${n}${page} { totalCount nodes { id } }`
  )
  const query = `{ ${listField(resource)}(first: 200) {
    nodes { id ${name}${page} { totalCount nodes { id ${deeper.join(' ')} } } }
  } }`
  const [body, statements] = await counted(world, query)
  if (body.errors) return void t.fail(JSON.stringify(body.errors))
  // The list, a page and a count for the first level, and at most these two for each relation below it.
  const atMost = 1 + 2 + below.reduce((n, [, r]) => n + (r.kind === 'one' ? 1 : 2), 0)
  t.ok(statements <= atMost, `${resource.plural}.${name}: ${statements} of at most ${atMost} statements`)
  const theirs = rows.get(target.name)!
  for (const parent of body.data[listField(resource)].nodes as Json[]) {
    const expected = children(theirs, relation, parent.id)
    const found = parent[name] as Level
    t.same(
      [found.totalCount, found.nodes.map(n => String(n.id))],
      [expected.length, oldest(expected).slice(0, 2)],
      `${name}: the limit counts for each ${resource.name}`
    )
    for (const node of found.nodes) {
      const record = theirs.find(r => r.id === node.id)!
      for (const [inner, link] of below) {
        const others = rows.get(link.target)!
        if (link.kind === 'one') {
          const id = record[link.field] as string | null
          t.same(node[inner], others.some(o => o.id === id) ? { id } : null)
          continue
        }
        const grandchildren = children(others, link, node.id)
        const { totalCount, nodes } = node[inner] as Level
        t.same(
          [totalCount, nodes.map(n => String(n.id))],
          [grandchildren.length, oldest(grandchildren).slice(0, 2)],
          `${name}.${inner}: the same one level below`
        )
      }
    }
  }
}

async function paged(
  t: Test,
  world: World,
  resource: Resource,
  [name, relation]: [string, Relation],
  rows: Json[]
) {
  const counts = new Map<string, string[]>()
  for (const row of rows) {
    for (const parent of idsIn(resourceNamed(relation.target), row, relation.field) as (string | null)[])
      if (parent !== null) counts.set(parent, [...(counts.get(parent) ?? []), String(row.id)])
  }
  const parent = [...counts].sort((a, b) => b[1].length - a[1].length)[0]
  if (!parent) return
  const walk = async (part: (cursor: string) => string, backward: boolean) => {
    const found: string[] = []
    for (let cursor = '', turns = 0; turns < 100; turns++) {
      const { body } = await world.graphql(`{ ${resource.name}(id: "${parent[0]}") { ${name}(${part(cursor)},
        orderBy: CREATED_AT_ASC) { edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage } } } }`)
      const { edges, pageInfo } = body.data[resource.name][name] as { edges: Json[]; pageInfo: Json }
      const ids = edges.map(e => String((e.node as Json).id))
      found.push(...(backward ? ids.reverse() : ids))
      if (!(backward ? pageInfo.hasPreviousPage : pageInfo.hasNextPage)) return found
      cursor = String((backward ? edges[0] : edges.at(-1))!.cursor)
    }
    return found
  }
  const expected = oldest(children(rows, relation, parent[0]))
  t.same(await walk(c => `first: 2${c && `, after: "${c}"`}`, false), expected, `${name} page by page`)
  t.same(
    await walk(c => `last: 2${c && `, before: "${c}"`}`, true),
    [...expected].reverse(),
    'and from its end'
  )
}

/** Lists below records: the limit counts per parent, and the statements are few however many parents there are. */
export async function nested(t: Test, suite: Suite, resource: Resource): Promise<void> {
  const links = manyOf(suite, resource)
  const world = await newWorld(suite)
  const related = [...Object.values(resource.relations)].map(r => resourceNamed(r.target))
  const involved = new Set([resource, ...related])
  for (const r of [...involved])
    for (const { target } of Object.values(r.relations)) involved.add(resourceNamed(target))
  const listable = [...involved].filter(r => has(suite, r, 'list'))
  await makeMany(world, resource, 6)
  for (const r of listable) if (r !== resource && has(suite, r, 'batch')) await makeMany(world, r, 12)
  const rows = new Map<string, Json[]>()
  for (const r of listable) rows.set(r.name, await all(world, r))
  for (const link of links) {
    await oneRelation(t, world, resource, link, rows)
    await paged(t, world, resource, link, rows.get(link[1].target)!)
  }
  const ones = Object.entries(resource.relations).filter(([, r]) => r.kind === 'one')
  const included = await world.statements.count(() =>
    world.call(
      'GET',
      `/v1/${resource.plural}?limit=200${ones.length ? `&include=${ones.map(([n]) => n).join()}` : ''}`
    )
  )
  t.ok(included <= 1 + ones.length, `${included} statements for a list with ${ones.length} relations`)
}
