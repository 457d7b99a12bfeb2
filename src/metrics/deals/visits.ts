import sql, { raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import { deals } from '../../resources/deals/resource.js'
import { days } from '../durations.js'
import { inPeriod } from '../period.js'
import { mayBeIn, stageRows, stateOf } from './facts.js'
import type { DealScope } from './scope.js'
import { kindsOf } from './stages.js'

/** Whether a figure is about all deals of the workspace. */
export const isAboutAll = ({ ctx, filter }: DealScope): boolean =>
  sql`${visible(ctx, deals, 'd')} and ${filter}`.values.length === 1

// The visits of the deal d, or of all deals of the workspace.
function visits(scope: DealScope, of: 'd' | 'all', period: (at: Sql) => Sql): Sql {
  const { frame, durations, pipeline } = scope
  const { won, lost } = kindsOf(pipeline)
  const now = sql`${frame.asOf}::timestamptz`
  const own = pipeline.own
  const step = (stage: Sql) =>
    sql`case when ${stage} = any(${won}::int[]) then ${won[0] ?? -1}::int else ${stage} end`
  return sql`
      select p.*, sum(p.days) over (partition by p.deal_id, p.stage) as total,
        row_number() over (partition by p.deal_id, p.stage order by p.at desc, p.seq desc) = 1 as last
      from (
        select e.deal_id, ${step(raw('e.stage'))} as stage, e.at, e.seq, e.until,
          ${stateOf(scope, raw('e.final'))} as state,
          ${days(frame, durations, raw('e.at'), sql`coalesce(e.until, ${now})`)} as days,
          case
            when e.until is null then 'still_there'
            when e.next_stage >= ${own}::int then 'handed_over'
            when e.next_stage = any(${lost}::int[]) then 'lost'
            when e.next_stage = any(${won}::int[]) then 'advanced'
            when e.stage = any(${won}::int[]) or e.next_position < e.position then 'moved_back'
            else 'advanced'
          end as outcome
        from (
          select f.deal_id, f.stage, f.at, f.seq, f.position, lead(f.at) over path as until,
            lead(f.stage) over path as next_stage, lead(f.position) over path as next_position,
            last_value(f.stage) over whole as final
          from (${stageRows(scope, of)}) f where f.entered
          window path as (partition by f.deal_id order by f.at, f.seq),
            whole as (partition by f.deal_id order by f.at, f.seq rows between unbounded preceding and unbounded following)
        ) e
        where e.stage < ${own}::int and not e.stage = any(${lost}::int[])
      ) p where true ${period(raw('p.at'))}`
}

/**
 * Visits of deals to stages of the pipeline, a row each: the deal's `id`; `stage`, all won ones being one; when it was
 * entered and how many `days` it lasted, until now if it is not `completed`; `last`, whether the deal came back to the
 * stage no more, and `total`, the days of all visits of the deal to it; `outcome`, what came of it; `state`, that of the
 * deal. Of the deals that the filter lets through; `period` says which visits. For all deals one pass through the
 * histories takes a third of what it takes to look up each.
 */
export function visitFacts(scope: DealScope, name: string, period: (at: Sql) => Sql): Sql {
  const { ctx, cuts, filter } = scope
  const found = isAboutAll(scope)
    ? sql`join (${visits(scope, 'all', period)}) v on v.deal_id = d.id ${cuts.joins}
      where ${visible(ctx, deals, 'd')} and d.deleted_at is null`
    : sql`${cuts.joins} cross join lateral (${visits(scope, 'd', period)}) v
      where ${visible(ctx, deals, 'd')} and d.deleted_at is null and ${filter} and ${mayBeIn(scope)}`
  return sql`${raw(name)} as materialized (
    select d.id, v.stage, v.at, v.until is not null as completed, v.last, v.days, v.total, v.outcome, v.state
      ${cuts.bucket(raw('v.at'))} ${cuts.keys}
    from deals d ${found}
  )`
}

/** The visits that began in the period. */
export const visitsInPeriod = (scope: DealScope) =>
  visitFacts(scope, 'facts', at => inPeriod(at, scope.frame))
