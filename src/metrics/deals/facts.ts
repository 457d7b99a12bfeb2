import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import { deals } from '../../resources/deals/resource.js'
import { conversion } from '../currency.js'
import { openedThen, toldByDeal } from '../deal-state.js'
import { dealValues } from '../deal-values.js'
import { days } from '../durations.js'
import { inPeriod, localDay } from '../period.js'
import type { DealScope } from './scope.js'
import { kindsOf } from './stages.js'

/**
 * The stage rows as far as they count, each with the index of its stage and whether the deal entered it: those of the
 * deal `d`, or of all deals of the workspace.
 */
export function stageRows({ ctx, frame, pipeline }: DealScope, of: 'd' | 'all' = 'd'): Sql {
  return sql`
    select h.deal_id, h.at, h.seq, h.kind, h.position,
      array_position(${pipeline.stages.map(s => s.id)}::uuid[], h.stage_id) - 1 as stage,
      h.stage_id is distinct from lag(h.stage_id) over (partition by h.deal_id order by h.at, h.seq) as entered
    from deal_history h
    where h.workspace_id = ${ctx.workspaceId} ${of === 'd' ? sql`and h.deal_id = d.id` : empty}
      and h.stage_id is not null and h.at <= ${frame.asOf}::timestamptz and h.recorded_at <= ${frame.knownAt}::timestamptz`
}

/**
 * The ways of deals as arrays in the order of their rows: `ats`, `stages` by index, `positions`. Of the deal `d`, or of all
 * deals of the workspace. An aggregate takes half of what windows over the rows take.
 */
export function waysOf({ ctx, frame, pipeline }: DealScope, of: 'd' | 'all'): Sql {
  const list = (value: Sql) => sql`array_agg(${value} order by h.at, h.seq)`
  return sql`
    select h.deal_id, ${list(raw('h.at'))} as ats, ${list(raw('h.position'))} as positions,
      ${list(sql`array_position(${pipeline.stages.map(s => s.id)}::uuid[], h.stage_id) - 1`)} as stages
    from deal_history h
    where h.workspace_id = ${ctx.workspaceId} ${of === 'd' ? sql`and h.deal_id = d.id` : empty}
      and h.stage_id is not null and h.at <= ${frame.asOf}::timestamptz and h.recorded_at <= ${frame.knownAt}::timestamptz
    group by h.deal_id`
}

/** The state of a deal in a stage; null in one of another pipeline. */
export function stateOf({ pipeline }: DealScope, stage: Sql): Sql {
  const { won, lost } = kindsOf(pipeline)
  return sql`case when ${stage} >= ${pipeline.own}::int then null when ${stage} = any(${won}::int[]) then 'won'
    when ${stage} = any(${lost}::int[]) then 'lost' else 'open' end`
}

/**
 * The condition that the deal `d` itself says the way it went: all of its history counts, and it was never in another
 * pipeline.
 */
export const toldWay = ({ frame, pipeline }: DealScope): Sql =>
  sql`(d.pipeline_id = ${pipeline.id} and d.way <> '{}' and ${toldByDeal('d', sql`${frame.asOf}::timestamptz`, frame)})`

/** The condition that the deal `d` may have been in the pipeline: leaves out early those that never were. */
export function mayBeIn({ ctx, pipeline }: DealScope): Sql {
  const own = pipeline.stages.slice(0, pipeline.own).map(s => s.id)
  return sql`(d.pipeline_id = ${pipeline.id} or exists (
    select from deal_history x
    where x.workspace_id = ${ctx.workspaceId} and x.deal_id = d.id and x.stage_id = any(${own}::uuid[])))`
}

/**
 * The condition that the deal `d` may not say its way: it was written since, or was in several pipelines or too many
 * stages. One of another pipeline that says its way was never in this one. Finds them by indexes, where there are few.
 */
export const mayBeUntold = ({ frame: { asOf, knownAt } }: DealScope): Sql =>
  sql`(d.way = '{}' or d.updated_at > least(${asOf}::timestamptz, ${knownAt}::timestamptz))`

/** The condition that the deal `d` may have been closed in the period: its last close would be one. */
export function mayBeClosed({ ctx, frame, pipeline }: DealScope): Sql {
  const own = pipeline.stages.slice(0, pipeline.own).map(s => s.id)
  return sql`exists (
    select from deal_history c
    where c.workspace_id = ${ctx.workspaceId} and c.deal_id = d.id and c.kind in ('won', 'lost')
      and c.stage_id = any(${own}::uuid[]) ${inPeriod(sql`c.at`, frame)})`
}

/** The condition that the deal `d` may have been opened in the period. */
export const mayBeOpened = ({ frame: { from, to, knownAt } }: DealScope): Sql => sql`
  ${to === null ? sql`true` : sql`d.opened_at < ${to}::timestamptz`}
  ${from === null ? empty : sql`and (d.opened_at >= ${from}::timestamptz or d.updated_at > ${knownAt}::timestamptz)`}`

/** Which deals are facts: those opened in the period, those closed in it by their last close, or these and all open ones. */
export type Cohort = 'created' | 'closed' | 'standing'

/** How the amounts of the deals `d` are converted: what the statement needs for it. */
export function dealConversion({ ctx, frame, currency }: DealScope) {
  const first = sql`coalesce((
    select min(f.opened_at) from deals f where ${visible(ctx, deals, 'f')}
  )::date - 1, 'infinity'::date)`
  return conversion(ctx, frame, currency, first)
}

/** Where facts of deals are found: the deals that say them themselves, or those whose history is looked up. */
export interface Source {
  /** Joins `w`, the way of the deal, its opening and its values. */
  joins: Sql
  /** Which deals they are. */
  where: Sql
}

// The kinds of stages are joined: as an expression the planner would work each out anew wherever it is used.
function fromDeal(scope: DealScope): Source {
  const own = scope.pipeline.stages.slice(0, scope.pipeline.own)
  return {
    joins: sql`join unnest(${own.map(s => s.id)}::uuid[], ${own.map(s => s.kind)}::text[]) as k(id, kind) on k.id = d.stage_id
    cross join lateral (
      select k.kind as state, d.furthest_position as furthest, d.way_from as first_at, d.stage_entered_at as last_at,
        d.opened_at, d.amount, d.currency
    ) w`,
    where: toldWay(scope)
  }
}

function fromHistory(scope: DealScope, cohort: Cohort): Source {
  const { ctx, frame, pipeline } = scope
  const state = stateOf(scope, raw('y.stage'))
  const may = { closed: mayBeClosed(scope), created: mayBeOpened(scope), standing: sql`true` }[cohort]
  return {
    joins: sql`cross join lateral (
      select y.*, ${state} as state, ${openedThen(ctx, frame)} as opened_at, v.amount, v.currency from (
        select (array_agg(f.stage order by f.at, f.seq))[count(*)] as stage, min(f.stage) as least,
          max(f.position) filter (where f.kind = 'open' and f.stage < ${pipeline.own}::int) as furthest,
          min(f.at) filter (where f.stage < ${pipeline.own}::int) as first_at,
          max(f.at) filter (where f.entered) as last_at
        from (${stageRows(scope)}) f
      ) y ${dealValues(ctx, frame, 'd', 'v', 'last', sql`and ${state} in ('won', 'lost')`)}
      where y.least < ${pipeline.own}::int
    ) w`,
    where: sql`${mayBeUntold(scope)} and not ${toldWay(scope)} and ${mayBeIn(scope)} and ${may}`
  }
}

type Column = 'state' | 'furthest' | 'days' | 'age' | 'amount' | 'value'

/**
 * The facts of figures about how deals end, a row for each deal of the pipeline with its `id` and those of these columns
 * that are asked for: `state` as of the figure, null for one handed over; `furthest`, the highest position of an open
 * stage; `days` from its first event to the last change of its stage, or until now while it is open; `age` until now;
 * `amount`, and `value`, the same in the currency of the figure by the rate of the day it was closed.
 */
export function dealFacts(scope: DealScope, cohort: Cohort, columns: readonly Column[], name = 'facts'): Sql {
  const { ctx, frame, cuts, durations, filter } = scope
  const now = sql`${frame.asOf}::timestamptz`
  const { converted } = dealConversion(scope)
  const moment = cohort === 'created' ? raw('w.opened_at') : raw('w.last_at')
  const [first, last] = [raw('w.first_at'), raw('w.last_at')]
  const closed = sql`w.state in ('won', 'lost')`
  const which = {
    created: inPeriod(moment, frame),
    closed: sql`and ${closed} ${inPeriod(moment, frame)}`,
    standing: sql`and (w.state = 'open' or (${closed} ${inPeriod(moment, frame)}))`
  }[cohort]
  const found: Record<Column, Sql> = {
    state: raw('w.state'),
    furthest: raw('w.furthest'),
    days: days(frame, durations, first, sql`case when ${closed} then ${last} else ${now} end`),
    age: days(frame, durations, first, now),
    amount: sql`case when ${closed} then w.amount end`,
    value: sql`case when ${closed} then ${converted(raw('w.amount'), raw('w.currency'), localDay(frame.workspaceZone, last))} end`
  }
  const part = ({ joins, where }: Source) => sql`
    select d.id, ${join(
      columns.map(c => sql`${found[c]} as ${raw(c)}`),
      ', '
    )} ${cuts.bucket(moment)} ${cuts.keys}
    from deals d ${cuts.joins} ${joins}
    where ${visible(ctx, deals, 'd')} and d.deleted_at is null and ${filter} and ${where}
      ${which}`
  return sql`${raw(name)} as (
    ${part(fromDeal(scope))} union all ${part(fromHistory(scope, cohort))}
  )`
}

/** The median of exact amounts, as exact: the mean of the two in the middle. */
export const medianSql = (value: Sql, met: Sql): Sql => sql`(
  (percentile_disc(0.5) within group (order by ${value}) filter (where ${met}))
  + (percentile_disc(0.5) within group (order by ${value} desc) filter (where ${met}))) / 2`

/** What a figure that adds up amounts of deals says of those that it could not. */
export function amountWarnings(excluded: { missingAmount: number; noFxRate: number }) {
  return [
    {
      code: 'missing_amount',
      message: 'Deals without an amount are in no sum.',
      count: excluded.missingAmount
    },
    {
      code: 'no_fx_rate',
      message: 'Deals in a currency without a rate are in no sum.',
      count: excluded.noFxRate
    }
  ].filter(w => w.count > 0)
}
