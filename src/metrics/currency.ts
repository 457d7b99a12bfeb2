import sql, { type Sql } from 'sql-template-tag'
import { visible } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { Currency } from '../kernel/schema.js'
import { exchangeRates } from '../resources/exchange-rates/resource.js'
import { described } from './parameters.js'
import { localDay, type Frame } from './period.js'
import { recordsThen } from './records-then.js'

/** The currency that a figure answers in. */
export const CurrencyParameter = () =>
  described(Currency(), "The currency of the answer, ISO 4217. Absent: the workspace's base currency.")

/** How a statement converts amounts: common table expressions, and what an amount of a currency and a day becomes. */
export interface Conversion {
  ctes: Sql
  /** The amount in the currency of the figure; null where there is no rate. */
  converted(amount: Sql, currency: Sql, day: Sql): Sql
}

/**
 * Converts by dated rates: the latest one on or before the local day of the event in the workspace's own zone. The base
 * currency's rate is 1; an amount in the currency asked for needs none. No other rate is ever assumed. `first` is a
 * day that no event comes before, as far as is known now: rates need not be told apart earlier.
 */
export function conversion(ctx: Context, frame: Frame, currency: string, first: Sql): Conversion {
  const { baseCurrency: base, asOf, knownAt, past, workspaceZone } = frame
  const last = localDay(workspaceZone, sql`${asOf}::timestamptz`)
  // One flat object holds the rate of every currency and day: a join would cost the events the order in which they were
  // read. It ends with the last rate, which is that of all days after it, however far ahead these lie.
  const ctes = sql`
    dated as (
      select r.currency, r.date, r.rate_to_base,
        lead(r.date) over (partition by r.currency order by r.date) - 1 as until
      from ${recordsThen(ctx, frame, exchangeRates, 'r')}
      where ${visible(ctx, exchangeRates, 'r')} and r.deleted_at is null and r.created_at <= ${knownAt}::timestamptz
        and r.date <= ${last}
    ), ending as (
      select max(d.date) as day from dated d
    ), rates as materialized (
      select jsonb_object_agg(d.currency || ' ' || s.day::date::text, d.rate_to_base) as by_day,
        min(e.day) as last_day
      from dated d cross join ending e cross join lateral generate_series(
        greatest(d.date, least(${past ? sql`'-infinity'::date` : first}, e.day))::timestamp, coalesce(d.until, e.day)::timestamp, interval '1 day'
      ) as s(day)
    )`
  const rate = (of: Sql, day: Sql) => sql`(
    (select by_day from rates) -> (${of} || ' ' || least(${day}, (select last_day from rates))::text)
  )::numeric`
  return {
    ctes,
    converted(amount, of, day) {
      if (currency === base)
        return sql`case when ${of} = ${base} then ${amount} else ${amount} * ${rate(of, day)} end`
      const asked = rate(sql`${currency}::text`, day)
      return sql`case ${of} when ${currency} then ${amount} when ${base} then ${amount} / ${asked}
        else ${amount} * ${rate(of, day)} / ${asked} end`
    }
  }
}
