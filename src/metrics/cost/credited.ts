import { Big } from 'big.js'
import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { campaigns } from '../../resources/campaigns/resource.js'
import { deals } from '../../resources/deals/resource.js'
import { warningsOf } from '../attribution/assemble.js'
import { creditsOf } from '../attribution/credits.js'
import { journeyFacts, told } from '../attribution/journeys-sql.js'
import { read, sorted, type JourneyRow } from '../attribution/read.js'
import { bucketOf, type Interval } from '../buckets.js'
import { counted, cutsOf } from '../counted.js'
import { labelsOf } from '../groups.js'
import type { AttributionModel, ModelCredits } from '../models/attribution.js'
import type { Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { costDays, type CostDaysQuery } from './cost-days.js'
import { laterDeals } from './new-customers.js'

/** What customers are shared among. */
export type CreditedBy = 'channel' | 'campaign'

/** What was spent on a channel or campaign, and how many new customers it is credited with. */
export interface CreditedCost {
  cost: Big | null
  newCustomers: number
}

/** A channel or campaign, over all and by the first day of a bucket. */
export interface CreditedGroup {
  key: string | null
  label: string
  total: CreditedCost
  buckets: ReadonlyMap<string, CreditedCost>
}

interface CostRow {
  [column: string]: unknown
  key: string | null
  bucket: string | null
  whole: boolean
  cost: string | null
}

async function costsBy(
  ctx: Context,
  query: CostDaysQuery,
  by: CreditedBy,
  interval: Interval | undefined
): Promise<CostRow[]> {
  const { ctes, rows } = costDays(ctx, query)
  const bucket: Sql = interval ? bucketOf(interval, query.frame, raw('s.day')) : raw('null::date')
  return ctx.db.query<CostRow>(sql`
    with ${ctes}, keyed as (
      select ${raw(by === 'channel' ? 's.channel' : 's.campaign_id::text')} as key, ${bucket} as bucket, s.cost
      from (${rows}) s
    )
    select key, bucket, grouping(bucket) = 1 as whole, sum(cost)::text as cost
    from keyed group by grouping sets ((key), (key, bucket))`)
}

/** The credit of each key; those without a touch are nobody's. */
function creditOf(rows: readonly JourneyRow[], keys: readonly (string | null)[], { credits }: ModelCredits) {
  const found = new Map<string | null, number>()
  const add = (key: string | null, n: number) => void found.set(key, (found.get(key) ?? 0) + n)
  for (const { key, conversions } of credits) add(keys[key]!, conversions)
  const without = sorted(rows).unattributed.reduce((n, r) => n + r.all, 0)
  if (without > 0) add(null, without)
  return found
}

interface CreditedRequest {
  interval?: Interval
  currency?: string
}

/**
 * New customers by the channels or campaigns that a model credits with their first won deal, and what was spent on each.
 * `filter` is a condition on the deals `d`, `costs` the costs that count.
 */
export async function creditedGroups(
  ctx: Context,
  request: Request<CreditedRequest>,
  frame: Frame,
  { by, model, filter, costs }: { by: CreditedBy; model: AttributionModel; filter: Sql; costs: CostDaysQuery }
): Promise<{ groups: CreditedGroup[]; warnings: ReturnType<typeof warningsOf> }> {
  const { interval } = request.given
  const later = await laterDeals(ctx, frame, filter)
  const cuts = cutsOf(ctx, deals, 'd', { ...request, given: interval ? { interval } : {} }, frame)
  const parts: (readonly JourneyRow[])[] = []
  const { value: total, more } = await counted<JourneyRow, number>(ctx, request, frame, cuts, {
    ctes: journeyFacts(ctx, {
      frame,
      cuts,
      currency: costs.currency,
      by,
      scope: 'lead',
      lookbackDays: undefined,
      pipelineId: undefined,
      filter: sql`${filter} and d.id <> all(${later}::uuid[])`,
      withLeads: true
    }),
    by: told,
    counts: sql`count(f.amount)::int as "withAmount", count(f.value)::int as valued, sum(f.value)::text as value`,
    value: rows => parts.push(rows) - 1
  })
  const journeys = parts.map(rows => read(rows, true))
  const found = await creditsOf(
    { ...request, given: { models: [model] } },
    journeys.map(j => j.journeys),
    ctx.gone?.()
  )
  const credit = parts.map((rows, i) => creditOf(rows, journeys[i]!.keys, found[i]![0]!))
  const spent = await costsBy(ctx, costs, by, interval)
  const keys = [...new Set([...credit.flatMap(c => [...c.keys()]), ...spent.map(c => c.key)])]
  const labels = await labelsOf(ctx, [{ of: by === 'campaign' ? campaigns : undefined }], keys.map(k => [k])) // prettier-ignore
  const cells = ((more.buckets ?? []) as { from: string; value: number }[]).map(
    b => [b.from, b.value] as const
  )
  const costOf = (key: string | null, bucket: string | null) => {
    const row = spent.find(
      c => c.key === key && (bucket === null ? c.whole : !c.whole && c.bucket === bucket)
    )
    return row?.cost == null ? null : new Big(row.cost)
  }
  const groups = keys.map((key, i): CreditedGroup => ({
    key,
    label: labels[i]!,
    total: { cost: costOf(key, null), newCustomers: credit[total]!.get(key) ?? 0 },
    buckets: new Map(
      cells.map(([from, at]) => [from, { cost: costOf(key, from), newCustomers: credit[at]!.get(key) ?? 0 }])
    )
  }))
  const inOrder = new Intl.Collator('en', { numeric: true })
  groups.sort((a, b) => Number(a.key === null) - Number(b.key === null) || inOrder.compare(a.label, b.label))
  return { groups, warnings: warningsOf(journeys[total]!.attributed, [model]) }
}
