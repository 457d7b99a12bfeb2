import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import { toldByDeal } from './deal-state.js'
import type { Frame } from './period.js'

/** What follows from the stages that a deal went through, by the field's name. */
export const dealStageColumns: Readonly<Record<string, string>> = {
  pipelineId: 'pipeline_id',
  stageId: 'stage_id',
  status: 'status',
  stageEnteredAt: 'stage_entered_at',
  closedAt: 'closed_at'
}

/**
 * Joins `as`, those fields of the deal `alias` as its first stage says them, or its last one as of the figure; nulls where
 * it has none by then, or says the last one itself.
 */
export function stagesThen(ctx: Context, frame: Frame, alias: string, as: string, at: 'first' | 'last'): Sql {
  const { asOf, knownAt } = frame
  const of = (column: string) =>
    sql`(array_agg(h.${raw(column)} order by h.at, h.seq))[${raw(at === 'first' ? '1' : 'count(*)')}]`
  const entered = at === 'first' ? sql`min(h.at)` : sql`max(h.at) filter (where h.entered)`
  const lookedUp =
    at === 'first' ? sql`true` : sql`not (${toldByDeal(alias, sql`${asOf}::timestamptz`, frame)})`
  return sql`
    left join lateral (
      select ${of('pipeline_id')} as pipeline_id, ${of('stage_id')} as stage_id, ${of('kind')} as status,
        ${entered} as stage_entered_at, case when ${of('kind')} <> 'open' then ${entered} end as closed_at
      from (
        select h.*, h.stage_id is distinct from lag(h.stage_id) over (order by h.at, h.seq) as entered
        from deal_history h
        where h.workspace_id = ${ctx.workspaceId} and h.deal_id = ${raw(alias)}.id and h.stage_id is not null
          and h.at <= ${asOf}::timestamptz and h.recorded_at <= ${knownAt}::timestamptz and ${lookedUp}
      ) h
    ) ${raw(as)} on true`
}

/** A column of the deal `alias` that follows from its stages, as its first one or the last one says it: joins and value. */
export function dealStage(
  ctx: Context,
  frame: Frame,
  alias: string,
  as: string,
  at: 'first' | 'last',
  column: string
): { joins: Sql; value: Sql } {
  const then = raw(`${as}.${column}`)
  const told = toldByDeal(alias, sql`${frame.asOf}::timestamptz`, frame)
  const last = sql`case when ${told} then ${raw(`${alias}.${column}`)} else ${then} end`
  return { joins: stagesThen(ctx, frame, alias, as, at), value: at === 'first' ? then : last }
}
