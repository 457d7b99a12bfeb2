import sql, { raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import { deals } from '../../resources/deals/resource.js'
import { toldByDeal } from '../deal-state.js'
import { dealValuesAt } from '../deal-values.js'
import { localDay, type Frame } from '../period.js'
import { dealConversion, mayBeIn, stageRows, stateOf } from './facts.js'
import type { DealScope } from './scope.js'
import { kindsOf } from './stages.js'

/** The moments between which a waterfall falls: the last ones before the period and in it, as far as it has come. */
function ends({ from, to, asOf }: Frame): { start: string; end: string } {
  const before = (instant: string) => Math.min(Date.parse(instant) - 1, Date.parse(asOf))
  const text = (instant: number) => new Date(instant).toISOString()
  return {
    start: from === null ? '-infinity' : text(before(from)),
    end: to === null ? asOf : text(before(to))
  }
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
  const { ctx, frame, cuts, filter, pipeline } = scope
  const { start, end } = ends(frame)
  const until = { ...scope, frame: { ...frame, asOf: end } }
  const { ctes, converted } = dealConversion(scope)
  const first = sql`${start}::timestamptz`
  const last = sql`${end}::timestamptz`
  const day = (at: Sql) => localDay(frame.workspaceZone, at)
  const member = (v: 'v' | 'begun') =>
    expectedOnly
      ? sql`coalesce(${raw(v)}.expected_close_date is not null and ${inWindow(raw(`${v}.expected_close_date`), frame)}, false)`
      : sql`true`
  const value = (v: 'v' | 'begun', at: Sql) =>
    sql`round(${converted(raw(`${v}.amount`), raw(`${v}.currency`), day(at))}, 10)`
  // Most deals were closed before the period, and say so themselves: their histories need no look.
  const openIds = kindsOf(pipeline).open.map(i => pipeline.stages[i]!.id)
  const over = sql`(${toldByDeal('d', first, frame)} and d.stage_id <> all(${openIds}::uuid[]))`
  const lastDay = sql`case when s.state = 'open' then ${last} else w.last_at end`
  return sql`${ctes}, stood as materialized (
    select d.id, s0.state as state_before, s.state, w.first_at, w.last_at,
      coalesce(s0.state = 'open', false) and ${member('begun')} as was_in,
      coalesce(s.state = 'open', false) and ${member('v')} as is_in,
      coalesce(s.state in ('won', 'lost') and w.last_at > ${first}, false) as closed,
      begun.amount as amount_before, v.amount, ${value('begun', first)} as was, ${value('begun', lastDay)} as was_later,
      ${value('v', lastDay)} as value ${cuts.keys}
    from deals d ${cuts.joins} cross join lateral (
      select (array_agg(f.stage order by f.at, f.seq))[count(*) filter (where f.at <= ${first})] as stage_before,
        (array_agg(f.stage order by f.at, f.seq))[count(*)] as stage, min(f.stage) as least,
        min(f.at) filter (where f.stage < ${pipeline.own}::int) as first_at,
        max(f.at) filter (where f.entered) as last_at
      from (${stageRows(until)}) f
    ) w cross join lateral (
      select case when w.stage_before is not null then ${stateOf(scope, raw('w.stage_before'))} end as state
    ) s0 cross join lateral (select ${stateOf(scope, raw('w.stage'))} as state) s
    ${dealValuesAt(ctx, frame, 'd', 'begun', 'last', first, sql`and s0.state = 'open'`)}
    ${dealValuesAt(ctx, frame, 'd', 'v', 'last', last, sql`and (s.state = 'open' or w.last_at > ${first})`)}
    where ${visible(ctx, deals, 'd')} and d.deleted_at is null and ${filter} and ${mayBeIn(scope)} and not ${over}
      and w.least < ${pipeline.own}::int
  ), revalued as materialized (
    select s.*,
      case when s.was_in then null when s.first_at > ${first} or s.state_before is null then 'created'
        when s.state_before = 'open' then 'pulledIn' else 'reopened' end as entered,
      case when s.is_in then null when s.closed then s.state else 'pushedOut' end as "left",
      case when not s.was_in or not (s.is_in or s.closed) or (s.was is null and s.value is null) then 0
        when s.was is null then case when s.amount_before is null then 0 else s.value end
        when s.value is null then case when s.amount is null then 0 else -s.was end
        else coalesce(s.was_later, s.was) - s.was end as revaluation
    from stood s where s.was_in or s.is_in or s.closed
  ), facts as materialized (
    select r.*, case when r.was_in and (r.is_in or r.closed)
      then coalesce(r.value, 0) - coalesce(r.was, 0) - r.revaluation else 0 end as change
    from revalued r
  )`
}
