import type { Test } from 'tap'
import { operatorsOf } from '../../src/kernel/filter-values.js'
import { allResources, resourceNamed, type FieldInfo, type Resource } from '../../src/kernel/resource.js'
import { idsIn, matches, type Lookup } from './evaluate.js'
import { filterOf, graphList, listField } from './graph.js'
import { all, has, makeMany, newWorld } from './world.js'
import type { Json, Suite, World } from './world.js'

interface Rows {
  rows: Json[]
  lookup: Lookup
}

const ids = (rows: unknown) => (rows as Json[]).map(r => String(r.id)).sort()

async function bySearch(world: World, resource: Resource, filter: Json): Promise<unknown> {
  const reply = await world.call('POST', `/v1/${resource.plural}/search`, {
    filter,
    limit: 200,
    fields: ['id']
  })
  return reply.status === 200 ? ids(reply.body.data) : reply.text
}

async function byGraph(world: World, resource: Resource, filter: Json): Promise<unknown> {
  const variables = { filter: filterOf(resource, filter, resourceNamed), first: 200 }
  const reply = await graphList(world, resource, variables)
  return reply.body.errors ? reply.text : ids(reply.body.data[listField(resource)].nodes)
}

function queryOf(filter: Json): string {
  const [name, tests] = Object.entries(filter)[0] as [string, Json]
  const [first, value] = Object.entries(tests)[0] as [string, unknown]
  const [path, op, given] =
    name === 'customFields'
      ? [`${name}.${first}`, ...(Object.entries(value as Json)[0] as [string, unknown])]
      : [name, first, value]
  const key = op === 'eq' ? path : `${path}[${op}]`
  return new URLSearchParams({ [key]: Array.isArray(given) ? given.join() : String(given) }).toString()
}

async function byQuery(world: World, resource: Resource, filter: Json): Promise<unknown> {
  const reply = await world.call('GET', `/v1/${resource.plural}?limit=200&fields=id&${queryOf(filter)}`)
  return reply.status === 200 ? ids(reply.body.data) : reply.text
}

type Ask = (world: World, resource: Resource, filter: Json) => Promise<unknown>

/** What of a set of filters does not answer the rows that it should, on the surfaces that each of them is asked on. */
async function wrong(
  world: World,
  resource: Resource,
  { rows, lookup }: Rows,
  filters: Json[],
  surfaces: (filter: Json, i: number) => readonly Ask[]
) {
  const problems: unknown[] = []
  for (const [i, filter] of filters.entries()) {
    const expected = ids(rows.filter(r => matches(resource, r, filter, lookup)))
    await Promise.all(
      surfaces(filter, i).map(async ask => {
        const found = await ask(world, resource, filter)
        if (JSON.stringify(found) !== JSON.stringify(expected))
          problems.push({ surface: ask.name, filter, found, expected })
      })
    )
  }
  return problems
}

const middle = (text: string) => [...text].slice(1, 4).join('')
const swapped = (text: string) => (text === text.toLowerCase() ? text.toUpperCase() : text.toLowerCase())
const beginning = (text: string) => [...text].slice(0, 3).join('')

const absent: Record<string, unknown> = {
  id: '0198f0a0-0000-7000-8000-000000000000',
  email: 'nobody@example.net',
  integer: 77,
  number: 0.77,
  decimal: '77.7',
  instant: '2020-02-02',
  day: '2020-02-02'
}

/** Every operator of a field with values that rows have and one that none has. */
function filtersOf(resource: Resource, field: FieldInfo, rows: Json[]): Json[] {
  const found = rows.flatMap(r => idsIn(resource, r, field.name).flat()).filter(v => v !== null)
  const values = [...new Set(found)] as (string | number | boolean)[]
  const [one, two = one] = [values[0], values[values.length >> 1]]
  if (one === undefined || two === undefined) return [{ [field.name]: { isNull: true } }]
  const closed = field.kind === 'boolean' || field.schema.enum || field.schema.format
  const none = absent[field.kind] ?? (closed ? one : 'no such text')
  const given: Record<string, unknown[]> = {
    eq: [one, none],
    ne: [one],
    isNull: [true, false],
    in: [[one, none], []],
    notIn: [[one, two], [none]],
    contains: ['list', 'links'].includes(field.kind)
      ? [one]
      : [middle(String(one)), swapped(middle(String(two))), '_', '%'],
    startsWith: [swapped(beginning(String(one)))]
  }
  return operatorsOf[field.kind].flatMap(op =>
    (given[op] ?? [two]).map(value => ({ [field.name]: { [op]: value } }))
  )
}

// A query parameter cannot say an empty list.
const sayable = (filter: Json) => !/\[\]/.test(JSON.stringify(filter))

/** The operator of a filter of one field, with the kind of the field: what the surfaces treat alike. */
function sortOf(resource: Resource, filter: Json): string {
  const [name, tests] = Object.entries(filter)[0] as [string, Json]
  const { kind, nullable, schema } = resource.fields.get(name)!
  return [kind, nullable, schema.enum !== undefined, ...Object.keys(tests)].join()
}

async function everyOperator(t: Test, world: World, resource: Resource, given: Rows): Promise<void> {
  const met = new Set<string>()
  // All surfaces where an operator meets a kind of field for the first time, else one, in turn over the operators.
  const surfaces = (filter: Json, i: number): Ask[] => {
    const able = [bySearch, byGraph, ...(sayable(filter) ? [byQuery] : [])]
    const sort = sortOf(resource, filter)
    if (met.has(sort)) return [able[i % able.length]!]
    met.add(sort)
    return able
  }
  for (const name of resource.filters) {
    const filters = filtersOf(resource, resource.fields.get(name)!, given.rows)
    t.same(await wrong(world, resource, given, filters, surfaces), [], `${name}: ${filters.length} filters`)
  }
}

const custom: [string, string, unknown][] = [
  ['tier', 'eq', 'gold'],
  ['tier', 'ne', 'gold'],
  ['tier', 'in', ['gold', 'none']],
  ['tier', 'notIn', ['gold', 'Silver']],
  ['tier', 'contains', 'OL'],
  ['tier', 'startsWith', 'sil'],
  ['tier', 'isNull', true],
  ['tier', 'isNull', false],
  ['tier', 'gt', 1],
  ['vip', 'eq', true],
  ['vip', 'ne', true],
  ['score', 'eq', 7.5],
  ['score', 'notIn', [12]],
  ['score', 'gt', 7.5],
  ['score', 'gte', 7.5],
  ['score', 'lt', 12],
  ['score', 'lte', 12],
  ['unheardOf', 'isNull', true],
  ['unheardOf', 'ne', 'x']
]

async function customFields(t: Test, world: World, resource: Resource, given: Rows): Promise<void> {
  const filters = custom.map(([key, op, value]) => ({ customFields: { [key]: { [op]: value } } }))
  const surfaces = () => [bySearch, byGraph, byQuery]
  t.same(await wrong(world, resource, given, filters, surfaces), [], 'custom fields')
}

/** What only these two surfaces can say is asked on one of them and then on the other. */
const inTurn = (_: Json, i: number): Ask[] => [i % 2 === 0 ? bySearch : byGraph]

async function logic(t: Test, world: World, resource: Resource, given: Rows): Promise<void> {
  const simple = resource.filters
    .flatMap(name => filtersOf(resource, resource.fields.get(name)!, given.rows))
    .filter((_, i) => i % 5 === 0)
  const filters = simple.slice(0, -2).flatMap((a, i): Json[] => {
    const [b, c] = [simple[i + 1]!, simple[i + 2]!]
    return [
      [{ or: [a, { and: [b, { not: c }] }] }],
      [{ not: { or: [a, b] }, and: [{ or: [b, c] }] }],
      [{ and: [a, { customFields: { tier: { isNull: false } } }] }]
    ][i % 3]!
  })
  const nothing = [{}, { and: [] }, { or: [] }, { not: {} }, { not: { not: {} } }]
  const problems = [
    ...(await wrong(world, resource, given, filters, inTurn)),
    ...(await wrong(world, resource, given, nothing, () => [bySearch, byGraph]))
  ]
  t.same(problems, [], `${filters.length + nothing.length} filters with and, or, not`)
}

async function relations(t: Test, world: World, resource: Resource, given: Rows): Promise<void> {
  for (const [name, relation] of Object.entries(resource.relations)) {
    const target = resourceNamed(relation.target)
    const inner = target.filters
      .flatMap(field => filtersOf(target, target.fields.get(field)!, [...given.lookup(target.name)]))
      .filter((_, i) => i % 13 === 0)
    const filters: Json[] = inner.flatMap(f => [{ [name]: f }, { not: { [name]: f } }])
    filters.push({ [name]: {} }, { not: { [name]: {} } })
    // A filter and what it leaves out are asked on one surface.
    const surfaces = (filter: Json, i: number) => inTurn(filter, i >> 1)
    t.same(await wrong(world, resource, given, filters, surfaces), [], `${name}: ${filters.length} filters`)
  }
}

/** Every operator on every field, against the same filter evaluated here; each with each kind of field on three surfaces. */
export async function filters(t: Test, suite: Suite, resource: Resource): Promise<void> {
  const world = await newWorld(suite)
  await makeMany(world, resource, 12)
  for (const { kind, target } of Object.values(resource.relations)) {
    if (kind === 'many') await makeMany(world, resourceNamed(target), 6)
  }
  const known = new Map<string, Json[]>()
  for (const r of allResources()) if (has(suite, r, 'list')) known.set(r.name, await all(world, r))
  const given = { rows: known.get(resource.name)!, lookup: (name: string) => known.get(name)! }
  t.ok(given.rows.length >= 12)
  await everyOperator(t, world, resource, given)
  await customFields(t, world, resource, given)
  await logic(t, world, resource, given)
  await relations(t, world, resource, given)
}
