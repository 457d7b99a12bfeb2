import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import type { Context, Row } from '../kernel/context.js'
import type { Resource } from '../kernel/resource.js'
import { bucketOf, bucketSeries, mostBuckets, type Interval } from './buckets.js'
import type { Dimension } from './dimensions.js'
import { cursorOf, Explanation, idColumns, type ExplainRequest } from './explain.js'
import { dimensionsAsked, labelsOf, mostGroups, type GroupRequest } from './groups.js'
import { refused, type Request } from './parameters.js'
import { localDay, type Frame } from './period.js'

/** The parameters by which a figure is cut, as far as it takes them. */
export type CutRequest = GroupRequest & ExplainRequest & { interval?: Interval }

/** The counts of `members`, and with `explain` the subjects behind them. */
export interface Numbers {
  [column: string]: unknown
  all: number
  ids?: Record<string, string[] | null>
}

/** How the facts of a figure are cut: what a statement adds to those of its subjects. */
export interface Cuts {
  /** Joins that the group values need, after the table of the subjects. */
  joins: Sql
  /** The columns `, key_1, key_2` of the facts. */
  keys: Sql
  /** The column `, bucket` of the facts, by the instant that decides; nothing where no interval is asked for. */
  bucket(instant: Sql): Sql
  /** The same of a local day. */
  bucketOfDay(day: Sql): Sql
  interval: Interval | undefined
  dimensions: readonly Dimension[]
}

/** How a request cuts facts whose subjects are the rows `alias` of a resource. */
export function cutsOf(
  ctx: Context,
  resource: Resource,
  alias: string,
  request: Request<CutRequest>,
  frame: Frame
): Cuts {
  const { interval } = request.given
  const dimensions = dimensionsAsked(ctx, resource, alias, request, frame)
  const keys = dimensions.map(({ value }, i) => sql`, ${value} as ${raw(`key_${i + 1}`)}`)
  const bucketOfDay = (day: Sql) => (interval ? sql`, ${bucketOf(interval, frame, day)} as bucket` : empty)
  return {
    joins:
      dimensions.length > 0
        ? join(
            dimensions.map(d => d.joins),
            ' '
          )
        : empty,
    keys: keys.length > 0 ? join(keys, '') : empty,
    bucket: instant => bucketOfDay(localDay(frame.timeZone, instant)),
    bucketOfDay,
    interval,
    dimensions
  }
}

/** The columns of the cuts, after a comma, from a row that has them already. */
export const keysOfRow = ({ dimensions }: Cuts, row: string): Sql =>
  raw(dimensions.map((_, i) => `, ${row}.key_${i + 1}`).join(''))

/** What a figure says of one of its values: why numbers are null, and whose they are. Pointers are within the value. */
export interface Notes<R> {
  reason(pointer: string, code: string): void
  /** The subjects behind a number are those of these rows, of `member` where it is of a part of them. */
  ids(pointer: string, rows: readonly R[], member?: string): void
}

/** A figure as facts and what is counted of them. */
export interface Plan<R extends Numbers, V> {
  /** Common table expressions; `facts` is one of them, with the subject's `id` and the columns of the cuts. */
  ctes: Sql
  /** Whether there are `facts_of_buckets` too, since a bucket says other things of its subjects than the whole. */
  ofBuckets?: boolean
  /** Columns of the facts whose values are told apart: a row for each of them. Else there is one row for all. */
  by?: readonly string[]
  /** What is counted of the facts `f`, as a select list. */
  counts: Sql
  /** The number of facts, and with `explain` the subjects, that meet a condition on `f`; `all` is always there. */
  members?: Record<string, Sql>
  /** Columns of the row of the total alone, such as pages of what is behind it. Without `by`. */
  once?: Record<string, Sql>
  /** The value that the rows of a cut amount to; it is asked for the total first. */
  value(rows: readonly R[], notes: Notes<R>): V
}

interface CountedRow extends Row {
  level: Level
  bucket: string | null
  keys: unknown[] | null
  crowded: boolean
}

/** Everything, a bucket, a group, a bucket of a group; and nothing, which a bucket without facts amounts to. */
type Level = 'total' | 'bucket' | 'group' | 'cell' | 'none'

export interface Counted<R, V> {
  value: V
  reasons: Record<string, string>
  /** The rows of the total, for what an answer says besides. */
  rows: readonly R[]
  more: Record<string, unknown>
}

const list = (parts: readonly Sql[]): Sql => (parts.length > 0 ? join(parts, ', ') : empty)

// There are no rows of nothing where rows are those of values.
function levelsOf({ interval, dimensions }: Cuts, by: Plan<never, unknown>['by'] = []): Level[] {
  const grouped = dimensions.length > 0
  const parts = interval !== undefined || grouped
  return [
    'total',
    ...(parts && by.length === 0 ? (['none'] as const) : []),
    ...(interval ? (['bucket'] as const) : []),
    ...(grouped ? (['group'] as const) : []),
    ...(interval && grouped ? (['cell'] as const) : [])
  ]
}

// The same columns of the same facts, grouped once for each way that they are cut.
function countingSql(plan: Plan<never, unknown>, cuts: Cuts, request: ExplainRequest): Sql {
  const keys = cuts.dimensions.map((_, i) => raw(`f.key_${i + 1}`))
  const by = (plan.by ?? []).map(column => raw(`f.${column}`))
  const members = { all: sql`true`, ...plan.members }
  const numbers = Object.entries(members).map(
    ([name, met]) => sql`(count(*) filter (where ${met}))::int as ${raw(`"${name}"`)}`
  )
  const columns = list([...by, ...numbers, plan.counts, ...idColumns(request, members)])
  const crowded = keys.length > 0 ? raw('(select crowded from crowd)') : raw('false')
  const shown = sql`jsonb_build_array(${list(cuts.dimensions.map((d, i) => d.shown(keys[i]!)))})`

  const once = (level: Level) =>
    Object.entries(plan.once ?? {}).map(
      ([name, found]) => sql`${level === 'total' ? found : raw('null')} as ${raw(`"${name}"`)}`
    )
  const branch = (level: Level): Sql => {
    const bucketed = level === 'bucket' || level === 'cell'
    const grouped = level === 'group' || level === 'cell'
    const own = [...(bucketed ? [raw('f.bucket')] : []), ...(grouped ? keys : []), ...by]
    const where = level === 'none' ? sql`where false` : grouped ? sql`where not ${crowded}` : empty
    return sql`
      select ${raw(`'${level}'`)} as level, ${bucketed ? raw('f.bucket') : raw('null::date')} as bucket,
        ${grouped ? shown : raw('null::jsonb')} as keys, ${crowded} as crowded, ${list([columns, ...once(level)])}
      from ${raw(bucketed && plan.ofBuckets ? 'facts_of_buckets' : 'facts')} f ${where} ${own.length > 0 ? sql`group by ${list(own)}` : empty}`
  }

  const crowd = sql`, crowd as materialized (
    select count(*) > ${mostGroups}::int as crowded from (
      select distinct ${list(keys)} from facts f limit ${mostGroups + 1}
    ) k
  )`
  return sql`with ${plan.ctes} ${keys.length > 0 ? crowd : empty} ${join(levelsOf(cuts, plan.by).map(branch), ' union all ')}`
}

interface Series {
  [column: string]: unknown
  start: string
  from: string
  to: string
  label: string
  complete: boolean
}

const mostCells = 20_000

async function seriesOf(
  ctx: Context,
  interval: Interval,
  rows: readonly CountedRow[],
  { place }: Request<CutRequest>,
  frame: Frame
): Promise<Series[]> {
  const [first = null] = rows
    .map(r => r.bucket)
    .filter(b => b !== null)
    .sort()
  const series = await ctx.db.query<Series>(bucketSeries(interval, frame, sql`${first}::date`))
  if (series.length <= mostBuckets) return series
  const message = `That would be more than ${mostBuckets} buckets: give a longer interval or a shorter period.`
  throw refused(place, 'interval', message, 'too_many')
}

/** Finds rows by the bucket, the group or both that they are of. */
function sorted<R>(rows: readonly (CountedRow & R)[]): (level: Level, ...of: unknown[]) => readonly R[] {
  const by = new Map<string, R[]>()
  const keyOf = (level: Level, of: unknown[]) => JSON.stringify([level, ...of])
  for (const row of rows) {
    const of = [row.bucket, row.keys].filter(v => v !== null)
    const key = keyOf(row.level, of)
    const alike = by.get(key)
    if (alike) alike.push(row)
    else by.set(key, [row])
  }
  return (level, ...of) => by.get(keyOf(level, of)) ?? []
}

/** Counts the facts of a figure: over all, and for each bucket and group that the request asks for. */
export async function counted<R extends Numbers, V>(
  ctx: Context,
  request: Request<CutRequest>,
  frame: Frame,
  cuts: Cuts,
  plan: Plan<R, V>
): Promise<Counted<R, V>> {
  const { given, place } = request
  const explanation = new Explanation(cursorOf(request))
  const found = await ctx.db.query<CountedRow & R>(countingSql(plan, cuts, given))
  if (found.some(r => r.crowded)) {
    throw refused(place, 'groupBy', `That would be more than ${mostGroups} groups.`, 'too_many')
  }
  const rowsOf = sorted(found)
  const reasons: Record<string, string> = {}
  const valueOf = (pointer: string, rows: readonly R[]): V =>
    plan.value(rows.length > 0 ? rows : rowsOf('none'), {
      reason: (within, code) => void (reasons[`${pointer}${within}`] = code),
      ids(within, rows, member = 'all') {
        if (given.explain)
          explanation.add(
            `${pointer}${within}`,
            rows.map(r => r.ids?.[member])
          )
      }
    })

  const total = rowsOf('total')
  const value = valueOf('/value', total)
  const series = cuts.interval ? await seriesOf(ctx, cuts.interval, found, request, frame) : undefined
  const bucketsOf = (pointer: string, of: (start: string) => readonly R[]) =>
    series!.map(({ start, ...bucket }, i) => ({
      ...bucket,
      value: valueOf(`${pointer}/buckets/${i}/value`, of(start))
    }))
  const keys = cuts.dimensions.length > 0 ? await keysOf(ctx, cuts, found) : undefined
  if (keys && series && keys.length * series.length > mostCells) {
    const message = `That would be more than ${mostCells} buckets of groups: give a longer interval.`
    throw refused(place, 'interval', message, 'too_many')
  }
  return {
    value,
    reasons,
    rows: total,
    more: {
      ...(series && { buckets: bucketsOf('', start => rowsOf('bucket', start)) }),
      ...(keys && {
        groups: keys.map(({ key, label }, i) => ({
          key: Object.fromEntries(cuts.dimensions.map((d, n) => [d.name, key[n]])),
          label,
          value: valueOf(`/groups/${i}/value`, rowsOf('group', key)),
          ...(series && { buckets: bucketsOf(`/groups/${i}`, start => rowsOf('cell', start, key)) })
        }))
      }),
      ...(given.explain && { explain: explanation.found })
    }
  }
}

const inOrder = new Intl.Collator('en', { numeric: true })

/** The keys of all groups with their labels, in the order of these; what has no value comes last. */
async function keysOf(ctx: Context, { dimensions }: Cuts, rows: readonly CountedRow[]) {
  const found = new Map(rows.filter(r => r.level === 'group').map(r => [JSON.stringify(r.keys), r.keys!]))
  const keys = [...found.values()]
  const labels = await labelsOf(ctx, dimensions, keys)
  const nulls = (key: unknown[]) => key.filter(v => v === null).length
  return keys
    .map((key, i) => ({ key, label: labels[i]! }))
    .sort((a, b) => nulls(a.key) - nulls(b.key) || inOrder.compare(a.label, b.label))
}
