import type { Test } from 'tap'
import { groupableFields, pathRelations } from '../../src/kernel/aggregate-fields.js'
import { allResources, resourceNamed, type Resource } from '../../src/kernel/resource.js'
import { grains, isOfClock, type Grain } from '../../src/kernel/time-grains.js'
import type { Lookup } from './evaluate.js'
import { filterOf, graphList, listField, orderOf } from './graph.js'
import { all, credential, has, makeMany, newWorld } from './world.js'
import type { Json, Suite, World } from './world.js'

/** What to group by: a field, of the record or of one that a relation leads to, perhaps by a grain of time. */
interface Dimension {
  relation?: string
  field: string
  key?: string
  grain?: Grain
}

const timeZone = 'America/St_Johns'
const ids = (rows: readonly Json[]) => rows.map(r => String(r.id)).sort()
const screaming = (name: string) => orderOf(name).slice(0, -'_ASC'.length)

function dimensionsOf(resource: Resource): Dimension[] {
  return groupableFields(resource).flatMap((field, i): Dimension[] => {
    const { kind } = resource.fields.get(field)!
    if (kind === 'customFields')
      return [
        { field, key: 'tier' },
        { field, key: 'score' }
      ]
    if (kind !== 'instant' && kind !== 'day') return [{ field }]
    const possible = grains.filter(grain => kind === 'instant' || !isOfClock(grain))
    const some = [0, 1, 2].map(n => possible[(i + 3 * n) % possible.length]!)
    return [{ field }, ...some.map(grain => ({ field, grain }))]
  })
}

const related = (resource: Resource): Dimension[] =>
  pathRelations(resource).flatMap(([relation, { target }], i) =>
    dimensionsOf(resourceNamed(target))
      .filter((d, j) => (i + j) % 5 === 0 || d.key === 'tier')
      .map(d => ({ ...d, relation }))
  )

const pathOf = ({ relation, field, key }: Dimension) =>
  [relation, field, key].filter(part => part !== undefined).join('.')

function graphInput({ relation, field, key, grain }: Dimension): Json {
  const path = { field: screaming(field), ...(key !== undefined && { key }) }
  return {
    ...(relation === undefined ? path : { [relation]: path }),
    ...(grain && { grain: screaming(grain) })
  }
}

async function byRest(world: World, resource: Resource, dimension: Dimension): Promise<Json> {
  const { grain } = dimension
  const reply = await world.call('POST', `/v1/${resource.plural}/aggregate`, {
    groupBy: [{ field: pathOf(dimension), ...(grain && { grain }), name: 'key' }],
    measures: [{ op: 'distinct', field: 'id', name: 'ids' }],
    limit: 1000,
    timeZone
  })
  if (reply.status !== 200) throw new Error(`${JSON.stringify(dimension)}: ${reply.text}`)
  return reply.body
}

async function byGraph(world: World, resource: Resource, dimension: Dimension): Promise<Json> {
  const name = resource.typeName
  const field = `${listField(resource)}Aggregate`
  const reply = await world.graphql(
    `query($groupBy: [${name}GroupInput!], $measures: [${name}MeasureInput!]) {
      ${field}(groupBy: $groupBy, measures: $measures, limit: 1000, timeZone: "${timeZone}") {
        data { group count values filter } buckets hasMore timeZone
      }
    }`,
    {
      groupBy: [{ ...graphInput(dimension), name: 'key' }],
      measures: [{ op: 'DISTINCT', field: 'ID', name: 'ids' }]
    }
  )
  if (reply.body.errors) throw new Error(`${JSON.stringify(dimension)}: ${reply.text}`)
  return reply.body.data[field] as Json
}

/** The value that a record is grouped by, where no grain of time is. */
function valueOf(
  resource: Resource,
  row: Json,
  { relation, field, key }: Dimension,
  lookup: Lookup
): unknown {
  const link = relation === undefined ? undefined : resource.relations[relation]!
  const owner = link ? resourceNamed(link.target) : resource
  const record = link ? lookup(link.target).find(r => r.id === row[link.field]) : row
  const found = key === undefined ? record?.[field] : (record?.[field] as Json | undefined)?.[key]
  const value = (found ?? null) as string | number | boolean | null
  if (value === null) return null
  if (key !== undefined) return String(value)
  return owner.fields.get(field)!.kind === 'email' ? String(value).toLowerCase() : value
}

async function listed(world: World, resource: Resource, filter: Json): Promise<string[]> {
  const reply = await world.call('POST', `/v1/${resource.plural}/search`, {
    filter,
    limit: 200,
    fields: ['id']
  })
  if (reply.status !== 200) throw new Error(`${JSON.stringify(filter)}: ${reply.text}`)
  return ids(reply.body.data as Json[])
}

async function listedByGraph(world: World, resource: Resource, filter: Json): Promise<string[]> {
  const { body, text } = await graphList(world, resource, { filter, first: 200 })
  if (body.errors) throw new Error(`${JSON.stringify(filter)}: ${text}`)
  return ids(body.data[listField(resource)].nodes as Json[])
}

async function grouped(
  t: Test,
  world: World,
  resource: Resource,
  dimension: Dimension,
  rows: readonly Json[],
  lookup: Lookup
): Promise<void> {
  const name = `${pathOf(dimension)} ${dimension.grain ?? ''}`
  const [rest, graph] = await Promise.all([
    byRest(world, resource, dimension),
    byGraph(world, resource, dimension)
  ])
  const buckets = rest.data as Json[]
  const translated = buckets.map(b => ({ ...b, filter: filterOf(resource, b.filter as Json, resourceNamed) }))
  t.same(graph, { ...rest, data: translated }, `${name}: the same over GraphQL`)
  t.equal(
    buckets.reduce((sum, b) => sum + (b.count as number), 0),
    rows.length,
    `${name}: every record is in one bucket`
  )
  t.same(
    buckets.map(b => b.values.ids as number),
    buckets.map(b => b.count as number)
  )
  for (const bucket of new Set([buckets[0]!, buckets.at(-1)!])) {
    const found = await listed(world, resource, bucket.filter as Json)
    t.equal(found.length, bucket.count, `${name}: the filter lists the records behind ${bucket.group.key}`)
    if (dimension.grain) continue
    const expected = rows.filter(r => valueOf(resource, r, dimension, lookup) === bucket.group.key)
    t.same(found, ids(expected), `${name}: those with ${bucket.group.key}`)
  }
  const last = (graph.data as Json[]).at(-1)!
  t.equal((await listedByGraph(world, resource, last.filter as Json)).length, last.count, 'over GraphQL too')
}

async function refusals(t: Test, world: World, resource: Resource): Promise<void> {
  const path = `/v1/${resource.plural}/aggregate`
  const wrong: [object, string, string][] = [
    [{ groupBy: [{ field: 'nonsense' }] }, '/groupBy/0/field', 'unknown_field'],
    [{ groupBy: [{ field: 'nonsense.id' }] }, '/groupBy/0/field', 'unknown_field'],
    [{ groupBy: [{ field: 'customFields' }] }, '/groupBy/0/field', 'unknown_field'],
    [{ groupBy: [{ field: 'customFields.a-b' }] }, '/groupBy/0/field', 'invalid_name'],
    [{ groupBy: [{ field: 'id', grain: 'day' }] }, '/groupBy/0/grain', 'not_allowed'],
    [{ groupBy: [{ field: 'id', nonsense: 1 }] }, '/groupBy/0/nonsense', 'unknown_field'],
    [{ groupBy: [{ field: 'id' }, { field: 'id' }] }, '/groupBy/1/name', 'duplicate'],
    [{ groupBy: Array(5).fill({ field: 'id' }) }, '/groupBy', 'maxItems'],
    [{ measures: [{ op: 'sum', field: 'createdAt' }] }, '/measures/0/op', 'not_allowed'],
    [{ measures: [{ op: 'percentile', field: 'createdAt' }] }, '/measures/0/p', 'required'],
    [{ measures: [{ op: 'avg', field: 'createdAt', since: 'id' }] }, '/measures/0/since', 'not_allowed'],
    [{ orderBy: ['nonsense'] }, '/orderBy/0', 'unknown_field'],
    [{ filter: { nonsense: {} } }, '/filter/nonsense', 'unknown_field'],
    [{ limit: 1001 }, '/limit', 'maximum'],
    [{ timeZone: 'Mars/Olympus' }, '/timeZone', 'format']
  ]
  for (const [body, pointer, code] of wrong) {
    const reply = await world.call('POST', path, body)
    t.match(reply, { status: 400, body: { errors: [{ in: 'body', pointer, code }] } }, JSON.stringify(body))
  }
  const reader = await credential(world, [resource.permissions.read])
  for (const [relation, { target }] of pathRelations(resource)) {
    const { read } = resourceNamed(target).permissions
    if (read === resource.permissions.read) continue
    const reply = await world.call('POST', path, { groupBy: [{ field: `${relation}.id` }] }, reader)
    t.match(reply, { status: 403, body: { scope: read } }, `${relation} needs its scope`)
  }
}

/** Grouping by every field on both surfaces, against the records themselves. */
export async function aggregate(t: Test, suite: Suite, resource: Resource): Promise<void> {
  const world = await newWorld(suite)
  await makeMany(world, resource, 12)
  const known = new Map<string, Json[]>()
  for (const r of allResources()) if (has(suite, r, 'list')) known.set(r.name, await all(world, r))
  const rows = known.get(resource.name)!
  t.ok(rows.length >= 12)
  for (const dimension of [...dimensionsOf(resource), ...related(resource)])
    await grouped(t, world, resource, dimension, rows, name => known.get(name)!)
  const needed = await suite.statements.count(() =>
    byRest(world, resource, { field: 'createdAt', grain: 'month' })
  )
  t.equal(needed, 1, 'one statement')
  await refusals(t, world, resource)
}
