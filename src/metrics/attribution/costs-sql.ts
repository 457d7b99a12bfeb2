import sql, { empty, raw, type Sql } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { bucketOf, type Interval } from '../buckets.js'
import { costDays } from '../cost/cost-days.js'
import type { Frame } from '../period.js'

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
  /** Costs without a rate, which are not in it. */
  noFxRate: number
}

/** The costs of the period by channel or campaign. */
export function costSql(ctx: Context, { by, interval, ...query }: CostQuery): Sql {
  const { ctes, rows } = costDays(ctx, {
    ...query,
    lagDays: 0,
    filter: sql`true`,
    joins: empty,
    columns: empty
  })
  const key = raw(by === 'channel' ? 's.channel' : 's.campaign_id::text')
  const bucket = interval ? bucketOf(interval, query.frame, raw('s.day')) : raw('null::date')
  return sql`
    with ${ctes}, spent as (select s.id, ${key} as key, ${bucket} as bucket, s.cost from (${rows}) s)
    select key, ${raw(interval ? 'bucket' : 'null::date as bucket')}, sum(cost)::text as cost,
      (count(distinct id) filter (where cost is null))::int as "noFxRate"
    from spent where key is not null
    group by ${raw(interval ? 'grouping sets ((key), (key, bucket))' : 'key')}`
}
