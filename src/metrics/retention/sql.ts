import sql, { raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { orders } from '../../resources/orders/resource.js'
import { bucketOf, bucketSeries, steps, type Interval } from '../buckets.js'
import type { Numbers } from '../counted.js'
import { boughtSql, isKept, type OrderQuery } from '../lifetime-value-sql.js'
import { inPeriod, localDay, type Frame } from '../period.js'
import { recordsThen } from '../records-then.js'

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

// What a customer is grouped by, told beside each order in the order of the window.
const keysOf = (keys: readonly string[], groupedBy: RetentionQuery['groupedBy']) =>
  keys.map(key =>
    groupedBy === 'first'
      ? `, first_value(p.${key}) over w as ${key}`
      : `, last_value(p.${key}) over (w rows between unbounded preceding and unbounded following) as ${key}`
  )

/** Periods in which customers were active: `facts`, one for each of both, from one sort of each customer's orders. */
export function activePeriods(ctx: Context, query: RetentionQuery): Sql {
  const { frame, interval, inactiveDays, groupedBy, cuts } = query
  const { ctes, bought } = boughtSql(ctx, query)
  const today = localDay(frame.timeZone, sql`${frame.asOf}::timestamptz`)
  const keys = cuts.dimensions.map((_, i) => `key_${i + 1}`)
  // The orders before those of a period are of this period too, but for the first: the least period of them is the one
  // before, as the greatest of those after is the next one.
  return sql`
    ${ctes}, active as (
      select b.customer_id as id, b.period, count(*) as orders, count(distinct b.day) as days,
        count(b.amount) as with_amount, count(b.brought) as valued, sum(b.brought) as brought,
        min(b.cohort) as cohort, min(b.period_before) as period_before, max(b.period_after) as period_after,
        min(b.first_at) as first_at, max(b.day) as last_day,
        string_agg(b.gap::text, ',') filter (where b.gap > 0) as gaps
        ${raw(keys.map(key => `, (array_agg(b.${key}))[1] as ${key}`).join(''))}
      from (
        select p.customer_id, p.period, p.day, p.amount, p.brought, p.ordered_at,
          first_value(p.period) over w as cohort, lag(p.period) over w as period_before,
          lead(p.period) over w as period_after, p.day - lag(p.day) over w as gap,
          min(p.ordered_at) over (partition by p.customer_id) as first_at ${raw(keysOf(keys, groupedBy).join(''))}
        from (select o.*, ${bucketOf(interval, frame, raw('o.day'))} as period from (${bought}) o) p
        window w as (partition by p.customer_id order by p.period, p.day ${raw(keys.length > 0 ? ', p.ordered_at, p.id' : '')})
      ) b group by b.customer_id, b.period
    ), facts as materialized (
      select g.id, g.cohort, g.period, g.orders, g.days, g.with_amount, g.valued, g.brought, g.gaps,
        g.cohort = g.period as first, coalesce(g.period_after = g.period, true) as last,
        g.period_before is not distinct from (g.period - interval '${raw(steps[interval])}')::date as stayed,
        ${today} - g.last_day >= ${inactiveDays}::int as inactive, true ${inPeriod(raw('g.first_at'), frame)} as chosen
        ${raw(keys.map(key => `, g.${key}`).join(''))}
      from active g where ${isKept(ctx, raw('g.id'))}
    )`
}

/** Conditions on the facts that are counted. */
export const members: Record<string, Sql> = {
  active: raw('true'),
  retained: raw('f.stayed'),
  cohortActive: raw('f.chosen'),
  cohortLast: raw('f.chosen and f.last'),
  customers: raw('f.chosen and f.first'),
  repeaters: raw('f.chosen and f.first and (f.days > 1 or not f.last)'),
  inactive: raw('f.chosen and f.last and f.inactive'),
  valued: raw('f.brought is not null'),
  retainedValued: raw('f.stayed and f.brought is not null'),
  cohortValued: raw('f.chosen and f.brought is not null')
}

/** What else is said of the facts of one cohort and period. */
export const sums = sql`
  sum(f.brought)::text as revenue, (sum(f.brought) filter (where f.stayed))::text as "revenueRetained",
  (sum(f.brought) filter (where f.chosen))::text as "cohortRevenue",
  coalesce(sum(f.orders) filter (where f.chosen), 0)::int as orders,
  coalesce(sum(f.days) filter (where f.chosen), 0)::int as "orderDays",
  coalesce(sum(f.orders - f.with_amount), 0)::int as "missingAmount",
  coalesce(sum(f.with_amount - f.valued), 0)::int as "noFxRate", (
    select json_object_agg(u.gap, u.n)
    from (
      select x.gap, count(*) as n
      from string_to_table(string_agg(f.gaps, ',') filter (where f.chosen), ',') as x(gap) group by x.gap
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
    select ${localDay(timeZone, sql`min(t.ordered_at)`)} from ${recordsThen(ctx, frame, orders, 't')}
    where ${visible(ctx, orders, 't')} and t.deleted_at is null)`
  const all = bucketSeries(interval, { ...frame, from: null, to: null }, first)
  const begun = from === null ? sql`true` : sql`p."to" > ${localDay(timeZone, sql`${from}::timestamptz`)}`
  const before = sql`${to}::timestamptz - interval '1 millisecond'`
  const ended = to === null ? sql`true` : sql`p."from" <= ${localDay(timeZone, before)}`
  return ctx.db.query<Period>(
    sql`select p."from", p."to", p.complete, ${begun} and ${ended} as asked from (${all}) p order by p."from"`
  )
}
