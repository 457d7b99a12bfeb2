import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { Joins } from './aggregate-fields.js'
import { groupOf, type Group, type GroupInput } from './aggregate-groups.js'
import { currencyOf, measureOf, type Measure, type MeasureInput } from './aggregate-measures.js'
import { aggregateBody, aggregateLimits, aggregateResult } from './aggregate-schemas.js'
import { visible } from './authorize.js'
import type { Context, Row } from './context.js'
import { fieldError } from './errors.js'
import { filterSql } from './filter.js'
import { operation, value, type Operation } from './operation.js'
import type { Resource } from './resource.js'
import type { Static } from './schema.js'
import { plannedEachTime } from './search-text.js'
import { searchSql } from './search.js'
import type { Calendar } from './time-grains.js'
import { suggestion } from './validate.js'

type Filter = Record<string, unknown>

interface Input {
  filter?: Filter
  search?: string
  groupBy?: GroupInput[]
  measures?: MeasureInput[]
  orderBy?: string[]
  limit?: number
  timeZone?: string | null
}

interface Found extends Row {
  /** Null in the one row that there is without any bucket. */
  n: number | null
  buckets: number
  timeZone: string
}

const key = (i: number) => `k${i}`
const measured = (i: number) => `m${i}`
const column = (alias: string, name: string) => raw(`${alias}."${name}"`)

// The workspace's own, where the request names no other.
const calendar: Calendar = {
  zone: raw('(select zone from f)'),
  fiscalYearStart: raw('(select fiscal_year_start from f)')
}

const workspaceCalendar = (ctx: Context, timeZone: string | null | undefined) => sql`
  select coalesce(${timeZone}::text, w.time_zone) as zone, w.fiscal_year_start
  from workspaces w where w.workspace_id = ${ctx.workspaceId} and w.id = ${ctx.workspaceId}`

/** Whether a filter lets only records through that have one value of a field, own or of a related record. */
function settles(filter: unknown, path: readonly string[]): boolean {
  if (typeof filter !== 'object' || filter === null) return false
  const { and, ...own } = filter as Filter
  if (Array.isArray(and) && and.some(part => settles(part, path))) return true
  const [name, ...rest] = path as [string, ...string[]]
  if (rest.length > 0) return settles(own[name], rest)
  return (own[name] as Filter | undefined)?.eq !== undefined
}

function refuseMixedMoney(measures: readonly Measure[], groups: readonly Group[], filter: Filter): void {
  for (const [i, { money }] of measures.entries()) {
    if (!money) continue
    const currency = currencyOf(money)
    if (groups.some(g => g.path.text === currency) || settles(filter, currency.split('.'))) continue
    throw fieldError(
      'invalid_input',
      `/measures/${i}/field`,
      `Amounts of several currencies are not added up: group by ${currency}, or filter by one with eq.`,
      'mixed_currencies'
    )
  }
}

function refuseSameNames(named: readonly [pointer: string, name: string][]): void {
  const seen = new Set(['count'])
  for (const [pointer, name] of named) {
    if (seen.has(name))
      throw fieldError('invalid_input', pointer, `${name} is taken: give another name.`, 'duplicate')
    seen.add(name)
  }
}

function orderSql(orderBy: readonly string[], groups: readonly Group[], measures: readonly Measure[]): Sql {
  const byName = new Map<string, Sql>([
    ...groups.map((g, i): [string, Sql] => [g.name, g.order(column('g', key(i)))]),
    ...measures.map((m, i): [string, Sql] => [m.name, m.answer(column('g', measured(i)))]),
    ['count', raw('g.n')]
  ])
  const given = orderBy.map((text, i) => {
    const name = text.replace(/^-/, '')
    const by = byName.get(name)
    if (by) return sql`${by} ${raw(text === name ? 'asc' : 'desc')} nulls last`
    const message = `${name} is neither a group nor a measure.${suggestion(name, [...byName.keys()])}`
    throw fieldError('invalid_input', `/orderBy/${i}`, message, 'unknown_field')
  })
  const ties = groups.map((g, i) => sql`${g.order(column('g', key(i)))} asc nulls last`)
  const all = [...given, ...ties]
  return all.length === 0 ? empty : sql`order by ${join(all)}`
}

/** The filter of a bucket: what the request asked for, and what its records have in common. */
function bucketFilter(given: Filter, groups: readonly Group[], row: Row, timeZone: string): Filter {
  const common = groups.map((g, i) => g.filter(row, key(i), timeZone))
  if (common.length === 0) return given
  return { ...given, and: [...((given.and as Filter[] | undefined) ?? []), ...common] }
}

// All null, which is what the longest filters are for but spans of time; those have two ends.
const nothing: Row = Object.fromEntries(
  Array.from({ length: 2 * aggregateLimits.groups }, (_, i): [string, null] => [key(i), null])
)

/** A request that was read and found to be right. */
interface Plan {
  filter: Filter
  groups: Group[]
  measures: Measure[]
  joins: Joins
  where: Sql
  order: Sql
}

function planOf(ctx: Context, resource: Resource, input: Input): Plan {
  const { filter = {}, search, orderBy = [] } = input
  const joins = new Joins(ctx, resource)
  const groups = (input.groupBy ?? []).map((g, i) => groupOf(resource, g, joins, calendar, `/groupBy/${i}`))
  const measures = (input.measures ?? []).map((m, i) => measureOf(resource, m, joins, `/measures/${i}`))
  refuseSameNames([
    ...groups.map((g, i): [string, string] => [`/groupBy/${i}/name`, g.name]),
    ...measures.map((m, i): [string, string] => [`/measures/${i}/name`, m.name])
  ])
  refuseMixedMoney(measures, groups, filter)
  const order = orderSql(orderBy, groups, measures)
  const filtered = filterSql(ctx, resource, 't', filter)
  // A bucket's filter is longer than the one given: it must be one that a list takes.
  filterSql(ctx, resource, 't', bucketFilter(filter, [...groups, ...groups], nothing, 'UTC'))
  const where =
    search === undefined
      ? filtered
      : sql`${filtered} and ${searchSql('t', search, { in: 'body', pointer: '/search' })}`
  return { filter, groups, measures, joins, where, order }
}

const named = (expressions: readonly Sql[], name: (i: number) => string) =>
  expressions.map((expression, i) => sql`${expression} as ${raw(name(i))}`)

function statementOf(ctx: Context, resource: Resource, plan: Plan, input: Input): Sql {
  const { groups, measures, joins, where, order } = plan
  const inputs = [
    ...named(
      groups.map(g => g.input),
      key
    ),
    ...named(
      measures.map(m => m.input),
      measured
    )
  ]
  const keys = groups.map((_, i) => column('r', key(i)))
  const folded = measures.map((m, i) => m.fold(column('r', measured(i))))
  const answered = [
    ...groups.flatMap((g, i) => g.columns(column('g', key(i)), key(i))),
    ...named(
      measures.map((m, i) => m.answer(column('g', measured(i)))),
      measured
    )
  ]
  return sql`
    with f as materialized (${workspaceCalendar(ctx, input.timeZone)})
    select ${join([sql`g.n`, sql`count(*) over ()::int as buckets`, sql`f.zone as "timeZone"`, ...answered])}
    from f left join (
      select ${join([sql`count(*)::int as n`, ...keys, ...named(folded, measured)])}
      from (
        select ${inputs.length === 0 ? empty : join(inputs)}
        from ${raw(`"${resource.table}" t`)}${joins.sql()}
        where ${visible(ctx, resource, 't')} and t.deleted_at is null and ${where}
      ) r
      group by ${keys.length === 0 ? raw('()') : join(keys)}
    ) g on true
    ${order} limit ${input.limit ?? aggregateLimits.standardBuckets} ${raw(plannedEachTime)}`
}

const byName = (of: readonly { name: string }[], row: Row, place: (i: number) => string) =>
  Object.fromEntries(of.map(({ name }, i) => [name, row[place(i)]]))

async function aggregate(
  ctx: Context,
  resource: Resource,
  input: Input
): Promise<Static<typeof aggregateResult>> {
  const plan = planOf(ctx, resource, input)
  const rows = await ctx.db.query<Found>(statementOf(ctx, resource, plan, input))
  const [{ buckets, timeZone }] = rows as [Found]
  const data = rows.flatMap(row => {
    if (row.n === null) return []
    const group = byName(plan.groups, row, key)
    const values = byName(plan.measures, row, measured)
    return [{ group, count: row.n, values, filter: bucketFilter(plan.filter, plan.groups, row, timeZone) }]
  })
  const all = data.length === 0 ? 0 : buckets
  return { data, buckets: all, hasMore: all > data.length, timeZone }
}

/** Counts and measures the records of a resource in buckets, over REST; GraphQL has a field of its own for it. */
export const aggregateOperation = (resource: Resource): Operation =>
  operation({
    kind: 'read',
    permission: resource.permissions.read,
    name: `${resource.plural}.aggregate`,
    summary: `Count and measure ${resource.plural}`,
    description:
      'Puts records into buckets and measures each. Every bucket carries the filter that lists exactly its records. Related records that the credential may not see count as none.',
    rest: `POST /${resource.plural}/aggregate`,
    graphql: null,
    body: aggregateBody(resource),
    result: value(aggregateResult),
    run: (ctx, { body }) => aggregate(ctx, resource, body as Input)
  })
