import sql from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { days, type Durations } from '../durations.js'
import type { Frame } from '../period.js'

/** Instants `[from, to)`. */
export interface Window {
  from: string
  to: string
}

/**
 * A moment at which the pipeline is looked at. The first one (`n` 0) is that of the forecast. The next ones are the ends
 * of windows before it, each the moment before the next window, so that a forecast is made there as of its start.
 */
export interface Moment {
  [column: string]: unknown
  n: number
  at: string
  /** The window that is forecast; without an end, all time to come. */
  from: string
  to: string | null
  /** The window of the same length before it, and the same window a year before; null where there is no end. */
  previousFrom: string | null
  previousTo: string | null
  seasonFrom: string | null
  seasonTo: string | null
  /** Days from the moment to just before the window, and to just before its end. */
  lead: number
  horizon: number | null
}

// No window reaches further back.
const beginning = sql`timestamp '0002-01-01'`

/**
 * The moments of a forecast and of its back-test over the last `backtest` windows, none of them later than `asOf`,
 * nor before the calendar.
 * Windows have the same length by the clock on the wall of the reporting zone.
 */
export async function momentsOf(
  ctx: Context,
  frame: Frame,
  durations: Durations,
  backtest: number
): Promise<Moment[]> {
  const { timeZone: zone } = frame
  const moments = await ctx.db.query<Moment>(sql`
    with asked as (
      select a.at, coalesce(${frame.from}::timestamptz, a.at + interval '1 millisecond') as "from",
        ${frame.to}::timestamptz as "to"
      from (select ${frame.asOf}::timestamptz as at) a
    ), settled as (
      select a.*, timezone(${zone}, least(a."from", a.at + interval '1 millisecond')) as base,
        timezone(${zone}, a."to") - timezone(${zone}, a."from") as length
      from asked a
    ), moments as (
      select 0 as n, s.at, s."from", s."to",
        timezone(${zone}, s.base - least(s.length, s.base - ${beginning})) as previous_from,
        case when s.length is not null then timezone(${zone}, s.base) end as previous_to, s."from" as year_from
      from settled s
      union all
      select i.n + 1, timezone(${zone}, s.base - i.n * s.length) - interval '1 millisecond',
        timezone(${zone}, s.base - i.n * s.length), timezone(${zone}, s.base - (i.n - 1) * s.length),
        timezone(${zone}, s.base - (i.n + 1) * s.length), timezone(${zone}, s.base - i.n * s.length),
        timezone(${zone}, s.base - i.n * s.length)
      from settled s cross join generate_series(0, ${backtest}::int) as i(n)
      where ${backtest}::int > 0 and s.length > interval '0'
        and (i.n + 1) * extract(epoch from s.length) < extract(epoch from s.base - ${beginning})
    )
    select m.n, m.at, m."from", m."to", m.previous_from as "previousFrom", m.previous_to as "previousTo",
      case when m."to" is not null
        then timezone(${zone}, timezone(${zone}, m.year_from) - interval '1 year') end as "seasonFrom",
      timezone(${zone}, timezone(${zone}, m."to") - interval '1 year') as "seasonTo",
      greatest(0, ${days(frame, durations, sql`m.at`, sql`m."from" - interval '1 millisecond'`)})::float8 as lead,
      case when m."to" is not null then
        greatest(0, ${days(frame, durations, sql`m.at`, sql`m."to" - interval '1 millisecond'`)})::float8 end as horizon
    from moments m order by m.n`)
  // Where clocks go back the way through local time may come out an hour later.
  let latest = Infinity
  return moments.map(m => {
    latest = Math.min(latest, Date.parse(m.at))
    return { ...m, at: new Date(latest).toISOString() }
  })
}
