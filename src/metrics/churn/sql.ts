import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { subscriptions } from '../../resources/subscriptions/resource.js'
import { bucketOf, bucketSeries } from '../buckets.js'
import type { Cuts, Numbers } from '../counted.js'
import { conversion } from '../currency.js'
import { isKept } from '../lifetime-value-sql.js'
import { shown } from '../money.js'
import { localDay, type Frame } from '../period.js'
import { recordsThen } from '../records-then.js'

/** Which subscriptions are looked at. */
export interface ChurnQuery {
  frame: Frame
  currency: string
  /** A condition on the subscriptions `t`. */
  filter: Sql
  cuts: Cuts
}

/** Subscriptions that were observed from one tenure to another, in completed months. */
export interface Spell {
  entry: number
  exit: number
  ended: boolean
  n: number
}

/** What was counted of subscriptions; money is exact text. */
export interface ChurnRow extends Numbers {
  ended: number
  months: number
  spells: Spell[] | null
  total: string | null
  endedAmount: string | null
  recurringChurn: number | null
  atStart: number
  /** Of the customers at the start of the period. */
  revenueRetention: { gross: number | null; net: number | null } | null
  missingAmount: number
  noFxRate: number
}

// Dates have no time: one exists from the start of its local day, and lies in a period that holds that moment.
const firstDayFrom = (zone: string, instant: string) =>
  sql`${localDay(zone, sql`${instant}::timestamptz - interval '1 millisecond'`)} + 1`

/**
 * The spans that are observed: from a day on (null: since ever) until another one, itself outside. One for the whole
 * period, or one for each bucket.
 */
function spans({ frame, cuts }: ChurnQuery, first: Sql): Sql {
  const { timeZone, workspaceZone, asOf, from, to } = frame
  const today = localDay(workspaceZone, sql`${asOf}::timestamptz`)
  const start = from === null ? sql`null::date` : firstDayFrom(timeZone, from)
  const end = to === null ? sql`null::date` : firstDayFrom(timeZone, to)
  const whole = sql`select ${start} as since, least(${today}, ${end}) as until, least(${today}, ${end} - 1) as last`
  if (!cuts.interval) return sql`select w.*, null::date as bucket from (${whole}) w`
  return sql`
    select greatest(s."from", w.since) as since, least(s."to", w.until) as until, least(s."to" - 1, w.last) as last,
      s."from" as bucket
    from (${whole}) w cross join (${bucketSeries(cuts.interval, frame, first)}) s`
}

/** Completed calendar months between two days. */
export const monthsBetween = (from: Sql, to: Sql) => {
  const months = sql`((date_part('year', ${to}) - date_part('year', ${from})) * 12
    + date_part('month', ${to}) - date_part('month', ${from}))::int`
  return sql`(${months} - ((${from} + make_interval(months => ${months}))::date > ${to})::int)`
}

/** What a subscription `t` brings in a month, which has 30.4375 days. */
export const monthly = raw(`case t.interval when 'week' then t.recurring_amount * 30.4375 / 7
  when 'quarter' then t.recurring_amount / 3 when 'year' then t.recurring_amount / 12 else t.recurring_amount end`)

/** Subscriptions in the spans that they ran in: `facts`, one for each of both. */
export function churnFacts(ctx: Context, query: ChurnQuery): Sql {
  const { frame, currency, filter, cuts } = query
  const first = sql`(
    select min(x.start_date) from ${recordsThen(ctx, frame, subscriptions, 'x')}
    where ${visible(ctx, subscriptions, 'x')} and x.deleted_at is null)`
  const { ctes, converted } = conversion(ctx, frame, currency, first)
  return sql`
    ${ctes}, subscribed as materialized (
      select t.id, t.customer_id, t.start_date, t.end_date,
        t.recurring_amount is null as missing, t.currency, ${monthly} as own ${cuts.keys}
      from ${recordsThen(ctx, frame, subscriptions, 't')} ${cuts.joins}
      where ${visible(ctx, subscriptions, 't')} and t.deleted_at is null
        and t.created_at <= ${frame.knownAt}::timestamptz and ${filter}
        and ${isKept(ctx, raw('t.customer_id'))}
    ), facts as materialized (
      select s.*, ${converted(raw('s.own'), raw('s.currency'), raw('o.last'))} as monthly, e.ended, o.since is not null and s.start_date < o.since as at_start,
        case when s.start_date < o.since then ${monthsBetween(raw('s.start_date'), raw('o.since'))} else 0 end as entry,
        ${monthsBetween(raw('s.start_date'), raw('case when e.ended then s.end_date else o.until end'))} as exit
        ${cuts.interval ? sql`, ${bucketOf(cuts.interval, frame, raw('o.bucket'))} as bucket` : empty}
      from subscribed s join (${spans(query, first)}) o
        on s.start_date <= o.last and (o.since is null or o.since <= o.last and (s.end_date is null or s.end_date >= o.since))
      cross join lateral (select coalesce(s.end_date <= o.last, false) as ended) e
    )`
}

/** What is counted of subscriptions. */
export const counts = sql`
  coalesce(sum(f.exit - f.entry), 0)::int as months, (
    select json_agg(u) from (
      select x.entry, x.exit, x.ended, count(*)::int as n
      from unnest(array_agg(f.entry), array_agg(f.exit), array_agg(f.ended)) as x(entry, exit, ended) group by 1, 2, 3
    ) u
  ) as spells, ${shown(sql`sum(f.monthly)`)} as total,
  ${shown(sql`coalesce(sum(f.monthly) filter (where f.ended), sum(f.monthly) * 0)`)} as "endedAmount",
  (coalesce(sum(f.monthly) filter (where f.ended), 0) / nullif(sum(f.monthly), 0))::float8 as "recurringChurn", (
    select json_build_object('gross', sum(least(c.before, c.after)) / nullif(sum(c.before), 0),
      'net', sum(c.after) / nullif(sum(c.before), 0))
    from (
      select sum(x.monthly) filter (where x.at_start) as before,
        coalesce(sum(x.monthly) filter (where not x.ended), 0) as after
      from unnest(array_agg(f.customer_id), array_agg(f.monthly), array_agg(f.at_start), array_agg(f.ended))
        as x(customer, monthly, at_start, ended)
      group by x.customer having sum(x.monthly) filter (where x.at_start) is not null
    ) c
  ) as "revenueRetention"`

/** Conditions on the facts that are counted. */
export const members: Record<string, Sql> = {
  ended: raw('f.ended'),
  atStart: raw('f.at_start'),
  valued: raw('f.monthly is not null'),
  endedValued: raw('f.ended and f.monthly is not null'),
  missingAmount: raw('f.missing'),
  noFxRate: raw('not f.missing and f.monthly is null')
}
