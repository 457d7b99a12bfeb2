import sql, { raw, type Sql } from 'sql-template-tag'
import { visible } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { subscriptions } from '../resources/subscriptions/resource.js'
import { monthsBetween } from './churn/sql.js'
import { conversion, type Conversion } from './currency.js'
import type { OrderQuery } from './lifetime-value-sql.js'
import { recordsThen } from './records-then.js'

/** Which subscriptions are asked for. */
export interface PaymentQuery extends OrderQuery {
  /** The last day whose payments count. */
  last: Sql
}

/** Amounts of subscriptions in one currency. */
export function subscriptionRates(ctx: Context, { frame, currency }: OrderQuery): Conversion {
  const first = sql`coalesce((
    select min(x.start_date) from subscriptions x where ${visible(ctx, subscriptions, 'x')} and x.deleted_at is null
  ), 'infinity'::date)`
  return conversion(ctx, frame, currency, first)
}

// Counted from the start date, so that what began on a 31st is due on the last day of shorter months.
const months = raw(`case t.interval when 'quarter' then 3 when 'year' then 12 else 1 end`)
const due = sql`case t.interval when 'week' then t.start_date + 7 * n.n
  else (t.start_date + make_interval(months => n.n * ${months}))::date end`

/** Subscriptions `t` as of the figure. */
export const subscribed = (
  ctx: Context,
  { frame, filter, cuts }: OrderQuery,
  columns: Sql,
  more: Sql
): Sql => sql`
  select ${columns} ${cuts.keys}
  from ${recordsThen(ctx, frame, subscriptions, 't')} ${cuts.joins} ${more}
  where ${visible(ctx, subscriptions, 't')} and t.deleted_at is null
    and t.created_at <= ${frame.knownAt}::timestamptz and ${filter}`

/**
 * What subscriptions brought, as the orders of lifetime value are told: their recurring amount at the beginning of each
 * interval in which they run.
 */
export function paymentsSql(ctx: Context, query: PaymentQuery, { converted }: Conversion): Sql {
  const { frame, cuts, last } = query
  const lastDue = sql`least(t.end_date, ${last})`
  const intervals = sql`case t.interval when 'week' then (${lastDue} - t.start_date) / 7
    else ${monthsBetween(raw('t.start_date'), lastDue)} / ${months} end`
  const columns = sql`t.customer_id, t.id, timezone(${frame.timeZone}::text, p.day::timestamp) as ordered_at,
    t.recurring_amount as amount, p.day, ${converted(raw('t.recurring_amount'), raw('t.currency'), raw('p.day'))} as brought,
    null::numeric as cost`
  const payments = sql`cross join lateral (
    select ${due} as day from generate_series(0, ${intervals}) as n(n)
  ) p`
  const keys = cuts.dimensions.map((_, i) => `, d.key_${i + 1}`).join('')
  return sql`
    select d.customer_id, d.id, d.ordered_at, d.amount, d.day, d.brought, d.cost ${raw(keys)}
    from (${subscribed(ctx, query, columns, payments)}
      and p.day <= ${last} and (t.end_date is null or p.day < t.end_date)
    ) d`
}
