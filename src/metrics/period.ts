import sql, { empty, type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import { changesSql } from '../kernel/events.js'
import { hasFormat } from '../kernel/validate.js'
import { refused, type commonParameters, type Given, type Request } from './parameters.js'

/** Which facts count, and which period is asked about: instants, all settled by one clock, the database's. */
export interface Frame {
  [column: string]: unknown
  timeZone: string
  /** The zone whose days pick exchange rates, whatever zone is reported in. */
  workspaceZone: string
  baseCurrency: string
  /** MM-DD. */
  fiscalYearStart: string
  asOf: string
  knownAt: string
  /** Whether it asks what was known at a given moment, not what is known now. */
  past: boolean
  from: string | null
  to: string | null
  /**
   * What the workspace's facts are known by: a figure of the same parameters is the same while this is, but for what
   * grows by the moment, such as the age of an open deal.
   */
  state: string
}

// Where clocks go back over midnight the day begins at the first of its two midnights; PostgreSQL takes the second.
const startOfDay = (day: string) => sql`(
  select case when timezone(f.zone, m.midnight - interval '1 hour')::date = ${day}::date
    then m.midnight - interval '1 hour' else m.midnight end
  from (select timezone(f.zone, ${day}::date::timestamp) as midnight) m)`

function bound(given: string | undefined): Sql {
  if (given === undefined) return sql`null::timestamptz(3)`
  return sql`${hasFormat('day', given) ? startOfDay(given) : sql`${given}`}::timestamptz(3)`
}

// Dated rates and costs begin with local days, and so do buckets; orders and touches may be dated ahead.
const stateOf = (workspaceId: string) => sql`concat_ws(' ', ${changesSql(workspaceId)},
  timezone(f.zone, f.now)::date, timezone(f.time_zone, f.now)::date,
  (select count(*) from orders o where o.workspace_id = ${workspaceId} and o.ordered_at > f.now),
  (select count(*) from touches t where t.workspace_id = ${workspaceId} and t.occurred_at > f.now))`

/** Settles the frame of a request; a 400 where the period ends before it starts. */
export async function frameOf(
  ctx: Context,
  { given, place }: Request<Given<typeof commonParameters>>
): Promise<Frame> {
  const [frame] = await ctx.db.query<Frame>(sql`
    select f.zone as "timeZone", f.time_zone as "workspaceZone", f.base_currency as "baseCurrency",
      f.fiscal_year_start as "fiscalYearStart", coalesce(${given.asOf}::timestamptz(3), f.now) as "asOf",
      coalesce(${given.knownAt}::timestamptz(3), f.now) as "knownAt", ${given.knownAt !== undefined}::boolean as past,
      ${bound(given.from)} as "from", ${bound(given.to)} as "to", ${stateOf(ctx.workspaceId)} as state
    from (
      select coalesce(${given.timeZone}, w.time_zone) as zone, w.time_zone, w.base_currency, w.fiscal_year_start,
        date_trunc('milliseconds', clock_timestamp())::timestamptz(3) as now
      from workspaces w where w.workspace_id = ${ctx.workspaceId} and w.id = ${ctx.workspaceId}
    ) f`)
  const { from, to } = frame!
  if (from !== null && to !== null && Date.parse(to) < Date.parse(from)) {
    throw refused(place, 'to', 'to lies before from.', 'range')
  }
  return frame!
}

/** The local date of an instant. */
export const localDay = (zone: string, instant: Sql): Sql => sql`timezone(${zone}::text, ${instant})::date`

/** The condition that an instant lies in the period; nothing where there is none. */
export const inPeriod = (instant: Sql, { from, to }: Frame): Sql =>
  sql`${
    from === null ? empty : sql`and ${instant} >= ${from}::timestamptz`
  } ${to === null ? empty : sql`and ${instant} < ${to}::timestamptz`}`
