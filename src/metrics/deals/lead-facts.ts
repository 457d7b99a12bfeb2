import sql, { raw, type Sql } from 'sql-template-tag'
import { authorize, visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { deals } from '../../resources/deals/resource.js'
import { leads } from '../../resources/leads/resource.js'
import { dealState } from '../deal-state.js'
import { cutsOf, type CutRequest, type Cuts } from '../counted.js'
import { days, type Durations } from '../durations.js'
import { linked } from '../lead-then.js'
import { filtered, type Request } from '../parameters.js'
import { inPeriod, type Frame } from '../period.js'
import { recordsThen } from '../records-then.js'

/** How leads are cut, and their facts: `state`, `days` from the capture to the first won deal or until now, `age`. */
export function leadFacts(
  ctx: Context,
  request: Request<CutRequest & { filter?: Record<string, unknown>; durations?: Durations }>,
  frame: Frame
): { cuts: Cuts; ctes: Sql } {
  for (const resource of [leads, deals]) authorize(ctx, resource.permissions.read)
  const filter = filtered(ctx, leads, 'l', request)
  const cuts = cutsOf(ctx, leads, 'l', request, frame)
  const { durations = 'elapsed' } = request.given
  const now = sql`${frame.asOf}::timestamptz`
  const captured = raw('l.captured_at')
  const ctes = sql`facts as materialized (
    select l.id, case when c.at is null then 'open' else 'won' end as state,
      ${days(frame, durations, captured, sql`coalesce(c.at, ${now})`)} as days,
      ${days(frame, durations, captured, now)} as age ${cuts.bucket(captured)} ${cuts.keys}
    from ${recordsThen(ctx, frame, leads, 'l')} ${cuts.joins} left join lateral (
      select min(w.at) as at from deals d ${dealState(ctx, frame)}
      where ${visible(ctx, deals, 'd')} and d.lead_id = l.id and d.deleted_at is null and w.kind = 'won'
        and ${linked(ctx, frame)}
    ) c on true
    where ${visible(ctx, leads, 'l')} and l.deleted_at is null and ${filter} and l.captured_at <= ${now}
      and l.created_at <= ${frame.knownAt}::timestamptz ${inPeriod(captured, frame)}
  )`
  return { cuts, ctes }
}
