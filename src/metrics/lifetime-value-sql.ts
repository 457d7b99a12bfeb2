import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { visible } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { orders as orderResource } from '../resources/orders/resource.js'
import { bucketOf, bucketSeries, type Interval } from './buckets.js'
import { conversion } from './currency.js'
import { shown } from './money.js'
import { inPeriod, localDay, type Frame } from './period.js'

/** Whose value is asked for, and how it is told. */
export interface ValueQuery {
  frame: Frame
  currency: string
  margin: number
  /** A condition on the orders `t`. */
  filter: Sql
  interval: Interval | undefined
  /** The page of customers, the one of most value first. */
  page: { size: number; after: { key: string; id: string } | undefined } | undefined
}

/** What was found out of some customers; money is exact text. */
export interface Summary {
  customers: number
  customersWithValue: number
  orders: number
  orderDays: number
  total: string | null
  mean: string | null
  totalPerCustomer: string | null
  averageOrderValue: string | null
  ordersPerCustomer: number | null
  missingAmount: number
  noFxRate: number
}

/** A customer of the page. */
export interface CustomerValue {
  customerId: string
  customerType: 'company' | 'contact'
  orders: number
  orderDays: number
  firstOrderAt: string
  lastOrderAt: string
  value: string | null
  /** The value as it is sorted by, for the cursor. */
  key: string
}

/** The one row that the statement answers. */
export interface ValueRow {
  [column: string]: unknown
  value: Summary
  buckets: ({ from: string; to: string; label: string; complete: boolean } & Summary)[] | null
  customers: CustomerValue[] | null
}

// Orders come from one index in the order of their customers, which spares the grouping a sort; saying so also keeps what
// is worked out of an order from being worked out again wherever it is used.
function orders(ctx: Context, { frame, currency, filter }: ValueQuery): { ctes: Sql; bought: Sql } {
  const { timeZone, workspaceZone, asOf, knownAt } = frame
  const first = sql`coalesce((
    select min(f.ordered_at) from orders f where ${visible(ctx, orderResource, 'f')} and f.deleted_at is null
  )::date - 1, 'infinity'::date)`
  const { ctes, converted } = conversion(ctx, frame, currency, first)
  const sameZone = timeZone === workspaceZone
  const at = raw('t.ordered_at')
  const [amount, cost] = [raw('d.amount'), raw('d.direct_cost')]
  const [of, day] = [raw('d.currency'), raw('d.rate_day')]
  const bought = sql`
    select d.customer_id, d.ordered_at, d.amount, ${raw(sameZone ? 'd.rate_day' : 'd.local_day')} as day,
      ${converted(amount, of, day)} as brought,
      case when d.amount is not null and d.direct_cost <> 0 then ${converted(cost, of, day)} end as cost
    from (
      select t.customer_id, t.ordered_at, t.currency, t.amount, t.direct_cost, ${localDay(workspaceZone, at)} as rate_day
        ${sameZone ? empty : sql`, ${localDay(timeZone, at)} as local_day`}
      from orders t
      where ${visible(ctx, orderResource, 't')} and t.deleted_at is null and t.ordered_at <= ${asOf}::timestamptz
        and t.created_at <= ${knownAt}::timestamptz and ${filter}
      order by t.customer_id
    ) d order by d.customer_id`
  return { ctes, bought }
}

const inBin = (ctx: Context, table: 'companies' | 'contacts') => sql`exists (
  select from ${raw(`${table} x`)}
  where x.workspace_id = ${ctx.workspaceId} and x.id = g.customer_id and x.deleted_at is not null)`

// Value is kept exact; it is rounded where it is shown.
const summary = sql`
  count(c.customer_id)::int as customers, count(c.value)::int as "customersWithValue",
  coalesce(sum(c.orders), 0)::int as orders, coalesce(sum(c.order_days), 0)::int as "orderDays",
  ${shown(sql`case when count(c.customer_id) = 0 then 0 else sum(c.value) end`)} as total,
  ${shown(sql`sum(c.value) / nullif(count(c.value), 0)`)} as mean,
  ${shown(sql`sum(c.value) / nullif(count(c.customer_id), 0)`)} as "totalPerCustomer",
  ${shown(sql`sum(c.brought) / nullif(sum(c.valued_days), 0)`)} as "averageOrderValue",
  sum(c.order_days)::float8 / nullif(count(c.customer_id), 0) as "ordersPerCustomer",
  coalesce(sum(c.orders - c.with_amount), 0)::int as "missingAmount",
  coalesce(sum(c.with_amount - c.valued), 0)::int as "noFxRate"`

function buckets(interval: Interval, { frame }: ValueQuery): Sql {
  const firstDay = (instant: Sql) => localDay(frame.timeZone, instant)
  const series = bucketSeries(interval, frame, firstDay(sql`(select min(first_at) from customers)`))
  return sql`(
    select coalesce(json_agg(b order by b."from"), '[]') from (
      select s."from", s."to", s.label, s.complete, ${summary}
      from (${series}) s left join customers c on ${bucketOf(interval, frame, firstDay(sql`c.first_at`))} = s.start
      group by s."from", s."to", s.label, s.complete
    ) b)`
}

const sortedBy = raw(`coalesce(c.value, '-Infinity'::numeric)`)

function customers(ctx: Context, { size, after }: NonNullable<ValueQuery['page']>): Sql {
  const rest = after
    ? sql`where (${sortedBy}, c.customer_id) < (${after.key}::numeric, ${after.id}::uuid)`
    : empty
  return sql`(
    select coalesce(json_agg(p order by p.rank), '[]') from (
      select row_number() over () as rank, t."customerId", t.orders, t."orderDays", t."firstOrderAt", t."lastOrderAt",
        t.value, t.key, case when exists (
          select from companies x where x.workspace_id = ${ctx.workspaceId} and x.id = t."customerId"
        ) then 'company' else 'contact' end as "customerType"
      from (
        select c.customer_id as "customerId", c.orders, c.order_days as "orderDays",
          to_char(c.first_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "firstOrderAt",
          to_char(c.last_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "lastOrderAt",
          ${shown(raw('c.value'))} as value, ${sortedBy}::text as key
        from customers c ${rest}
        order by ${sortedBy} desc, c.customer_id desc limit ${size + 1}
      ) t
    ) p)`
}

/** The statement behind the historic lifetime value: what every customer brought, then all that follows from it. */
export function valueSql(ctx: Context, query: ValueQuery): Sql {
  const { frame, margin, interval, page } = query
  const { ctes, bought } = orders(ctx, query)
  return sql`
    with ${ctes}, customers as materialized (
      select g.*, g.brought * ${margin}::numeric - coalesce(g.cost, 0) as value
      from (
        select b.customer_id, count(*) as orders, count(b.amount) as with_amount, count(b.brought) as valued,
          count(distinct b.day) as order_days,
          count(distinct case when b.brought is not null then b.day end) as valued_days,
          sum(b.brought) as brought, sum(b.cost) as cost, min(b.ordered_at) as first_at, max(b.ordered_at) as last_at
        from (${bought}) b group by b.customer_id
      ) g
      where not ${inBin(ctx, 'companies')} and not ${inBin(ctx, 'contacts')} ${inPeriod(sql`g.first_at`, frame)}
    )
    select (select row_to_json(v) from (select ${summary} from customers c) v) as value,
      ${interval ? buckets(interval, query) : sql`null::json`} as buckets,
      ${page ? customers(ctx, page) : sql`null::json`} as customers`
}
