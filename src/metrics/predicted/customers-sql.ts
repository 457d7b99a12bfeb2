import sql, { raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { orders } from '../../resources/orders/resource.js'
import { conversion } from '../currency.js'
import { shown } from '../money.js'
import { inPeriod, localDay, type Frame } from '../period.js'

/** Which orders tell of customers. */
export interface OrdersQuery {
  frame: Frame
  currency: string
  /** A condition on the orders `t`. */
  filter: Sql
  /** The last local day that models learn from. */
  calibrationEnd: string
  /** How many days after it are held out. */
  holdoutDays: number
}

/** A customer's order days; times in days, money in the currency asked for. */
export interface CustomerRow {
  customerId: string
  customerType: 'company' | 'contact'
  orders: number
  orderDays: number
  firstOrderAt: string
  lastOrderAt: string
  /** Order days after the first one. */
  x: number
  /** From the first to the last order day. */
  tx: number
  /** From the first order day to the end of calibration. */
  T: number
  /** The mean value of the order days after the first one; null where none is known. */
  z: number | null
  holdoutOrders: number
  holdoutSpend: string
}

/** The totals over all of them, and months in which they were customers or not. */
export interface OrderTotals {
  customers: number
  customersWithValue: number
  orders: number
  orderDays: number
  averageOrderValue: string | null
  ordersPerCustomer: number | null
  missingAmount: number
  noFxRate: number
  holdoutSpend: string
  /** Months in which somebody bought, summed over customers, until the last month that is over. */
  activeMonths: number
  daysInThem: number
  /** The same months that have one after them that is over too, and those of them followed by another purchase. */
  followed: number
  again: number
}

export interface OrdersRow {
  [column: string]: unknown
  totals: OrderTotals
  customers: CustomerRow[]
}

const inBin = (ctx: Context, table: 'companies' | 'contacts') => sql`exists (
  select from ${raw(`${table} x`)}
  where x.workspace_id = ${ctx.workspaceId} and x.id = c.customer_id and x.deleted_at is not null)`

// Orders of one customer on one local day are one.
function days(ctx: Context, { frame, currency, filter, calibrationEnd, holdoutDays }: OrdersQuery): Sql {
  const { timeZone, workspaceZone, asOf, knownAt } = frame
  const first = sql`coalesce((
    select min(f.ordered_at) from orders f where ${visible(ctx, orders, 'f')} and f.deleted_at is null
  )::date - 1, 'infinity'::date)`
  const { ctes, converted } = conversion(ctx, frame, currency, first)
  const worth = converted(raw('t.amount'), raw('t.currency'), localDay(workspaceZone, raw('t.ordered_at')))
  return sql`${ctes}, bought as materialized (
    select t.customer_id, t.ordered_at, t.amount, ${localDay(timeZone, raw('t.ordered_at'))} as day, ${worth} as brought
    from orders t
    where ${visible(ctx, orders, 't')} and t.deleted_at is null and t.ordered_at <= ${asOf}::timestamptz
      and t.created_at <= ${knownAt}::timestamptz and ${filter}
  ), days as materialized (
    select b.customer_id, b.day, b.day <= ${calibrationEnd}::date as seen, count(*) as orders,
      count(b.amount) as with_amount, count(b.brought) as valued, sum(b.brought) as brought,
      min(b.ordered_at) as first_at, max(b.ordered_at) as last_at,
      min(b.day) over (partition by b.customer_id) as first_day
    from bought b where b.day <= ${calibrationEnd}::date + ${holdoutDays}::int
    group by b.customer_id, b.day
  ), facts as materialized (
    select c.* from (
      select d.customer_id, d.first_day, (sum(d.orders) filter (where d.seen))::int as orders,
        (count(*) filter (where d.seen))::int as order_days, sum(d.with_amount) filter (where d.seen) as with_amount,
        sum(d.valued) filter (where d.seen) as valued, sum(d.brought) filter (where d.seen) as brought,
        count(d.brought) filter (where d.seen) as valued_days, min(d.first_at) as first_at,
        max(d.last_at) filter (where d.seen) as last_at, max(d.day) filter (where d.seen) as last_day,
        (avg(d.brought) filter (where d.seen and d.day > d.first_day))::float8 as z,
        (count(*) filter (where not d.seen))::int as later, coalesce(sum(d.brought) filter (where not d.seen), 0) as spent
      from days d where d.first_day <= ${calibrationEnd}::date
      group by d.customer_id, d.first_day
    ) c
    where not ${inBin(ctx, 'companies')} and not ${inBin(ctx, 'contacts')} ${inPeriod(raw('c.first_at'), frame)}
  )`
}

// A month is followed where the next one is over too: what happens in it is known.
const months = (calibrationEnd: string) => sql`months as (
  select m.customer_id, m.month, m.days,
    m.month + interval '2 months' <= ${calibrationEnd}::date + 1 as followed,
    lead(m.month) over (partition by m.customer_id order by m.month) = m.month + interval '1 month' as again
  from (
    select d.customer_id, date_trunc('month', d.day::timestamp) as month, count(*) as days
    from days d join facts f on f.customer_id = d.customer_id where d.seen group by 1, 2
  ) m where m.month + interval '1 month' <= ${calibrationEnd}::date + 1
)`

/** What customers bought until the end of calibration, one by one and in all, and what they did after it. */
export const customersSql = (ctx: Context, query: OrdersQuery): Sql => sql`
  with ${days(ctx, query)}, ${months(query.calibrationEnd)}
  select (
    select row_to_json(s) from (
      select count(*)::int as customers, (count(*) filter (where f.valued > 0))::int as "customersWithValue",
        coalesce(sum(f.orders), 0)::int as orders, coalesce(sum(f.order_days), 0)::int as "orderDays",
        ${shown(sql`sum(f.brought) / nullif(sum(f.valued_days), 0)`)} as "averageOrderValue",
        sum(f.order_days)::float8 / nullif(count(*), 0) as "ordersPerCustomer",
        coalesce(sum(f.orders - f.with_amount), 0)::int as "missingAmount",
        coalesce(sum(f.with_amount - f.valued), 0)::int as "noFxRate",
        ${shown(sql`coalesce(sum(f.spent), 0)`)} as "holdoutSpend",
        (select count(*)::int from months) as "activeMonths", (select coalesce(sum(m.days), 0)::int from months m) as "daysInThem",
        (select (count(*) filter (where m.followed))::int from months m) as followed,
        (select (count(*) filter (where m.followed and m.again))::int from months m) as again
      from facts f
    ) s
  ) as totals, (
    select coalesce(json_agg(p), '[]') from (
      select f.customer_id as "customerId", case when k.id is null then 'contact' else 'company' end as "customerType",
        f.orders, f.order_days as "orderDays", to_char(f.first_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "firstOrderAt",
        to_char(f.last_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "lastOrderAt", f.order_days - 1 as x,
        f.last_day - f.first_day as tx, ${query.calibrationEnd}::date - f.first_day as "T", f.z,
        f.later as "holdoutOrders", ${shown(raw('f.spent'))} as "holdoutSpend"
      from facts f left join companies k on k.workspace_id = ${ctx.workspaceId} and k.id = f.customer_id
      order by f.customer_id
    ) p
  ) as customers`
