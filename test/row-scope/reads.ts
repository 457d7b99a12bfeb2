import type { Test } from 'tap'
import { resourceNamed, type Relation, type Resource } from '../../src/kernel/resource.js'
import { has, type Json, type World } from '../conformance/world.js'
import { graphList, listField } from '../conformance/graph.js'
import type { Actor } from './cast.js'
import { mayRead, seesRecord, worldOf, type Stage } from './world.js'

const ids = (rows: readonly Json[] | undefined) => (rows ?? []).map(r => r.id as string).sort()

// A field names a record by its id, or a list of links names several.
const names = (value: unknown, id: string) =>
  Array.isArray(value) ? value.some(link => Object.values(link as object).includes(id)) : value === id

/** What an actor is to see, by the model. */
class Expected {
  constructor(
    private readonly stage: Stage,
    private readonly actor: Actor
  ) {}

  live(resource: Resource): Json[] {
    return this.stage.live.get(resource.name)!.filter(r => seesRecord(this.stage, this.actor, resource, r))
  }

  binned(resource: Resource): Json[] {
    return this.stage.binned.get(resource.name)!.filter(r => seesRecord(this.stage, this.actor, resource, r))
  }

  /** The records that a record is related to. */
  related(record: Json, { kind, field, target }: Relation): Json[] {
    return this.live(resourceNamed(target)).filter(other =>
      kind === 'one' ? other.id === record[field] : names(other[field], record.id as string)
    )
  }
}

async function lists(t: Test, world: World, resource: Resource, expected: Expected): Promise<void> {
  const path = `/v1/${resource.plural}`
  const rows = ids(expected.live(resource))
  const list = await world.call('GET', `${path}?limit=200&count=true`)
  t.same(ids(list.body.data as Json[]), rows, 'list')
  t.equal(list.body.page.totalCount, rows.length, 'count')
  const search = await world.call('POST', `${path}/search`, {
    filter: { or: [{ createdAt: { isNull: false } }, { not: { id: { isNull: true } } }] },
    limit: 200,
    count: true,
    sort: 'createdAt'
  })
  t.same(ids(search.body.data as Json[]), rows, 'search')
  t.equal(search.body.page.totalCount, rows.length)
  const { body } = await world.call('POST', `${path}/aggregate`, { groupBy: [{ field: 'id', name: 'id' }] })
  t.same(ids((body.data as Json[]).map(b => b.group as Json)), rows, 'aggregate')
  const bin = await world.call('GET', `${path}?limit=200&deleted=true&count=true`)
  t.same(ids(bin.body.data as Json[]), ids(expected.binned(resource)), 'the bin')
  const graph = await world.graphql(`{ ${listField(resource)}(last: 200) { totalCount nodes { id } } }`)
  const connection = graph.body.data[listField(resource)] as Json
  t.same(ids(connection.nodes as Json[]), rows, 'GraphQL')
  t.equal(connection.totalCount, rows.length)
}

/** What a search for the name of a record finds, in its list and among all kinds: itself, or nothing of it. */
async function searches(
  t: Test,
  stage: Stage,
  world: World,
  resource: Resource,
  expected: Expected
): Promise<void> {
  if (!resource.search) return
  const visible = new Set(ids(expected.live(resource)))
  const title = resource.search.title.at(-1)!
  const named = stage.live.get(resource.name)!.filter(r => /[a-z]{3}/i.test(String(r[title] ?? '')))
  const isSeen = (record: Json) => visible.has(record.id as string)
  for (const record of [...named.filter(isSeen).slice(0, 2), ...named.filter(r => !isSeen(r)).slice(0, 3)]) {
    const words = encodeURIComponent(String(record[title]).slice(0, 100))
    const seen = isSeen(record)
    const list = await world.call('GET', `/v1/${resource.plural}?limit=200&count=true&search=${words}`)
    const rows = ids(list.body.data as Json[])
    t.equal(rows.includes(record.id as string), seen, 'search in the list')
    t.equal(list.body.page.totalCount, rows.length)
    t.same(
      rows.filter(id => !visible.has(id)),
      [],
      'and nothing else that is out of scope'
    )
    const everywhere = await world.call('GET', `/v1/search?limit=50&types=${resource.eventName}&q=${words}`)
    const hits = ids(everywhere.body.data as Json[])
    t.equal(hits.includes(record.id as string), seen, 'search among all kinds')
  }
}

async function nodes(
  t: Test,
  stage: Stage,
  world: World,
  resource: Resource,
  expected: Expected
): Promise<void> {
  const visible = new Set(ids(expected.live(resource)))
  const all = ids(stage.live.get(resource.name)).slice(0, 200)
  const { body } = await world.graphql('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: all })
  t.same(
    body.data.nodes,
    all.map(id => (visible.has(id) ? { id } : null)),
    'nodes'
  )
  const one = all
    .map((id, i) => `r${i}: ${resource.name}(id: "${id}") { id } n${i}: node(id: "${id}") { id }`)
    .slice(0, 25)
  const single = (await world.graphql(`{ ${one.join(' ')} }`)).body.data as Json
  for (const [i, id] of all.slice(0, 25).entries()) {
    const seen = visible.has(id) ? { id } : null
    t.same([single[`r${i}`], single[`n${i}`]], [seen, seen], 'one by id over GraphQL')
  }
}

async function includes(t: Test, world: World, resource: Resource, expected: Expected): Promise<void> {
  for (const [name, relation] of Object.entries(resource.relations)) {
    if (relation.kind !== 'one') continue
    const path = `/v1/${resource.plural}`
    const { body } = await world.call('GET', `${path}?limit=200&include=${name}`)
    const wrong = (body.data as Json[]).filter(row => {
      const [seen] = expected.related(row, relation)
      return (row[name] as Json | null)?.id !== seen?.id
    })
    t.same(wrong, [], `include=${name}`)
    const given = (body.data as Json[]).find(row => row[relation.field] !== null)
    if (!given) continue
    const single = await world.call('GET', `${path}/${given.id}?include=${name}&fields=id`)
    t.same(single.body[name], given[name], 'the same in a single one')
  }
}

async function relationFilters(t: Test, world: World, resource: Resource, expected: Expected): Promise<void> {
  const rows = expected.live(resource)
  for (const [name, relation] of Object.entries(resource.relations)) {
    const target = resourceNamed(relation.target)
    const related = ids(rows.filter(r => expected.related(r, relation).length > 0))
    const unrelated = ids(rows).filter(id => !related.includes(id))
    const some = { [name]: { [target.filters[0]!]: { isNull: false } } }
    for (const [filter, answer] of [
      [some, related],
      [{ not: some }, unrelated]
    ] as const) {
      const { body } = await world.call('POST', `/v1/${resource.plural}/search`, { filter, limit: 200 })
      t.same(ids(body.data as Json[]), answer, `relation filter ${JSON.stringify(filter)}`)
      const graph = await graphList(world, resource, { filter, last: 200 })
      t.same(ids(graph.body.data[listField(resource)].nodes as Json[]), answer, 'and over GraphQL')
    }
  }
}

// As many as there are, and not so many that the question would cost too much.
const page = 60

async function nested(t: Test, world: World, resource: Resource, expected: Expected): Promise<void> {
  const relations = Object.entries(resource.relations)
  if (relations.length === 0) return
  const fields = relations.map(([name, { kind }]) =>
    kind === 'one' ? `${name} { id }` : `${name}(first: ${page}) { totalCount nodes { id } }`
  )
  const field = listField(resource)
  const { body } = await world.graphql(`{ ${field}(first: ${page}) { nodes { id ${fields.join(' ')} } } }`)
  const facts = new Map(expected.live(resource).map(r => [r.id, r]))
  for (const [name, relation] of relations) {
    const wrong = (body.data[field].nodes as Json[]).filter(node => {
      const seen = ids(expected.related(facts.get(node.id)!, relation))
      const got = node[name] as Json | null
      if (relation.kind === 'one') return got?.id !== seen[0]
      return got!.totalCount !== seen.length || ids(got!.nodes as Json[]).join() !== seen.join()
    })
    t.same(wrong, [], `nested ${name}`)
  }
}

// Whoever does not see all records does not see what became of all their events either.
const isAllowed = (actor: Actor, path: string) => actor.rowScope === 'all' || !path.endsWith('/deliveries')

/** Every reading operation of a record's path: the record itself, its changes, history and whatever comes later. */
async function readings(t: Test, stage: Stage, actor: Actor, world: World, resource: Resource) {
  const { suite } = stage
  const paths = [...suite.operations.values()]
    .map(o => (o.kind === 'read' ? o.rest : null))
    .filter(
      rest => rest?.method === 'GET' && /^\/([^/]+)\/:id(\/[^:]+)?$/.exec(rest.path)?.[1] === resource.plural
    )
    .map(rest => rest!.path)
  t.ok(paths.length >= 2, 'at least the record and its changes')
  for (const record of stage.live.get(resource.name)!) {
    const status = seesRecord(stage, actor, resource, record) ? 200 : 404
    const external = (record.externalIds as Json[])[0]
    const all = [
      ...paths.map(path => path.replace(':id', record.id as string)),
      ...(external && has(suite, resource, 'getByExternalId')
        ? [`/${resource.plural}/external/${external.source}/${external.id}`]
        : [])
    ]
    for (const path of all) {
      const { status: got } = await world.call('GET', `/v1${path}`)
      t.equal(got, isAllowed(actor, path) ? status : 403, path)
    }
  }
  for (const record of stage.binned.get(resource.name)!.slice(0, 12)) {
    const status = seesRecord(stage, actor, resource, record) ? 200 : 404
    const path = `/v1/${resource.plural}/${record.id}`
    t.equal((await world.call('GET', `${path}?deleted=true`)).status, status, 'in the bin')
    t.equal((await world.call('GET', path)).status, 404)
  }
}

/** Whatever an actor reads of a resource is what the model says. */
export async function reads(t: Test, stage: Stage, actor: Actor, resource: Resource): Promise<void> {
  if (!mayRead(actor, resource)) return
  const world = worldOf(stage, actor)
  const expected = new Expected(stage, actor)
  await lists(t, world, resource, expected)
  await nodes(t, stage, world, resource, expected)
  await searches(t, stage, world, resource, expected)
  await includes(t, world, resource, expected)
  await relationFilters(t, world, resource, expected)
  await nested(t, world, resource, expected)
  await readings(t, stage, actor, world, resource)
}

/** Figures count visible deals only. */
export async function figures(t: Test, stage: Stage, actor: Actor): Promise<void> {
  const world = worldOf(stage, actor)
  const deals = new Expected(stage, actor).live(resourceNamed('deal'))
  for (const { id } of stage.live.get('pipeline')!) {
    const { body } = await world.call('GET', `/v1/metrics/funnel?pipelineId=${id}`)
    t.equal(body.counts.deals, deals.filter(d => d.pipelineId === id).length, 'deals in the funnel')
    const graph = await world.graphql(`{ metrics { funnel(pipelineId: "${id}") { counts } } }`)
    t.same(graph.body.data.metrics.funnel.counts, body.counts)
  }
}

async function eventsOf(world: World, after = '0'): Promise<Json[]> {
  const { body } = await world.call('GET', `/v1/events?limit=1000&after=${after}`)
  const events = body.data as Json[]
  return body.page.hasMore ? [...events, ...(await eventsOf(world, body.page.nextCursor as string))] : events
}

/** The feed tells of a change whose owner is in scope before it or after it. */
export async function feed(t: Test, stage: Stage, actor: Actor): Promise<void> {
  const expected = (await eventsOf(stage.admin)).filter(({ resource: name, data, previous }) => {
    const resource = resourceNamed(name as string)
    if (!mayRead(actor, resource)) return false
    const before = (previous as Json | null)?.ownerId as string | null | undefined
    return (
      seesRecord(stage, actor, resource, data as Json) ||
      (before !== undefined && seesRecord(stage, actor, resource, { ownerId: before }))
    )
  })
  const shown = (events: Json[]) => events.map(e => `${e.sequence} ${e.type} ${e.recordId}`)
  t.same(shown(await eventsOf(worldOf(stage, actor))), shown(expected), `${expected.length} events`)
}
