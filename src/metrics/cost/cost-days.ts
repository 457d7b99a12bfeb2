import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { campaigns } from '../../resources/campaigns/resource.js'
import { costs } from '../../resources/costs/resource.js'
import { Enum } from '../../kernel/schema.js'
import { conversion } from '../currency.js'
import { described } from '../parameters.js'
import { recordsThen } from '../records-then.js'
import { localDay, type Frame } from '../period.js'

/** Which kinds of costs count. */
export const IncludeParameter = () =>
  described(Enum('CostInclude', ['all', 'marketing', 'sales']), 'Which costs.', 'all')

/** Which costs are looked at. */
export interface CostDaysQuery {
  frame: Frame
  currency: string
  include: 'all' | 'marketing' | 'sales'
  /** How many days later a cost counts. */
  lagDays: number
  /** A condition on the costs `c`, whose campaign is `p`. */
  filter: Sql
  joins: Sql
  /** Further columns. */
  columns: Sql
}

/**
 * Costs day by day: common table expressions, and the rows `(id, campaign_id, channel, day, cost)` of the period. One of
 * a span lies evenly on its days; one of a day exists from the start of it; each day is converted by its own rate. `day`
 * is the one that it counts on, `cost` null where there is no rate.
 */
export function costDays(ctx: Context, query: CostDaysQuery): { ctes: Sql; rows: Sql } {
  const { frame, currency, include, lagDays, filter, joins, columns } = query
  const { timeZone, workspaceZone, asOf, knownAt, from, to } = frame
  const first = sql`coalesce((
    select min(coalesce(f.date, f."from")) from costs f where ${visible(ctx, costs, 'f')}
  ) - 1, 'infinity'::date)`
  const { ctes, converted } = conversion(ctx, frame, currency, first)
  const counts = sql`(s.day + make_interval(days => ${lagDays}::int))`
  const midnight = sql`timezone(${timeZone}::text, ${counts})`
  const share = sql`(c.amount / (coalesce(c."to", c.date) - coalesce(c."from", c.date) + 1))`
  return {
    ctes,
    rows: sql`
      select c.id, c.campaign_id, coalesce(c.channel, p.channel) as channel, ${counts}::date as day,
        ${converted(share, raw('c.currency'), raw('s.day::date'))} as cost ${columns}
      from ${recordsThen(ctx, frame, costs, 'c')}
        left join campaigns p on ${visible(ctx, campaigns, 'p')} and p.id = c.campaign_id and p.deleted_at is null
        ${joins}
        cross join lateral generate_series(
          coalesce(c."from", c.date)::timestamp, coalesce(c."to", c.date)::timestamp, interval '1 day') s(day)
      where ${visible(ctx, costs, 'c')} and c.deleted_at is null and c.created_at <= ${knownAt}::timestamptz
        and s.day::date <= ${localDay(workspaceZone, sql`${asOf}::timestamptz`)} and ${filter}
        ${include === 'all' ? empty : sql`and c.category = ${include}`}
        ${from === null ? empty : sql`and ${midnight} >= ${from}::timestamptz`}
        ${to === null ? empty : sql`and ${midnight} < ${to}::timestamptz`}`
  }
}

/** The kinds of warning that costs give. */
export function costWarnings(ctx: Context, noFxRate: number, ofAll: boolean) {
  return [
    ...(noFxRate > 0
      ? [
          {
            code: 'no_fx_rate',
            message: 'Costs in a currency without a rate are in no sum.',
            count: noFxRate
          }
        ]
      : []),
    ...(ctx.owners !== null || ofAll
      ? [
          {
            code: 'cost_of_all',
            message:
              'All costs are set against the records counted here: what picks those says nothing of costs.'
          }
        ]
      : [])
  ]
}
