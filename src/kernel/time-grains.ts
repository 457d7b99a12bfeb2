import sql, { raw, type Sql } from 'sql-template-tag'

/** Stretches of the calendar that follow each other. */
export const spans = ['hour', 'day', 'week', 'month', 'quarter', 'year', 'fiscal_year'] as const

/** Parts of the clock and the calendar that come again. */
export const parts = ['hour_of_day', 'day_of_week', 'month_of_year'] as const

export type Span = (typeof spans)[number]
export type Part = (typeof parts)[number]

/** What times are grouped by. */
export const grains = [...spans, ...parts] as const
export type Grain = (typeof grains)[number]

/** Whether a grain is finer than a day, so that days have none of it. */
export const isOfClock = (grain: Grain) => grain === 'hour' || grain === 'hour_of_day'

export const isPart = (grain: Grain): grain is Part => (parts as readonly Grain[]).includes(grain)

const steps: Record<Span, string> = {
  hour: '1 hour',
  day: '1 day',
  week: '1 week',
  month: '1 month',
  quarter: '3 months',
  year: '1 year',
  fiscal_year: '1 year'
}

const step = (span: Span) => raw(`interval '${steps[span]}'`)

/** Where local times come from: an IANA zone, and the day MM-DD on which fiscal years begin. */
export interface Calendar {
  zone: Sql
  fiscalYearStart: Sql
}

/** The first local moment of the span that a local time lies in; weeks are those of ISO 8601. */
export function startOfSpan(span: Span, local: Sql, { fiscalYearStart }: Calendar): Sql {
  if (span !== 'fiscal_year') return sql`date_trunc(${raw(`'${span}'`)}, ${local})`
  return sql`make_timestamp(
    extract(year from ${local})::int - (to_char(${local}, 'MM-DD') < ${fiscalYearStart})::int,
    left(${fiscalYearStart}, 2)::int, right(${fiscalYearStart}, 2)::int, 0, 0, 0)`
}

/** The first local moment of the span after the one that begins there. */
export const nextStart = (span: Span, start: Sql) => sql`${start} + ${step(span)}`

const offset = (zone: Sql, at: Sql) => sql`(timezone(${zone}, ${at}) - timezone('UTC', ${at}))`

/**
 * The instant at which clocks first show a local moment or one after it. Of a moment that comes twice PostgreSQL takes
 * the second; the first has the offset of the day before. One that clocks skip is reached as they are put forward, at
 * some minute of as many before the one that PostgreSQL takes as are skipped.
 */
export const firstInstant = (zone: Sql, local: Sql): Sql => sql`(
  select case
    when timezone(${zone}, c.early) = c.local then least(c.early, c.late)
    when timezone(${zone}, c.late) = c.local then c.late
    else (
      select min(s.at) from generate_series(
        c.late - (timezone(${zone}, c.late) - c.local), c.late, interval '1 minute') as s(at)
      where timezone(${zone}, s.at) >= c.local
    ) end
  from (
    select b.local, b.late, timezone('UTC', b.local - ${offset(zone, raw(`(b.late - interval '24 hours')`))}) as early
    from (select a.local, timezone(${zone}, a.local) as late from (select ${local} as local) a) b
  ) c)`

/**
 * The first local moment of the span that an instant lies in. Spans follow each other without gap or overlap: each
 * begins when its first moment comes for the first time, so that one in which clocks go back is longer, and a moment
 * after its end that the clock shows again still belongs to the next one. Only within a day of a change of clocks is
 * there anything to look up.
 */
export function spanOfInstant(span: Span, instant: Sql, calendar: Calendar): Sql {
  const { zone } = calendar
  const local = sql`timezone(${zone}, ${instant})`
  const start = startOfSpan(span, local, calendar)
  return sql`case when ${local} - timezone(${zone}, ${instant} - interval '24 hours') = interval '1 day' then ${start}
    else (
      select max(s.start) from generate_series(
        ${start} - ${step(span)}, ${start} + ${step(span)} + interval '1 day', ${step(span)}) as s(start)
      where ${firstInstant(zone, raw('s.start'))} <= ${instant}
    ) end`
}

/** A part of a local time as a number: hours from 0, Monday is 1, January is 1. */
export function partOf(part: Part, local: Sql): Sql {
  const unit = { hour_of_day: 'hour', day_of_week: 'isodow', month_of_year: 'month' }[part]
  return sql`extract(${raw(unit)} from ${local})::int`
}

/** The least and the greatest number of a part. */
export const boundsOf: Record<Part, readonly [number, number]> = {
  hour_of_day: [0, 23],
  day_of_week: [1, 7],
  month_of_year: [1, 12]
}
