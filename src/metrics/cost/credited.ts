import { Big } from 'big.js'
import sql, { join, raw, type Sql } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { campaigns } from '../../resources/campaigns/resource.js'
import { deals } from '../../resources/deals/resource.js'
import { warningsOf } from '../attribution/assemble.js'
import { creditedRows, creditsOf } from '../attribution/credits.js'
import { journeyFacts, told } from '../attribution/journeys-sql.js'
import { read, sorted, type JourneyRow } from '../attribution/read.js'
import { bucketOf, type Interval } from '../buckets.js'
import { counted, cutsOf, type Numbers } from '../counted.js'
import { idColumns, type ExplainRequest } from '../explain.js'
import { labelsOf } from '../groups.js'
import type { AttributionModel, ModelCredits } from '../models/attribution.js'
import type { Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { costDays, type CostDaysQuery } from './cost-days.js'
import { laterDeals } from './new-customers.js'

/** What customers are shared among. */
export type CreditedBy = 'channel' | 'campaign'

/** Lists of ids, each as far as a page of them goes. */
type Ids = readonly (readonly string[] | null | undefined)[]

/** What was spent on a channel or campaign, and how many new customers it is credited with; whose both are. */
export interface CreditedCost {
  cost: Big | null
  newCustomers: number
  ids: { cost: Ids; newCustomers: Ids }
}

/** A channel or campaign, over all and by the first day of a bucket. */
export interface CreditedGroup {
  key: string | null
  label: string
  total: CreditedCost
  bucket(from: string): CreditedCost
}

interface CreditedRequest extends ExplainRequest {
  interval?: Interval
  currency?: string
}

interface CostRow {
  [column: string]: unknown
  key: string | null
  bucket: string | null
  whole: boolean
  cost: string | null
  ids?: Numbers['ids']
}

async function costsBy(
  ctx: Context,
  query: CostDaysQuery,
  by: CreditedBy,
  { interval, ...given }: CreditedRequest
): Promise<CostRow[]> {
  const { ctes, rows } = costDays(ctx, query)
  const ids = idColumns(given, { all: sql`true` })
  const bucket: Sql = interval ? bucketOf(interval, query.frame, raw('s.day')) : raw('null::date')
  return ctx.db.query<CostRow>(sql`
    with ${ctes}, keyed as (
      select s.id, ${raw(by === 'channel' ? 's.channel' : 's.campaign_id::text')} as key, ${bucket} as bucket, s.cost
      from (${rows}) s
    )
    select f.key, f.bucket, grouping(f.bucket) = 1 as whole, ${join([sql`sum(f.cost)::text as cost`, ...ids], ', ')}
    from keyed f group by grouping sets ((f.key), (f.key, f.bucket))`)
}

interface Credit {
  newCustomers: number
  rows: readonly JourneyRow[]
}

/** The credit of each key, and the journeys behind it; those without a touch are nobody's. */
function creditOf(
  rows: readonly JourneyRow[],
  keys: readonly (string | null)[],
  { model, credits }: ModelCredits
): Map<string | null, Credit> {
  const behind = creditedRows(rows, model)
  const found = new Map<string | null, Credit>()
  const add = (key: string | null, n: number, of: readonly JourneyRow[]) => {
    const { newCustomers, rows } = found.get(key) ?? { newCustomers: 0, rows: [] }
    found.set(key, { newCustomers: newCustomers + n, rows: [...rows, ...of] })
  }
  for (const { key, conversions } of credits) add(keys[key]!, conversions, behind.get(keys[key]!) ?? [])
  const { unattributed } = sorted(rows)
  const without = unattributed.reduce((n, r) => n + r.all, 0)
  if (without > 0) add(null, without, unattributed)
  return found
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
      subject: raw('coalesce(d.company_id, d.primary_contact_id)'),
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
  const spent = await costsBy(ctx, costs, by, request.given)
  const keys = [...new Set([...credit.flatMap(c => [...c.keys()]), ...spent.map(c => c.key)])]
  const labels = await labelsOf(ctx, [{ of: by === 'campaign' ? campaigns : undefined }], keys.map(k => [k])) // prettier-ignore
  const cells = new Map(
    ((more.buckets ?? []) as { from: string; value: number }[]).map(b => [b.from, credit[b.value]!])
  )
  const creditedCost = (
    key: string | null,
    bucket: string | null,
    credited: ReadonlyMap<string | null, Credit> | undefined
  ): CreditedCost => {
    const row = spent.find(
      c => c.key === key && (bucket === null ? c.whole : !c.whole && c.bucket === bucket)
    )
    const { newCustomers, rows } = credited?.get(key) ?? { newCustomers: 0, rows: [] }
    return {
      cost: row?.cost == null ? null : new Big(row.cost),
      newCustomers,
      ids: { cost: [row?.ids?.all], newCustomers: rows.map(r => r.ids?.all) }
    }
  }
  const groups = keys.map((key, i): CreditedGroup => ({
    key,
    label: labels[i]!,
    total: creditedCost(key, null, credit[total]),
    // Costs may have come before all journeys.
    bucket: from => creditedCost(key, from, cells.get(from))
  }))
  const inOrder = new Intl.Collator('en', { numeric: true })
  groups.sort((a, b) => Number(a.key === null) - Number(b.key === null) || inOrder.compare(a.label, b.label))
  return { groups, warnings: warningsOf(journeys[total]!.attributed, [model]) }
}
