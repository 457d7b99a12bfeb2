import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { keysOfRow } from '../counted.js'
import { localDay, type Frame } from '../period.js'
import { dealConversion } from './facts.js'
import type { DealScope } from './scope.js'
import { standings } from './standings.js'

/** The moments between which a waterfall falls: the last ones before the period and in it, as far as it has come. */
function ends({ from, to, asOf }: Frame): { start: string | null; end: string } {
  const before = (instant: string) =>
    new Date(Math.min(Date.parse(instant) - 1, Date.parse(asOf))).toISOString()
  return { start: from === null ? null : before(from), end: to === null ? asOf : before(to) }
}

// The condition that an expected close lies in the period.
function inWindow(expected: Sql, { from, to, timeZone }: Frame): Sql {
  const first =
    from === null ? sql`true` : sql`${expected} >= ${localDay(timeZone, sql`${from}::timestamptz`)}`
  const last = sql`${to}::timestamptz - interval '1 millisecond'`
  return to === null ? first : sql`${first} and ${expected} <= ${localDay(timeZone, last)}`
}

/**
 * The facts of a waterfall, a row for each deal that is in it: `entered` and `left`, how it came to be in and out of it;
 * `was`, its value at the start; `is`, that at the end or at its close; `revalued`, what rates made of the first.
 * A deal closed in the period is in it whenever it was expected to close. Values have ten decimals, so that they add up.
 */
export function waterfallFacts(scope: DealScope, expectedOnly: boolean): Sql {
  const { frame, cuts } = scope
  const { start, end } = ends(frame)
  const moments = [{ at: end }, ...(start === null ? [] : [{ at: start }])]
  const { ctes, converted } = dealConversion(scope)
  const first = sql`coalesce(${start}::timestamptz, '-infinity')`
  const last = sql`${end}::timestamptz`
  const day = (at: Sql) => localDay(frame.workspaceZone, at)
  const member = (expected: string) =>
    expectedOnly ? sql`coalesce(${inWindow(raw(expected), frame)}, false)` : sql`true`
  const value = (amount: string, currency: string, at: Sql) =>
    sql`round(${converted(raw(amount), raw(currency), day(at))}, 10)`
  const lastDay = sql`case when e.state = 'open' then ${last} else e.last_at end`
  return sql`${ctes}, ${standings({ ...scope, frame: { ...frame, asOf: end } }, moments, { entries: [], columns: empty })}, deal as materialized (
    select e.id, b.state as state_before, e.state, e.first_at, e.last_at,
      coalesce(b.state = 'open', false) and ${member('b.expected_close_date')} as was_in,
      coalesce(e.state = 'open', false) and ${member('e.expected_close_date')} as is_in,
      coalesce(e.state in ('won', 'lost') and e.last_at > ${first}, false) as closed,
      b.amount as amount_before, e.amount, ${value('b.amount', 'b.currency', first)} as was,
      ${value('b.amount', 'b.currency', lastDay)} as was_later, ${value('e.amount', 'e.currency', lastDay)} as value
      ${keysOfRow(cuts, 'e')}
    from stood e left join stood b on b.id = e.id and b.through = 1 where e.n = 0
  ), revalued as materialized (
    select s.*,
      case when s.was_in then null when s.first_at > ${first} or s.state_before is null then 'created'
        when s.state_before = 'open' then 'pulledIn' else 'reopened' end as entered,
      case when s.is_in then null when s.closed then s.state else 'pushedOut' end as "left",
      case when not s.was_in or not (s.is_in or s.closed) or (s.was is null and s.value is null) then 0
        when s.was is null then case when s.amount_before is null then 0 else s.value end
        when s.value is null then case when s.amount is null then 0 else -s.was end
        else coalesce(s.was_later, s.was) - s.was end as revaluation
    from deal s where s.was_in or s.is_in or s.closed
  ), facts as materialized (
    select r.*, case when r.was_in and (r.is_in or r.closed)
      then coalesce(r.value, 0) - coalesce(r.was, 0) - r.revaluation else 0 end as change
    from revalued r
  )`
}
