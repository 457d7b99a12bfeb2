import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import type { Frame } from './period.js'

/**
 * The condition that a deal itself, `alias`, says what its history does as of a moment: it has not been written since,
 * and every row of its history happened, and was recorded, no later than it was written. That of other deals is
 * looked up.
 */
export const toldByDeal = (alias: string, at: Sql, { knownAt }: Frame): Sql =>
  sql`${raw(alias)}.updated_at <= least(${at}, ${knownAt}::timestamptz)`

/** Joins `w`: the kind of the last stage of the deal `d` as of the figure, and when it came into it; nulls without one. */
export function dealState(ctx: Context, frame: Frame): Sql {
  const { asOf, knownAt } = frame
  const told = toldByDeal('d', sql`${asOf}::timestamptz`, frame)
  return sql`
  left join lateral (
    select d.status as kind, d.stage_entered_at as at where ${told}
    union all
    select (array_agg(h.kind order by h.at, h.seq))[count(*)] as kind, max(h.at) filter (where h.entered) as at
    from (
      select h.at, h.seq, h.kind, h.stage_id is distinct from lag(h.stage_id) over (order by h.at, h.seq) as entered
      from deal_history h
      where h.workspace_id = ${ctx.workspaceId} and h.deal_id = d.id and h.stage_id is not null
        and h.at <= ${asOf}::timestamptz and h.recorded_at <= ${knownAt}::timestamptz
    ) h having not ${told}
  ) w on true`
}
