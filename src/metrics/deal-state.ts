import sql, { type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import type { Frame } from './period.js'

/** Joins `w`: the kind of the last stage of the deal `d` as of the figure, and when it came into it; nulls without one. */
export const dealState = (ctx: Context, { asOf, knownAt }: Frame): Sql => sql`
  left join lateral (
    select (array_agg(h.kind order by h.at desc, h.seq desc))[1] as kind,
      max(h.at) filter (where h.entered) as at
    from (
      select h.at, h.seq, h.kind, h.stage_id is distinct from lag(h.stage_id) over (order by h.at, h.seq) as entered
      from deal_history h
      where h.workspace_id = ${ctx.workspaceId} and h.deal_id = d.id and h.stage_id is not null
        and h.at <= ${asOf}::timestamptz and h.recorded_at <= ${knownAt}::timestamptz
    ) h
  ) w on true`
