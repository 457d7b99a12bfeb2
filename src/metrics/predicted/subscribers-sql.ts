import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { monthly, monthsBetween } from '../churn/sql.js'
import { customerKeys, isKept } from '../lifetime-value-sql.js'
import { shown } from '../money.js'
import { inPeriod } from '../period.js'
import { paymentsSql, subscribed, subscriptionRates } from '../subscription-payments.js'
import { common, type CustomerFacts, type OrdersQuery } from './customers-sql.js'

const frequency = raw(`case t.interval when 'week' then 30.4375 / 7 when 'quarter' then 1 / 3.0
  when 'year' then 1 / 12.0 else 1 end`)

// A customer stays as long as a subscription follows another without a day between; what brought nothing for a day is
// what was never there.
const spells = sql`spells as (
  select s.customer_id, min(s.start_date) as since, max(s.end_date) as until from (
    select a.*, count(*) filter (where a.apart) over (partition by a.customer_id order by a.start_date, a.id) as spell from (
      select r.*, r.start_date > max(r.end_date) over (partition by r.customer_id order by r.start_date, r.id
        rows between unbounded preceding and 1 preceding) as apart
      from runs r
    ) a
  ) s group by s.customer_id, s.spell
)`

const tenures = (last: Sql) => sql`tenures as (
  select p.customer_id, sum(${monthsBetween(raw('p.since'), sql`least(p.until, ${last})`)}) as months,
    count(*) filter (where p.until <= ${last}) as ended, max(p.until) as until
  from spells p group by p.customer_id
)`

// What a customer brings in a month is what ran on the last day, of now or as a customer.
const lately = (last: Sql) => sql`lately as (
  select r.customer_id, sum(r.monthly) as monthly, sum(r.frequency) filter (where r.monthly is not null) as frequency
  from runs r join tenures h on h.customer_id = r.customer_id
  where r.end_date >= least(h.until, ${last} + 1) group by r.customer_id
)`

/** Customers by their subscriptions until a day: what they brought, what they bring, how long they stay. */
export function subscriberFacts(ctx: Context, query: Omit<OrdersQuery, 'holdoutDays'>): CustomerFacts {
  const { frame, cuts, calibrationEnd, groupedBy } = query
  const last = sql`${calibrationEnd}::date`
  const rates = subscriptionRates(ctx, query)
  const ungrouped = { ...query, cuts: { ...cuts, dimensions: [], joins: sql``, keys: sql`` } }
  const columns = sql`t.customer_id, t.id, t.start_date, coalesce(t.end_date, 'infinity'::date) as end_date,
    ${frequency} as frequency, ${rates.converted(sql`(${monthly})`, raw('t.currency'), last)} as monthly`
  return {
    ctes: sql`
      ${rates.ctes}, bought as materialized (${paymentsSql(ctx, { ...query, last }, rates)}), runs as materialized (
        ${subscribed(ctx, ungrouped, columns, sql``)} and t.start_date <= ${last} and t.start_date < coalesce(t.end_date, 'infinity'::date)
      ), ${spells}, ${tenures(last)}, ${lately(last)}, facts as materialized (
        select g.*, h.months, h.ended, y.monthly, y.frequency ${cuts.bucket(raw('g.first_at'))}
        from (
          select b.customer_id as id, count(*) as orders, count(b.amount) as with_amount, count(b.brought) as valued,
            count(distinct b.day) as order_days, min(b.ordered_at) as first_at ${customerKeys(cuts, groupedBy)}
          from bought b group by b.customer_id
        ) g join tenures h on h.customer_id = g.id left join lately y on y.customer_id = g.id
        where ${isKept(ctx, raw('g.id'))}
          ${inPeriod(raw('g.first_at'), frame)}
      )`,
    counts: sql`
      ${common}, ${shown(sql`sum(f.monthly) / nullif(sum(f.frequency), 0)`)} as "averageOrderValue",
      sum(f.frequency)::float8 / nullif(count(f.monthly), 0)::float8 as "ordersPerMonth",
      case when sum(f.months) > 0 then least(sum(f.ended)::float8 / sum(f.months)::float8, 1) end as "monthlyChurn"`
  }
}
