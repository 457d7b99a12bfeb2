import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { isCursorId } from '../../kernel/page.js'
import {
  Closed,
  Computed,
  Id,
  Integer,
  Nullable,
  Number as AnyNumber,
  Text,
  Type,
  type Static
} from '../../kernel/schema.js'
import { deals } from '../../resources/deals/resource.js'
import { IntervalParameter } from '../buckets.js'
import { counted, type Numbers } from '../counted.js'
import { CurrencyParameter } from '../currency.js'
import { lastValues } from '../deal-state.js'
import { figure, type Answered } from '../figure.js'
import { MetricPage } from '../lifetime-value-page.js'
import { shown } from '../money.js'
import { described, DurationsParameter, refused, type Given, type Request } from '../parameters.js'
import { inPeriod, localDay, type Frame } from '../period.js'
import { MetricStage } from '../pipeline.js'
import { Count } from '../rate.js'
import { amountWarnings, dealConversion } from './facts.js'
import { dealParameters, dealScope, type DealScope } from './scope.js'
import { openShown } from './stages.js'
import { visitFacts } from './visits.js'

const parameters = {
  ...dealParameters,
  durations: DurationsParameter(),
  currency: CurrencyParameter(),
  interval: IntervalParameter('stalled deals by the day they entered their stage'),
  limit: described(Integer(1, 200), 'How many deals at most. Absent: 50.'),
  after: described(Text(1000), 'A cursor of the page before; give its `asOf` and `knownAt` too.')
}

type Asked = Request<Given<typeof parameters>>

const Threshold = Closed(
  {
    stage: MetricStage(),
    p90: Nullable(described(AnyNumber(), 'Days; null where no won deal was in the stage.'))
  },
  { 'x-type': 'StalledThreshold', description: 'How long nine of ten visits of won deals lasted at most.' }
)

const value = Closed(
  {
    count: Count('Stalled deals.'),
    amount: Nullable(Computed('Their amounts; null where none is known.')),
    thresholds: Type.Array(Threshold, { description: 'The open stages in their order.' })
  },
  { 'x-type': 'StalledDeals', description: 'Deals that are longer in their stage than won ones were.' }
)

type Value = Static<typeof value>

const Deal = Closed(
  {
    dealId: described(Id(), 'The deal.'),
    stage: MetricStage(),
    ageDays: described(AnyNumber(), 'Days since it entered the stage.'),
    amount: Nullable(Computed('Its amount in the currency of the answer.'))
  },
  { 'x-type': 'StalledDeal', description: 'A stalled deal.' }
)

interface PageRow {
  dealId: string
  stage: number
  ageDays: number
  amount: string | null
}

interface Found extends Numbers {
  amount: string | null
  missingAmount: number
  noFxRate: number
  thresholds?: { stage: number; p90: number }[]
  page?: PageRow[]
}

interface Place {
  age: number
  id: string
}

const encoded = ({ ageDays, dealId }: PageRow) =>
  Buffer.from(JSON.stringify([ageDays, dealId])).toString('base64url')

function placeOf({ given, place }: Asked): Place | undefined {
  if (given.after === undefined) return undefined
  try {
    const [age, id] = JSON.parse(Buffer.from(given.after, 'base64url').toString('utf8')) as [unknown, unknown]
    if (typeof age === 'number' && isCursorId(id)) return { age, id }
  } catch {
    // Neither is a text that is no JSON.
  }
  throw refused(place, 'after', 'This is not a cursor of ours.', 'invalid_cursor')
}

// The thresholds come from all visits so far, whatever the period asks about. Of these those of won deals that ended
// count; of the others those of open deals that go on.
function facts(scope: DealScope): Sql {
  const { ctx, frame, cuts } = scope
  const { ctes, converted } = dealConversion(scope)
  const all = {
    ...scope,
    cuts: { ...cuts, joins: empty, keys: empty, bucket: () => empty, dimensions: [] }
  }
  const visits = (of: DealScope, name: string, period: (at: Sql) => Sql) =>
    visitFacts(of, name, {
      columns: ['completed', 'days'],
      period,
      only: ({ completed, state }) => sql`${state} = case when ${completed} then 'won' else 'open' end`
    })
  const today = localDay(frame.workspaceZone, sql`${frame.asOf}::timestamptz`)
  const columns = [...(cuts.interval ? ['bucket'] : []), ...cuts.dimensions.map((_, i) => `key_${i + 1}`)]
  const isAll = frame.from === null && frame.to === null
  const past = isAll ? sql`past as (select * from visits)` : visits(all, 'past', () => empty)
  return sql`${ctes}, ${visits(scope, 'visits', at => inPeriod(at, frame))}, ${past}, thresholds as materialized (
      select p.stage, (percentile_cont(0.9) within group (order by p.days))::float8 as p90
      from past p where p.completed group by p.stage
    ), facts as materialized (
      select o.id, o.stage, o.days, v.amount, ${converted(raw('v.amount'), raw('v.currency'), today)} as value
        ${raw(columns.map(c => `, o.${c}`).join(''))}
      from visits o join thresholds t on t.stage = o.stage and o.days > t.p90
        join deals d on ${visible(ctx, deals, 'd')} and d.id = o.id
        ${lastValues(ctx, frame)}
      where not o.completed
    )`
}

const pageSql = (after: Place | undefined, size: number): Sql => sql`(
  select coalesce(json_agg(p), '[]') from (
    select x.id as "dealId", x.stage, x.days as "ageDays", ${shown(raw('x.value'))} as amount
    from facts x ${after ? sql`where (x.days, x.id) < (${after.age}::float8, ${after.id}::uuid)` : empty}
    order by x.days desc, x.id desc limit ${size + 1}
  ) p)`

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<Value>> {
  const scope = await dealScope(ctx, request, frame)
  const size = request.given.limit ?? 50
  let thresholds: Value['thresholds'] = []
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, scope.cuts, {
    ctes: facts(scope),
    counts: sql`${shown(raw('sum(f.value)'))} as amount`,
    members: {
      valued: sql`f.value is not null`,
      missingAmount: sql`f.amount is null`,
      noFxRate: sql`f.amount is not null and f.value is null`
    },
    once: {
      page: pageSql(placeOf(request), size),
      thresholds: sql`(select coalesce(json_agg(t), '[]') from thresholds t)`
    },
    value([row], { ids, reason }) {
      if (row!.thresholds) {
        const found = new Map(row!.thresholds.map(t => [t.stage, t.p90]))
        const stages = openShown(scope.pipeline, new Set(found.keys()))
        thresholds = stages.map(({ stage, index }) => ({ stage, p90: found.get(index) ?? null }))
      }
      ids('/count', [row!])
      ids('/amount', [row!], 'valued')
      if (row!.amount === null) reason('/amount', row!.all === 0 ? 'no_deals' : 'nothing_valued')
      for (const [i, { p90 }] of thresholds.entries()) {
        if (p90 === null) reason(`/thresholds/${i}/p90`, 'nothing_won')
      }
      return { count: row!.all, amount: row!.amount, thresholds }
    }
  })
  const { missingAmount, noFxRate, page = [] } = rows[0]!
  const excluded = { missingAmount, noFxRate }
  const hasMore = page.length > size
  const named = new Map(
    openShown(scope.pipeline, new Set(page.map(p => p.stage))).map(s => [s.index, s.stage])
  )
  const shownDeals = page.slice(0, size).map(deal => ({ ...deal, stage: named.get(deal.stage)! }))
  return {
    parameters: scope.settled,
    value,
    reasons,
    counts: { deals: value.count },
    excluded,
    warnings: amountWarnings(excluded),
    more: {
      currency: scope.currency,
      ...more,
      deals: shownDeals,
      page: { hasMore, nextCursor: hasMore ? encoded(page[size - 1]!) : null }
    }
  }
}

/** Deals that are longer in their stage than won ones were. */
export const stalledDeals = figure({
  name: 'stalled-deals',
  version: 1,
  summary: 'Open deals that are longer in their stage than won ones were',
  definition: [
    'An open deal is stalled when it is longer in its stage than nine of ten completed visits of won deals to that stage',
    'lasted. The thresholds come from all visits of the deals that the filter lets through, as of `asOf`; a period picks',
    'deals by the day they entered their stage. Amounts are converted by the latest rate on or before',
    '`asOf`.'
  ].join(' '),
  formula:
    'p90 = 0.9 quantile (type 7) of the days of completed visits of won deals; stalled: days since entry > p90.',
  unit: 'deals; days; money in the currency of the answer',
  source: 'Hyndman, Fan 1996 (quantiles of type 7).',
  subject: deals,
  parameters,
  value,
  ages: () => true,
  more: {
    deals: Type.Array(Deal, { description: 'A page of them, the longest first.' }),
    page: MetricPage()
  },
  picture: {
    whole: ({ thresholds }) => ({
      kind: 'bars',
      unit: 'days',
      names: thresholds.map(t => t.stage.name),
      series: [{ name: 'stalled after', values: thresholds.map(t => t.p90) }]
    }),
    compared: { name: 'stalled deals', unit: 'count', of: v => v.count }
  },
  answer
})
