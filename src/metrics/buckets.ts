import sql, { raw, type Sql } from 'sql-template-tag'
import { Bool, Closed, Day, Enum, Text, type TObject } from '../kernel/schema.js'
import { described } from './parameters.js'
import { localDay, type Frame } from './period.js'

/** What buckets may be cut by. */
export const intervals = ['day', 'week', 'month', 'quarter', 'year', 'fiscal_year'] as const

/** What a figure's buckets are cut by. */
export type Interval = (typeof intervals)[number]

/** The most buckets that an answer has. */
export const mostBuckets = 2000

/** Asks for buckets; `what` says what falls into one. */
export const IntervalParameter = (what: string) =>
  described(
    Enum('MetricInterval', intervals),
    `Adds buckets, at most ${mostBuckets}: ${what}. Weeks are those of ISO 8601. Absent: none.`
  )

/** A bucket of a figure. */
export const Bucket = (value: TObject, name: string) =>
  Closed(
    {
      from: described(Day(), 'Its first local day.'),
      to: described(Day(), 'The first local day after it.'),
      label: described(Text(20), 'Its name, such as 2026-01, 2026-Q1 or 2026-W05.'),
      complete: described(Bool(), 'Whether it had ended by the moment of the figure.'),
      value
    },
    { 'x-type': name, description: 'A part of the period.' }
  )

/** The first day of the bucket that a local day lies in. */
export function bucketOf(interval: Interval, { fiscalYearStart }: Frame, day: Sql): Sql {
  if (interval === 'day') return day
  if (interval !== 'fiscal_year') return sql`date_trunc(${interval}, ${day}::timestamp)::date`
  return sql`make_date(
    extract(year from ${day})::int - (to_char(${day}, 'MM-DD') < ${fiscalYearStart})::int,
    left(${fiscalYearStart}, 2)::int, right(${fiscalYearStart}, 2)::int)`
}

/** How far it is from one bucket to the next. */
export const steps: Record<Interval, string> = {
  day: '1 day',
  week: '1 week',
  month: '1 month',
  quarter: '3 months',
  year: '1 year',
  fiscal_year: '1 year'
}

const labels: Record<Interval, Sql> = {
  day: raw(`to_char(s.start, 'YYYY-MM-DD')`),
  week: raw(`to_char(s.start, 'IYYY"-W"IW')`),
  month: raw(`to_char(s.start, 'YYYY-MM')`),
  quarter: raw(`to_char(s.start, 'YYYY"-Q"Q')`),
  year: raw(`to_char(s.start, 'YYYY')`),
  fiscal_year: raw(`case when to_char(s.start, 'MM-DD') = '01-01' then to_char(s.start, 'YYYY')
    else to_char(s.start, 'YYYY/') || to_char(s.start + interval '1 year', 'YY') end`)
}

/**
 * The buckets of a period that have begun, as rows `(start, "from", "to", label, complete)`. Without a period they begin
 * with the one of `first`, a local day.
 */
export function bucketSeries(interval: Interval, frame: Frame, first: Sql): Sql {
  const { timeZone, asOf, from, to } = frame
  const day = (instant: Sql) => localDay(timeZone, instant)
  const start = from === null ? first : day(sql`${from}::timestamptz`)
  const now = day(sql`${asOf}::timestamptz`)
  const end =
    to === null ? now : sql`least(${now}, ${day(sql`${to}::timestamptz - interval '1 millisecond'`)})`
  return sql`
    select s.start::date as start, s.start::date as "from", (s.start + interval '${raw(steps[interval])}')::date as "to",
      ${labels[interval]} as label, (s.start + interval '${raw(steps[interval])}')::date <= ${now} as complete
    from generate_series(${bucketOf(interval, frame, start)}::timestamp, ${end}::timestamp,
      interval '${raw(steps[interval])}') as s(start)
    limit ${mostBuckets + 1}`
}
