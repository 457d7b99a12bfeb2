import sql, { empty, raw, type Sql } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { boughtSql, customerKeys, isKept, type OrderQuery } from '../lifetime-value-sql.js'
import type { Numbers } from '../counted.js'
import { shown } from '../money.js'
import { inPeriod } from '../period.js'

/** Which orders tell of customers. */
export interface OrdersQuery extends OrderQuery {
  /** The last local day that models learn from. */
  calibrationEnd: string
  /** How many days after it are held out. */
  holdoutDays: number
  /** Whether customers are grouped by their first order, or by their last one. */
  groupedBy: 'first' | 'last'
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

/** What is counted of customers, by orders or by subscriptions. */
export interface Totals extends Numbers {
  customers: number
  customersWithValue: number
  orders: number
  orderDays: number
  averageOrderValue: string | null
  ordersPerCustomer: number | null
  missingAmount: number
  noFxRate: number
  /** What the simple method supposes to stay as it was; null where nothing tells. */
  ordersPerMonth: number | null
  monthlyChurn: number | null
}

/** The same with what models need: places in the list of all customers, which the row of the total has. */
export interface ModelTotals extends Totals {
  holdoutSpend: string
  places: number[] | null
  customerRows?: CustomerRow[]
}

/** The facts of a method: customers as `facts f`, and what is counted of them. */
export interface CustomerFacts {
  ctes: Sql
  counts: Sql
}

// A month is followed where the next one is over too: what happens in it is known.
const months = (calibrationEnd: string) => sql`months as (
  select m.customer_id, count(*) as active_months, sum(m.days) as days_in_them, count(*) filter (where m.followed) as followed,
    count(*) filter (where m.followed and m.again) as again
  from (
    select n.customer_id, n.month, n.days, n.month + interval '2 months' <= ${calibrationEnd}::date + 1 as followed,
      lead(n.month) over (partition by n.customer_id order by n.month) = n.month + interval '1 month' as again
    from (
      select d.customer_id, date_trunc('month', d.day::timestamp) as month, count(*) as days
      from days d where d.seen group by 1, 2
    ) n where n.month + interval '1 month' <= ${calibrationEnd}::date + 1
  ) m group by m.customer_id
)`

/** The group values of each customer, by one of the orders that are learnt from. */
function keyed({ cuts, calibrationEnd, groupedBy }: OrdersQuery): { cte: Sql; joined: Sql; columns: Sql } {
  if (cuts.dimensions.length === 0) return { cte: empty, joined: empty, columns: empty }
  return {
    cte: sql`keyed as (
      select b.customer_id ${customerKeys(cuts, groupedBy)} from bought b
      where b.day <= ${calibrationEnd}::date group by b.customer_id
    ),`,
    joined: raw('join keyed k on k.customer_id = c.id'),
    columns: raw(cuts.dimensions.map((_, i) => `, k.key_${i + 1}`).join(''))
  }
}

/** What customers bought until the end of calibration, and what they did after it. Orders of one local day are one. */
export function orderFacts(ctx: Context, query: OrdersQuery): CustomerFacts {
  const { frame, calibrationEnd, holdoutDays, cuts } = query
  const { ctes, bought } = boughtSql(ctx, query)
  const groups = keyed(query)
  return {
    ctes: sql`
      ${ctes}, bought as materialized (${bought}), days as materialized (
        select b.customer_id, b.day, b.day <= ${calibrationEnd}::date as seen, count(*) as orders,
          count(b.amount) as with_amount, count(b.brought) as valued, sum(b.brought) as brought,
          min(b.ordered_at) as first_at, max(b.ordered_at) as last_at,
          min(b.day) over (partition by b.customer_id) as first_day
        from bought b where b.day <= ${calibrationEnd}::date + ${holdoutDays}::int
        group by b.customer_id, b.day
      ), ${months(calibrationEnd)}, ${groups.cte} facts as materialized (
        select c.*, row_number() over (order by c.id) - 1 as place, m.active_months, m.days_in_them, m.followed, m.again
          ${cuts.bucket(raw('c.first_at'))} ${groups.columns}
        from (
          select d.customer_id as id, d.first_day, (sum(d.orders) filter (where d.seen))::int as orders,
            (count(*) filter (where d.seen))::int as order_days, sum(d.with_amount) filter (where d.seen) as with_amount,
            sum(d.valued) filter (where d.seen) as valued, sum(d.brought) filter (where d.seen) as brought,
            count(d.brought) filter (where d.seen) as valued_days, min(d.first_at) as first_at,
            max(d.last_at) filter (where d.seen) as last_at, max(d.day) filter (where d.seen) as last_day,
            (avg(d.brought) filter (where d.seen and d.day > d.first_day))::float8 as z,
            (count(*) filter (where not d.seen))::int as later,
            coalesce(sum(d.brought) filter (where not d.seen), 0) as spent
          from days d where d.first_day <= ${calibrationEnd}::date
          group by d.customer_id, d.first_day
        ) c left join months m on m.customer_id = c.id ${groups.joined}
        where ${isKept(ctx, raw('c.id'))}
          ${inPeriod(raw('c.first_at'), frame)}
      )`,
    counts: sql`
      ${common}, ${shown(sql`sum(f.brought) / nullif(sum(f.valued_days), 0)`)} as "averageOrderValue",
      sum(f.days_in_them)::float8 / nullif(sum(f.active_months), 0)::float8 as "ordersPerMonth",
      1 - sum(f.again)::float8 / nullif(sum(f.followed), 0)::float8 as "monthlyChurn"`
  }
}

/** What is counted of customers whatever they are known by. */
export const common = sql`
  count(f.id)::int as customers, (count(*) filter (where f.valued > 0))::int as "customersWithValue",
  coalesce(sum(f.orders), 0)::int as orders, coalesce(sum(f.order_days), 0)::int as "orderDays",
  sum(f.order_days)::float8 / nullif(count(f.id), 0) as "ordersPerCustomer",
  coalesce(sum(f.orders - f.with_amount), 0)::int as "missingAmount",
  coalesce(sum(f.with_amount - f.valued), 0)::int as "noFxRate"`

/** What models need besides. */
export const modelCounts = sql`${shown(sql`coalesce(sum(f.spent), 0)`)} as "holdoutSpend", json_agg(f.place order by f.place) as places`

/** All customers as models see them, in their places. */
export const customerRows = (ctx: Context, calibrationEnd: string): Sql => sql`(
  select coalesce(json_agg(p), '[]') from (
    select f.id as "customerId", case when k.id is null then 'contact' else 'company' end as "customerType",
      f.orders, f.order_days as "orderDays", to_char(f.first_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "firstOrderAt",
      to_char(f.last_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "lastOrderAt", f.order_days - 1 as x,
      f.last_day - f.first_day as tx, ${calibrationEnd}::date - f.first_day as "T", f.z,
      f.later as "holdoutOrders", ${shown(raw('f.spent'))} as "holdoutSpend"
    from facts f left join companies k on k.workspace_id = ${ctx.workspaceId} and k.id = f.id
    order by f.place
  ) p)`
