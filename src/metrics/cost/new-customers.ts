import sql, { raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { deals } from '../../resources/deals/resource.js'
import { orders } from '../../resources/orders/resource.js'
import { dealState } from '../deal-state.js'
import { isKept } from '../lifetime-value-sql.js'
import type { Frame } from '../period.js'
import { recordsThen } from '../records-then.js'

/**
 * The first won deal of each customer, its company or else its primary contact, as `(id, deal_id, at)`; deals of nobody
 * have a null `id`. `filter` is a condition on the deals `d`.
 */
export const firstDeals = (ctx: Context, frame: Frame, filter: Sql): Sql => sql`
  select distinct on (x.id, case when x.id is null then x.deal_id end) x.id, x.deal_id, x.at from (
    select coalesce(d.company_id, d.primary_contact_id) as id, d.id as deal_id, w.at
    from deals d ${dealState(ctx, frame)}
    where ${visible(ctx, deals, 'd')} and d.deleted_at is null and w.kind = 'won' and ${filter}
  ) x
  where x.id is null or (${isKept(ctx, raw('x.id'))})
  order by x.id, case when x.id is null then x.deal_id end, x.at, x.deal_id`

/** The first order of each customer, as `(id, deal_id, at)`. */
export const firstOrders = (ctx: Context, frame: Frame): Sql => sql`
  select x.id, null::uuid as deal_id, x.at from (
    select t.customer_id as id, min(t.ordered_at) as at from ${recordsThen(ctx, frame, orders, 't')}
    where ${visible(ctx, orders, 't')} and t.deleted_at is null and t.ordered_at <= ${frame.asOf}::timestamptz
      and t.created_at <= ${frame.knownAt}::timestamptz
    group by t.customer_id
  ) x
  where ${isKept(ctx, raw('x.id'))}`

/** The won deals of the workspace that make no new customer of the period, for they are not the first ones. */
export async function laterDeals(ctx: Context, frame: Frame, filter: Sql): Promise<string[]> {
  const found = await ctx.db.query<{ id: string }>(sql`
    with firsts as (${firstDeals(ctx, frame, filter)})
    select d.id from deals d ${dealState(ctx, frame)}
    where ${visible(ctx, deals, 'd')} and d.deleted_at is null and w.kind = 'won'
      and not exists (select from firsts f where f.deal_id = d.id and f.id is not null)`)
  return found.map(d => d.id)
}
