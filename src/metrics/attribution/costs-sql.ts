import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { campaigns } from '../../resources/campaigns/resource.js'
import { costs } from '../../resources/costs/resource.js'
import { bucketOf, type Interval } from '../buckets.js'
import { conversion } from '../currency.js'
import { localDay, type Frame } from '../period.js'

/** What costs are asked for. */
export interface CostQuery {
  frame: Frame
  currency: string
  by: 'channel' | 'campaign'
  include: 'all' | 'marketing' | 'sales'
  interval: Interval | undefined
}

/** What was spent for a channel or campaign; over all buckets where `bucket` is null. */
export interface CostRow {
  [column: string]: unknown
  key: string | null
  bucket: string | null
  cost: string | null
  noFxRate: number
}

/**
 * The costs of the period by channel or campaign. One of a span lies evenly on its days, one of a day exists from the
 * start of it; each day is converted by its own rate.
 */
export function costSql(ctx: Context, { frame, currency, by, include, interval }: CostQuery): Sql {
  const { timeZone, workspaceZone, asOf, knownAt, from, to } = frame
  const first = sql`coalesce((
    select min(coalesce(f.date, f."from")) from costs f where ${visible(ctx, costs, 'f')}
  ) - 1, 'infinity'::date)`
  const { ctes, converted } = conversion(ctx, frame, currency, first)
  const day = raw('s.day::date')
  const midnight = sql`timezone(${timeZone}::text, s.day)`
  const key = raw(by === 'channel' ? 'coalesce(c.channel, g.channel)' : 'c.campaign_id::text')
  const bucket = interval ? bucketOf(interval, frame, day) : sql`null::date`
  return sql`
    with ${ctes}, spent as (
      select ${key} as key, ${bucket} as bucket,
        ${converted(sql`(c.amount / (coalesce(c."to", c.date) - coalesce(c."from", c.date) + 1))`, raw('c.currency'), day)} as cost
      from costs c left join campaigns g
          on ${visible(ctx, campaigns, 'g')} and g.id = c.campaign_id and g.deleted_at is null
        cross join lateral generate_series(
          coalesce(c."from", c.date)::timestamp, coalesce(c."to", c.date)::timestamp, interval '1 day') s(day)
      where ${visible(ctx, costs, 'c')} and c.deleted_at is null and c.created_at <= ${knownAt}::timestamptz
        ${include === 'all' ? empty : sql`and c.category = ${include}`}
        and s.day::date <= ${localDay(workspaceZone, sql`${asOf}::timestamptz`)}
        ${from === null ? empty : sql`and ${midnight} >= ${from}::timestamptz`}
        ${to === null ? empty : sql`and ${midnight} < ${to}::timestamptz`}
    )
    select key, ${raw(interval ? 'bucket' : 'null::date as bucket')}, sum(cost)::text as cost,
      (count(*) - count(cost))::int as "noFxRate"
    from spent where key is not null
    group by ${raw(interval ? 'grouping sets ((key), (key, bucket))' : 'key')}`
}
