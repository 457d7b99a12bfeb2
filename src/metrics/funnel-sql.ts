import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { visible } from '../kernel/authorize.js'
import { deals } from '../resources/deals/resource.js'
import { openedThen } from './deal-state.js'
import { dealValueColumns, dealValues } from './deal-values.js'
import {
  dealConversion,
  mayBeClosed,
  mayBeIn,
  mayBeOpened,
  mayBeUntold,
  toldWay,
  type Cohort,
  type Source
} from './deals/facts.js'
import type { DealScope } from './deals/scope.js'
import { days } from './durations.js'
import type { StepOrder } from './funnel-steps.js'
import { inPeriod, localDay } from './period.js'
import type { PipelineThen } from './pipeline.js'

/** Which deals a funnel is about, and what it says of them. */
export interface FunnelQuery extends DealScope {
  cohort: Cohort
  /** Steps in their order, within windows of days in ascending order; none where the list is empty. */
  steps:
    { order: StepOrder; reentry: boolean; hold: string | undefined; windows: readonly number[] } | undefined
  /** Days after which deals are looked at, in ascending order. */
  matured: readonly number[]
}

/** The columns of the facts that deals are told apart by. */
export const told = ['path', 'way', 'version', 'furthest', 'matured', 'soon', 'within'] as const

const indexes = ({ stages, own }: PipelineThen, is: (stage: PipelineThen['stages'][number]) => boolean) =>
  stages.slice(0, own).flatMap((stage, i) => (is(stage) ? [i] : []))

/** The stages that are steps: those that are live and open, in their order. */
export const openSteps = (pipeline: PipelineThen) => indexes(pipeline, s => s.live && s.kind === 'open')

/** The stages in which a deal is won. */
export const wonStages = (pipeline: PipelineThen) => indexes(pipeline, s => s.kind === 'won')

// The history of the deal d as far as it counts.
const history = ({ ctx, frame }: FunnelQuery) => sql`
  from deal_history h
  where h.workspace_id = ${ctx.workspaceId} and h.deal_id = d.id
    and h.at <= ${frame.asOf}::timestamptz and h.recorded_at <= ${frame.knownAt}::timestamptz`

// The same with the value at each row of what must be the same in all steps: the last one that was set, at first the
// first one.
function heldHistory(query: FunnelQuery, column: string): Sql {
  const { ctx } = query
  const held = raw(`h.${column}::text`)
  return sql`
    from (
      select g.*, max(g.set) over (partition by greatest(g.nth, 1)) as held
      from (
        select h.*, case when h.valued then ${held} end as set,
          count(*) filter (where h.valued) over (order by h.at, h.seq) as nth
        ${history(query)}
      ) g
    ) h where h.workspace_id = ${ctx.workspaceId}`
}

// The stage rows of the deal d, of any pipeline, each with the version of the pipeline that it was written under.
function rows(query: FunnelQuery, ids: string[]): Sql {
  const { pipeline, steps } = query
  const column = steps?.hold === undefined ? undefined : dealValueColumns[steps.hold]
  return sql`
    select h.at, h.seq, h.kind, h.position, array_position(${ids}::uuid[], h.stage_id) - 1 as stage,
      width_bucket(h.recorded_at, ${pipeline.changes}::timestamptz[]) as version,
      h.stage_id is distinct from lag(h.stage_id) over (order by h.at, h.seq) as entered
      ${steps ? sql`, row_number() over (order by h.at, h.seq) as nth` : empty}
      ${column === undefined ? empty : sql`, h.held`}
    ${column === undefined ? history(query) : heldHistory(query, column)} and h.stage_id is not null`
}

/** How many of the ascending bounds are at least the days, of which there may be a fraction. */
const within = (amount: Sql, bounds: readonly number[]): Sql =>
  bounds.length === 0 ? sql`0` : sql`width_bucket(-${amount}, ${bounds.map(b => -b).reverse()}::numeric[])`

/** How many of the ascending bounds the days reach. */
const reached = (amount: Sql, bounds: readonly number[]): Sql =>
  bounds.length === 0 ? sql`0` : sql`width_bucket(${amount}, ${bounds}::numeric[])`

// For every row from each start on: how many windows are over by then; null where another value is held.
function windows({ pipeline, frame, durations, steps }: FunnelQuery): Sql {
  if (!steps) return sql`null::int[]`
  const { order, reentry, hold, windows } = steps
  const open = openSteps(pipeline)
  const starts = order === 'any' ? [...open, ...wonStages(pipeline)] : open.slice(0, 1)
  const isStart = (row: string) => sql`${raw(row)}.entered and ${raw(row)}.stage = any(${starts}::int[])`
  const first = sql`and s.nth = (select min(m.nth) from f m where ${isStart('m')})`
  const over = sql`${windows.length}::int - ${within(days(frame, durations, raw('s.at'), raw('r.at')), windows)}`
  const same =
    hold !== undefined && hold in dealValueColumns ? sql`r.held is not distinct from s.held` : sql`true`
  return sql`(
    select array_agg(case when ${same} then ${over} end order by s.nth, r.nth)
    from f s join f r on r.nth >= s.nth where ${isStart('s')} ${reentry ? empty : first})`
}

const versionAt = ({ changes }: PipelineThen, at: string) =>
  sql`width_bucket(${raw(at)}, ${changes}::timestamptz[])`

// The condition that the way of the deal d was recorded under several versions of the pipeline.
function inVersions({ pipeline }: FunnelQuery): Sql {
  const { changes } = pipeline
  if (changes.length === 0) return sql`false`
  return sql`(d.created_at < ${changes.at(-1)!}::timestamptz and d.way_recorded_at >= ${changes[0]!}::timestamptz
    and ${versionAt(pipeline, 'd.created_at')} <> ${versionAt(pipeline, 'd.way_recorded_at')})`
}

// Which deals say all that the funnel needs of their way, and which may not.
function tellers(query: FunnelQuery): { told: Sql; untold: Sql } {
  if (query.steps) return { told: sql`false`, untold: sql`true` }
  const several = inVersions(query)
  const told = sql`(${toldWay(query)} and not ${several})`
  return { told, untold: sql`(${mayBeUntold(query)} or ${several}) and not ${told}` }
}

// The stages are joined: as an expression the planner would look for each anew wherever it is used.
function fromDeal(query: FunnelQuery): Source {
  const { changes, stages, own } = query.pipeline
  const ids = stages.slice(0, own).map(s => s.id)
  return {
    joins: sql`join unnest(${ids}::uuid[]) with ordinality as k(id, nth) on k.id = d.stage_id
    cross join lateral (
      select null::int[] as path, d.way, ${changes.length > 0 ? versionAt(query.pipeline, 'd.way_recorded_at') : sql`0`} as version,
        k.nth::int - 1 as stage, d.furthest_position as furthest, d.way_from as first_at,
        d.stage_entered_at as last_at, d.opened_at, null::int[] as within, d.amount, d.currency
    ) w`,
    where: tellers(query).told
  }
}

function fromHistory(query: FunnelQuery): Source {
  const { ctx, frame, pipeline, cohort } = query
  const ids = pipeline.stages.map(s => s.id)
  const versions = pipeline.changes.length + 1
  const stage = sql`y.path[cardinality(y.path)] / ${versions}::int`
  const isWon = sql`${stage} = any(${wonStages(pipeline)}::int[])`
  return {
    joins: sql`cross join lateral (
      select y.path, null::uuid[] as way, null::int as version, ${stage} as stage, y.furthest, y.first_at, y.last_at,
        ${openedThen(ctx, frame)} as opened_at, y.within, v.amount, v.currency
      from (
        with f as (${rows(query, ids)})
        select array_agg(f.stage * ${versions}::int + f.version order by f.at, f.seq) as path,
          max(f.position) filter (where f.kind = 'open' and f.stage < ${pipeline.own}::int) as furthest,
          min(f.stage) as least, min(f.at) filter (where f.stage < ${pipeline.own}::int) as first_at,
          max(f.at) filter (where f.entered) as last_at, ${windows(query)} as within
        from f
      ) y ${dealValues(ctx, frame, 'd', 'v', 'last', sql`and ${isWon}`)}
      where y.least < ${pipeline.own}::int
    ) w`,
    where: sql`${tellers(query).untold} and ${mayBeIn(query)} and ${cohort === 'closed' ? mayBeClosed(query) : mayBeOpened(query)}`
  }
}

/**
 * The facts behind a funnel: for each deal its way, the list of its stages, and what else tells deals apart. What the
 * deal does not say itself is looked up deal by deal: a join in which the planner may choose goes wrong by orders of
 * magnitude for a workspace that its statistics do not know yet.
 */
export function funnelFacts(query: FunnelQuery): Sql {
  const { ctx, pipeline, frame, cuts, cohort, durations, filter, matured } = query
  const closed = cohort === 'closed'
  const { ctes, converted } = dealConversion(query)
  const isWon = sql`w.stage = any(${wonStages(pipeline)}::int[])`
  const isClosed = sql`w.stage = any(${indexes(pipeline, s => s.kind !== 'open')}::int[])`
  const age = days(frame, durations, raw('w.first_at'), sql`${frame.asOf}::timestamptz`)
  const cycle = days(frame, durations, raw('w.last_at'), raw('w.first_at'))
  const moment = closed ? raw('w.last_at') : raw('w.opened_at')
  const wonDay = localDay(frame.workspaceZone, raw('w.last_at'))
  const part = ({ joins, where }: Source) => sql`
    select d.id, w.path, w.way, w.version, w.furthest, w.within, ${reached(age, matured)} as matured,
      case when ${isWon} then ${within(sql`(-${cycle})`, matured)} else 0 end as soon,
      case when ${isWon} then w.amount end as amount,
      case when ${isWon} then ${converted(raw('w.amount'), raw('w.currency'), wonDay)} end as won_value
      ${cuts.bucket(moment)} ${cuts.keys}
    from deals d ${cuts.joins} ${joins}
    where ${visible(ctx, deals, 'd')} and d.deleted_at is null and ${filter} and ${where}
      ${closed ? sql`and ${isClosed}` : empty} ${inPeriod(moment, frame)}`
  return sql`${ctes}, facts as (${part(fromDeal(query))} union all ${part(fromHistory(query))})`
}
