import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { orders } from '../../resources/orders/resource.js'
import { bucketOf, bucketSeries, steps, type Interval } from '../buckets.js'
import type { Numbers } from '../counted.js'
import { boughtSql, isKept, type OrderQuery } from '../lifetime-value-sql.js'
import { inPeriod, localDay, type Frame } from '../period.js'

/** Whose orders are looked at, and how they are told apart. */
export interface RetentionQuery extends OrderQuery {
  interval: Interval
  inactiveDays: number
  /** Whether customers are grouped by their first order, or by their last one. */
  groupedBy: 'first' | 'last'
}

/** What customers of one cohort did in one period; of the period asked for are those who came in it. */
export interface RetentionRow extends Numbers {
  /** The first day of the period of their first order. */
  cohort: string
  period: string
  active: number
  /** Of those, the ones who were active in the period before. */
  retained: number
  revenue: string | null
  revenueRetained: string | null
  cohortActive: number
  /** Those without an order in a later period. */
  cohortLast: number
  cohortRevenue: string | null
  customers: number
  orders: number
  orderDays: number
  repeaters: number
  inactive: number
  /** How often so many days lay between two days with an order. */
  gaps: Record<string, number> | null
  missingAmount: number
  noFxRate: number
}

// A day with orders of a customer among the others of the same one.
const among = raw('partition by g.id order by g.period, g.day')
const groups = raw('partition by g.id order by g.period groups between 1 preceding and 1 preceding')

function keysOf({ cuts }: RetentionQuery, of: (key: Sql) => Sql): Sql {
  const keys = cuts.dimensions.map((_, i) => sql`, ${of(raw(`key_${i + 1}`))} as ${raw(`key_${i + 1}`)}`)
  return keys.length > 0 ? join(keys, '') : empty
}

/** Days with orders: `facts`, one for each customer and local day. */
export function orderDays(ctx: Context, query: RetentionQuery): Sql {
  const { frame, interval, inactiveDays, groupedBy } = query
  const { ctes, bought } = boughtSql(ctx, query)
  const today = localDay(frame.timeZone, sql`${frame.asOf}::timestamptz`)
  const order = raw(groupedBy === 'first' ? 'b.ordered_at, b.id' : 'b.ordered_at desc, b.id desc')
  const sorted = raw(groupedBy === 'first' ? 'g.day' : 'g.day desc')
  return sql`
    ${ctes}, days as materialized (
      select b.customer_id as id, b.day, ${bucketOf(interval, frame, raw('b.day'))} as period, count(*) as orders,
        count(b.amount) as with_amount, count(b.brought) as valued, sum(b.brought) as brought,
        min(b.ordered_at) as first_at ${keysOf(query, key => sql`(array_agg(b.${key} order by ${order}))[1]`)}
      from (${bought}) b group by b.customer_id, b.day
    ), told as (
      select g.id, g.day, g.period, g.orders, g.with_amount, g.valued, g.brought,
        lag(g.day) over (${among}) as day_before, lag(g.period) over (${among}) as period_before,
        first_value(g.period) over (${groups}) as last_active, min(g.period) over (partition by g.id) as cohort,
        max(g.day) over (partition by g.id) as last_day, min(g.first_at) over (partition by g.id) as first_at
        ${keysOf(query, key => sql`first_value(g.${key}) over (partition by g.id order by ${sorted})`)}
      from days g where ${isKept(ctx, raw('g.id'))}
    ), facts as materialized (
      select g.*, g.day_before is null as first, g.day - g.day_before as gap,
        g.period is distinct from g.period_before as begins,
        g.last_active is not distinct from (g.period - interval '${raw(steps[interval])}')::date as stayed,
        ${bucketOf(interval, frame, raw('g.last_day'))} = g.period as last,
        ${today} - g.last_day >= ${inactiveDays}::int as inactive,
        true ${inPeriod(raw('g.first_at'), frame)} as chosen
      from told g
    )`
}

/** Conditions on the facts that are counted. */
export const members: Record<string, Sql> = {
  active: raw('f.begins'),
  retained: raw('f.begins and f.stayed'),
  cohortActive: raw('f.chosen and f.begins'),
  cohortLast: raw('f.chosen and f.begins and f.last'),
  customers: raw('f.chosen and f.first'),
  repeaters: raw('f.chosen and f.first and f.last_day > f.day'),
  inactive: raw('f.chosen and f.first and f.inactive'),
  orderDays: raw('f.chosen')
}

/** What else is said of the facts of one cohort and period. */
export const sums = sql`
  sum(f.brought)::text as revenue, (sum(f.brought) filter (where f.stayed))::text as "revenueRetained",
  (sum(f.brought) filter (where f.chosen))::text as "cohortRevenue",
  coalesce(sum(f.orders) filter (where f.chosen), 0)::int as orders,
  coalesce(sum(f.orders - f.with_amount), 0)::int as "missingAmount",
  coalesce(sum(f.with_amount - f.valued), 0)::int as "noFxRate", (
    select json_object_agg(u.gap, u.n)
    from (
      select x.gap, count(*) as n from unnest(array_agg(f.gap) filter (where f.chosen and f.gap is not null)) as x(gap)
      group by x.gap
    ) u
  ) as gaps`

/** A period of the interval, by local days. */
export interface Period {
  [column: string]: unknown
  from: string
  to: string
  complete: boolean
  /** Whether it is among those that are asked about. */
  asked: boolean
}

/** All periods that have begun since the first order. */
export async function periodsOf(ctx: Context, interval: Interval, frame: Frame): Promise<Period[]> {
  const { from, to, timeZone } = frame
  const first = sql`(
    select ${localDay(timeZone, sql`min(t.ordered_at)`)} from orders t
    where ${visible(ctx, orders, 't')} and t.deleted_at is null)`
  const all = bucketSeries(interval, { ...frame, from: null, to: null }, first)
  const begun = from === null ? sql`true` : sql`p."to" > ${localDay(timeZone, sql`${from}::timestamptz`)}`
  const before = sql`${to}::timestamptz - interval '1 millisecond'`
  const ended = to === null ? sql`true` : sql`p."from" <= ${localDay(timeZone, before)}`
  return ctx.db.query<Period>(
    sql`select p."from", p."to", p.complete, ${begun} and ${ended} as asked from (${all}) p order by p."from"`
  )
}
