import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { visible } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { orders as orderResource } from '../resources/orders/resource.js'
import { companies } from '../resources/companies/resource.js'
import { contacts } from '../resources/contacts/resource.js'
import type { Resource } from '../kernel/resource.js'
import type { Cuts } from './counted.js'
import { conversion } from './currency.js'
import { shown } from './money.js'
import { inPeriod, localDay, type Frame } from './period.js'
import { recordsThen } from './records-then.js'

/** Which orders are asked for. */
export interface OrderQuery {
  frame: Frame
  currency: string
  /** A condition on the orders `t`. */
  filter: Sql
  cuts: Cuts
}

/** Whose value is asked for, and how it is told. */
export interface ValueQuery extends OrderQuery {
  margin: number
  /** Whether customers are grouped by their first order, or by their last one. */
  groupedBy: 'first' | 'last'
}

/** What customers bought, as a select, and the common table expressions that it needs. */
export interface Bought {
  ctes: Sql
  bought: Sql
}

/** The page of customers, the one of most value first. */
export interface CustomerPage {
  size: number
  after: { key: string; id: string } | undefined
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
  /** The place in the page, where the database made it. */
  rank?: number
}

/**
 * Orders with their customer, local day and worth in one currency. They come from one index in the order of their
 * customers, which spares the grouping a sort; saying so also keeps what is worked out of an order from being worked out
 * again wherever it is used.
 */
export function boughtSql(ctx: Context, { frame, currency, filter, cuts }: OrderQuery): Bought {
  const { timeZone, workspaceZone, asOf, knownAt } = frame
  const first = sql`coalesce((
    select min(f.ordered_at) from orders f where ${visible(ctx, orderResource, 'f')} and f.deleted_at is null
  )::date - 1, 'infinity'::date)`
  const { ctes, converted } = conversion(ctx, frame, currency, first)
  const sameZone = timeZone === workspaceZone
  const at = raw('t.ordered_at')
  const [amount, cost] = [raw('d.amount'), raw('d.direct_cost')]
  const [of, day] = [raw('d.currency'), raw('d.rate_day')]
  const keys = cuts.dimensions.map((_, i) => `key_${i + 1}`)
  const bought = sql`
    select d.customer_id, d.id, d.ordered_at, d.amount, ${raw(sameZone ? 'd.rate_day' : 'd.local_day')} as day,
      ${converted(amount, of, day)} as brought,
      case when d.amount is not null and d.direct_cost <> 0 then ${converted(cost, of, day)} end as cost
      ${raw(keys.map(k => `, d.${k}`).join(''))}
    from (
      select t.customer_id, t.id, t.ordered_at, t.currency, t.amount, t.direct_cost,
        ${localDay(workspaceZone, at)} as rate_day ${sameZone ? empty : sql`, ${localDay(timeZone, at)} as local_day`}
        ${cuts.keys}
      from ${recordsThen(ctx, frame, orderResource, 't')} ${cuts.joins}
      where ${visible(ctx, orderResource, 't')} and t.deleted_at is null and t.ordered_at <= ${asOf}::timestamptz
        and t.created_at <= ${knownAt}::timestamptz and ${filter}
      order by t.customer_id
    ) d order by d.customer_id`
  return { ctes, bought }
}

const inBin = (ctx: Context, resource: Resource, id: Sql) => sql`exists (
  select from ${raw(resource.table)} binned
  where ${visible(ctx, resource, 'binned')} and binned.id = ${id} and binned.deleted_at is not null)`

/** The condition that a customer, a company or a contact, is not in the bin, as far as that can be seen. */
export const isKept = (ctx: Context, customer: Sql): Sql =>
  sql`not ${inBin(ctx, companies, customer)} and not ${inBin(ctx, contacts, customer)}`

/** What is said of customers, `facts f`. Value is kept exact; it is rounded where it is shown. */
export const summary = sql`
  count(f.id)::int as customers, count(f.value)::int as "customersWithValue",
  coalesce(sum(f.orders), 0)::int as orders, coalesce(sum(f.order_days), 0)::int as "orderDays",
  ${shown(sql`case when count(f.id) = 0 then 0 else sum(f.value) end`)} as total,
  ${shown(sql`sum(f.value) / nullif(count(f.value), 0)`)} as mean,
  ${shown(sql`sum(f.value) / nullif(count(f.id), 0)`)} as "totalPerCustomer",
  ${shown(sql`sum(f.brought) / nullif(sum(f.valued_days), 0)`)} as "averageOrderValue",
  sum(f.order_days)::float8 / nullif(count(f.id), 0) as "ordersPerCustomer",
  coalesce(sum(f.orders - f.with_amount), 0)::int as "missingAmount",
  coalesce(sum(f.with_amount - f.valued), 0)::int as "noFxRate"`

const sortedBy = raw(`coalesce(c.value, '-Infinity'::numeric)`)

/** A page of the customers among the facts, as JSON. */
export function customersSql(ctx: Context, { size, after }: CustomerPage): Sql {
  const rest = after ? sql`where (${sortedBy}, c.id) < (${after.key}::numeric, ${after.id}::uuid)` : empty
  return sql`(
    select coalesce(json_agg(p order by p.rank), '[]') from (
      select row_number() over () as rank, t."customerId", t.orders, t."orderDays", t."firstOrderAt", t."lastOrderAt",
        t.value, t.key, case when exists (
          select from companies x where x.workspace_id = ${ctx.workspaceId} and x.id = t."customerId"
        ) then 'company' else 'contact' end as "customerType"
      from (
        select c.id as "customerId", c.orders, c.order_days as "orderDays",
          to_char(c.first_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "firstOrderAt",
          to_char(c.last_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "lastOrderAt",
          ${shown(raw('c.value'))} as value, ${sortedBy}::text as key
        from facts c ${rest}
        order by ${sortedBy} desc, c.id desc limit ${size + 1}
      ) t
    ) p)`
}

/**
 * The group values of a customer: columns of what is grouped from the orders `b`, by the first or the last of them, or of
 * those that the filter of an aggregate lets through.
 */
export function customerKeys({ dimensions }: Cuts, groupedBy: ValueQuery['groupedBy'], filter = empty): Sql {
  const order = raw(groupedBy === 'first' ? 'b.ordered_at, b.id' : 'b.ordered_at desc, b.id desc')
  const keys = dimensions.map((_, i) => {
    const key = raw(`key_${i + 1}`)
    return sql`, (array_agg(b.${key} order by ${order}) ${filter})[1] as ${key}`
  })
  return keys.length > 0 ? join(keys, '') : empty
}

/** The facts behind the historic lifetime value: what every customer brought, by their orders or what is told as such. */
export function customerFacts(ctx: Context, query: ValueQuery, { ctes, bought }: Bought): Sql {
  const { frame, margin, cuts, groupedBy } = query
  return sql`
    ${ctes}, facts as materialized (
      select g.*, g.brought * ${margin}::numeric - coalesce(g.cost, 0) as value ${cuts.bucket(raw('g.first_at'))}
      from (
        select b.customer_id as id, count(*) as orders, count(b.amount) as with_amount, count(b.brought) as valued,
          count(distinct b.day) as order_days,
          count(distinct b.day) filter (where b.brought is not null) as valued_days,
          sum(b.brought) as brought, sum(b.cost) as cost, min(b.ordered_at) as first_at, max(b.ordered_at) as last_at
          ${customerKeys(cuts, groupedBy)}
        from (${bought}) b group by b.customer_id
      ) g
      where ${isKept(ctx, raw('g.id'))} ${inPeriod(sql`g.first_at`, frame)}
    )`
}
