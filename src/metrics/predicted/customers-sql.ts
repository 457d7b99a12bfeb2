import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { boughtSql, customerKeys, isKept, type OrderQuery } from '../lifetime-value-sql.js'
import type { Numbers } from '../counted.js'
import { shown } from '../money.js'
import { inPeriod, localDay } from '../period.js'

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

/**
 * The same with what models need, as JSON texts that only their thread reads: places in the list of all customers, and
 * that list, which the row of the total has.
 */
export interface ModelTotals extends Totals {
  holdoutSpend: string
  places: string | null
  customerRows?: string
}

/** The facts of a method: customers as `facts f`, and what is counted of them. */
export interface CustomerFacts {
  ctes: Sql
  counts: Sql
}

/**
 * What customers bought until the end of calibration, and what they did after it. Orders of one local day are one. All is
 * told of a customer's orders in the order of their days, which a single sort brings about.
 */
export function orderFacts(ctx: Context, query: OrdersQuery): CustomerFacts {
  const { frame, calibrationEnd, holdoutDays, cuts, groupedBy } = query
  const { ctes, bought } = boughtSql(ctx, query)
  const end = sql`${calibrationEnd}::date`
  // The day of the figure itself is not over, though what has come of it is learnt from.
  const firstUnknown = sql`least(${end} + 1, ${localDay(frame.timeZone, sql`${frame.asOf}::timestamptz`)})`
  // A month is followed where the next one is over too: what happens in it is known.
  const isOver = (months: number) =>
    sql`d.day < (date_trunc('month', ${firstUnknown}::timestamp) - make_interval(months => ${months}))::date`
  return {
    ctes: sql`
      ${ctes}, facts as materialized (
        select c.*, row_number() over (order by c.id) - 1 as place ${cuts.bucket(raw('c.first_at'))}
        from (
          select b.customer_id as id, min(b.day) as first_day, (count(*) filter (where b.seen))::int as orders,
            (count(distinct b.day) filter (where b.seen))::int as order_days,
            count(b.amount) filter (where b.seen) as with_amount, count(b.brought) filter (where b.seen) as valued,
            sum(b.brought) filter (where b.seen) as brought,
            count(distinct b.day) filter (where b.seen and b.brought is not null) as valued_days,
            min(b.ordered_at) as first_at, max(b.ordered_at) filter (where b.seen) as last_at,
            max(b.day) filter (where b.seen) as last_day,
            (sum(b.brought) filter (where b.seen and b.day > b.first_day) / nullif(
              count(distinct b.day) filter (where b.seen and b.day > b.first_day and b.brought is not null), 0
            ))::float8 as z,
            (count(distinct b.day) filter (where not b.seen))::int as later,
            coalesce(sum(b.brought) filter (where not b.seen), 0) as spent,
            count(*) filter (where b.over and b.month is distinct from b.month_before) as active_months,
            count(distinct b.day) filter (where b.over) as days_in_them,
            count(*) filter (where b.followed and b.month is distinct from b.month_before) as followed,
            count(*) filter (where b.over and b.month_before = b.month - interval '1 month') as again
            ${customerKeys(cuts, groupedBy, sql`filter (where b.seen)`)}
          from (
            select d.*, d.day <= ${end} as seen, ${isOver(0)} as over, ${isOver(1)} as followed,
              first_value(d.day) over w as first_day, lag(d.month) over w as month_before
            from (
              select o.*, date_trunc('month', o.day::timestamp) as month from (${bought}) o
              where o.day <= ${end} + ${holdoutDays}::int
            ) d window w as (partition by d.customer_id order by d.day)
          ) b group by b.customer_id having min(b.day) <= ${end}
        ) c
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
export const modelCounts = sql`${shown(sql`coalesce(sum(f.spent), 0)`)} as "holdoutSpend", json_agg(f.place order by f.place)::text as places`

/** All customers as models see them, in their places. */
export const customerRows = (ctx: Context, calibrationEnd: string): Sql => sql`(
  select coalesce(json_agg(p), '[]')::text from (
    select f.id as "customerId", case when k.id is null then 'contact' else 'company' end as "customerType",
      f.orders, f.order_days as "orderDays", to_char(f.first_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "firstOrderAt",
      to_char(f.last_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "lastOrderAt", f.order_days - 1 as x,
      f.last_day - f.first_day as tx, ${calibrationEnd}::date - f.first_day as "T", f.z,
      f.later as "holdoutOrders", ${shown(raw('f.spent'))} as "holdoutSpend"
    from facts f left join companies k on k.workspace_id = ${ctx.workspaceId} and k.id = f.id
    order by f.place
  ) p)`
