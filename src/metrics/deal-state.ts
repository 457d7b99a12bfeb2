import sql, { empty, raw, type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import { deals } from '../resources/deals/resource.js'
import { dealValues } from './deal-values.js'
import { fieldThen } from './field-then.js'
import type { Frame } from './period.js'

/**
 * The condition that a deal itself, `alias`, says what its history does as of a moment: it has not been written since,
 * and every row of its history happened, and was recorded, no later than it was written. That of other deals is
 * looked up.
 */
export const toldByDeal = (alias: string, at: Sql, { knownAt }: Frame): Sql =>
  sql`${raw(alias)}.updated_at <= least(${at}, ${knownAt}::timestamptz)`

/** When a deal, `alias`, was opened as far as that was known: a move that is recorded later may put it earlier. */
export const openedThen = (ctx: Context, { knownAt }: Frame, alias = 'd'): Sql => sql`
  case when ${raw(alias)}.updated_at > ${knownAt}::timestamptz
    then ${fieldThen(ctx, deals, alias, 'openedAt', sql`${knownAt}::timestamptz`)}::timestamptz
    else ${raw(alias)}.opened_at end`

/**
 * Joins `v`: amount and currency of the deal `d` as of the figure, where it meets the condition, which begins with `and`.
 * They are looked up in its history only where the deal itself does not say them.
 */
export function lastValues(ctx: Context, frame: Frame, condition: Sql = empty): Sql {
  const told = sql`(${toldByDeal('d', sql`${frame.asOf}::timestamptz`, frame)})`
  const met = sql`true ${condition}`
  const value = (column: 'amount' | 'currency') =>
    sql`case when not ${told} then u.${raw(column)} when ${met} then d.${raw(column)} end as ${raw(column)}`
  return sql`
    ${dealValues(ctx, frame, 'd', 'u', 'last', sql`and not ${told} ${condition}`)}
    cross join lateral (select ${value('amount')}, ${value('currency')}) v`
}

// Kind and time of the last stage of the deal `d`: as it says them itself, and as its history does.
function statesOf(ctx: Context, { asOf, knownAt }: Frame, pipelineId: string | undefined) {
  const inPipeline = (is: Sql, found: Sql) =>
    pipelineId === undefined ? found : sql`case when ${is} = ${pipelineId}::uuid then ${found} end`
  const last = (column: string) => sql`(array_agg(${raw(column)} order by h.at, h.seq))[count(*)]`
  const lookedUp = (found: Sql) => sql`(
    select ${inPipeline(last('h.pipeline_id'), found)}
    from (
      select h.at, h.seq, h.kind, h.pipeline_id,
        h.stage_id is distinct from lag(h.stage_id) over (order by h.at, h.seq) as entered
      from deal_history h
      where h.workspace_id = ${ctx.workspaceId} and h.deal_id = d.id and h.stage_id is not null
        and h.at <= ${asOf}::timestamptz and h.recorded_at <= ${knownAt}::timestamptz
    ) h)`
  const own = (column: string) => inPipeline(raw('d.pipeline_id'), raw(column))
  return {
    told: { kind: own('d.status'), at: own('d.stage_entered_at') },
    lookedUp: { kind: lookedUp(last('h.kind')), at: lookedUp(sql`max(h.at) filter (where h.entered)`) }
  }
}

/**
 * Joins `w`: the kind of the last stage of the deal `d` as of the figure, and when it came into it; nulls without one.
 */
export function dealState(ctx: Context, frame: Frame): Sql {
  // Neither true nor false where there is no deal, of which nothing needs to be looked up.
  const isTold = sql`(${toldByDeal('d', sql`${frame.asOf}::timestamptz`, frame)})`
  const { told, lookedUp } = statesOf(ctx, frame, undefined)
  const either = (column: 'kind' | 'at') =>
    sql`case when ${isTold} then ${told[column]} when not ${isTold} then ${lookedUp[column]} end as ${raw(column)}`
  return sql`cross join lateral (select ${either('kind')}, ${either('at')}) w`
}

/**
 * Deals `d` with their state `w` as `dealState` has it, null also where that is of another pipeline than the one asked
 * for, and amount and currency `v` of won ones: in two parts, so that those that say it themselves cost nothing more.
 */
export function dealStates(
  ctx: Context,
  frame: Frame,
  pipelineId: string | undefined
): { joins: Sql; where: Sql }[] {
  const isTold = toldByDeal('d', sql`${frame.asOf}::timestamptz`, frame)
  const { told, lookedUp } = statesOf(ctx, frame, pipelineId)
  const state = ({ kind, at }: typeof told) => sql`cross join lateral (select ${kind} as kind, ${at} as at) w`
  return [
    { joins: sql`${state(told)} cross join lateral (select d.amount, d.currency) v`, where: isTold },
    {
      joins: sql`${state(lookedUp)} ${dealValues(ctx, frame, 'd', 'v', 'last', sql`and w.kind = 'won'`)}`,
      where: sql`not (${isTold})`
    }
  ]
}
