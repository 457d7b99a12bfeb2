import { numberOf } from '../charts/of-figure.js'
import { Big } from 'big.js'
import sql, { raw } from 'sql-template-tag'
import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { Enum, Integer, List, Number as AnyNumber, Share } from '../../kernel/schema.js'
import { campaigns } from '../../resources/campaigns/resource.js'
import { costs as costResource } from '../../resources/costs/resource.js'
import { deals } from '../../resources/deals/resource.js'
import { leads } from '../../resources/leads/resource.js'
import { touches } from '../../resources/touches/resource.js'
import { IntervalParameter } from '../buckets.js'
import { counted, cutsOf, type Notes } from '../counted.js'
import { filteredDeals } from '../deal-filter.js'
import { CurrencyParameter } from '../currency.js'
import { figure, type WorkOut } from '../figure.js'
import { GroupAtParameter, GroupByParameter, labelsOf } from '../groups.js'
import { attributionModels } from '../models/attribution.js'
import {
  commonParameters,
  described,
  FilterParameter,
  PipelineParameter,
  type Given,
  type Request
} from '../parameters.js'
import type { Frame } from '../period.js'
import { pipelineOf } from '../pipeline.js'
import { attributionOf, warningsOf } from './assemble.js'
import { creditedRows, creditsOf } from './credits.js'
import { costWarnings } from '../cost/cost-days.js'
import { costSql, type CostRow } from './costs-sql.js'
import { attributionData, fromData } from './data.js'
import { journeyFacts, told, type JourneyQuery } from './journeys-sql.js'
import { read, sorted, type JourneyRow } from './read.js'
import { attributionValue, ModelName, type AttributionValue } from './schema.js'

const parameters = {
  ...commonParameters,
  by: described(Enum('AttributionBy', ['channel', 'campaign']), 'What is credited.', 'channel'),
  models: described(List(ModelName(), attributionModels.length), 'The models.', [...attributionModels]),
  scope: described(
    Enum('AttributionScope', ['lead', 'deal']),
    'Whose touches make the journey of a deal: those of its lead, or of all contacts of the deal and their leads.',
    'lead'
  ),
  lookbackDays: described(
    { ...AnyNumber(), minimum: 0, maximum: 36500 },
    'Only touches at most so many days before the close. Absent: all.'
  ),
  halfLifeDays: described(
    { ...AnyNumber(), minimum: 0.01, maximum: 36500 },
    'Of `time_decay`: the days in which the weight of a touch halves.',
    7
  ),
  markovOrder: described(Integer(1, 3), 'Of `markov`: how many touches a state remembers.', 1),
  nulls: described(
    Enum('AttributionNulls', ['include', 'exclude']),
    'Of `markov`: whether journeys that did not convert count.',
    'include'
  ),
  margin: described(Share(), 'The share of value that is left after variable costs, for `roi`.', 1),
  include: described(Enum('CostInclude', ['all', 'marketing', 'sales']), 'Which costs.', 'all'),
  bootstrap: described(Integer(0, 1000), 'Adds intervals from so many samples of the journeys; 0: none.', 0),
  seed: described(Integer(0, 2147483647), 'What the samples begin with: the same ones for the same seed.', 1),
  currency: CurrencyParameter(),
  pipelineId: described(PipelineParameter(), 'Only deals closed in this pipeline. Absent: in any.'),
  filter: FilterParameter(deals),
  interval: IntervalParameter('deals by their close, leads by their creation, costs by their day'),
  groupBy: GroupByParameter(deals),
  groupAt: GroupAtParameter()
}

type Asked = Request<Given<typeof parameters>>

const definition = [
  'What channels or campaigns are credited with for the deals won in the period (by their last close).',
  'The journey of a deal are the touches of its lead until the close, by time and `seq`; with `scope=deal` those of all',
  'its contacts. The models share each deal and its value among the touches of its journey; deals without any are',
  '`unattributed`. Markov learns from journeys that did not convert too: deals lost in the period, and leads created in',
  'it that were given up and never had a deal; what is still on its way is `censored`. A filter is about deals, so with',
  'one leads without a deal are left out; in groups they are in the one without values.',
  '`w_shaped` credits the last touch before the lead was made, and before the deal was. `markov` counts touches of one',
  'key in a row once where it remembers more than one. A deal without an amount, or without a rate for it, is a',
  'conversion of no value and is in `excluded`. Costs are those of the period by the campaign or its channel; no record',
  'is unknown, not 0; they are not told apart by groups. Attribution shares credit, it does not measure cause.',
  'The ids behind a credit are the won deals that the model gives the key a part of. Markov shares all of them by what',
  'the key does to the whole: there they are the won deals whose journey has the key, and a key that is in none may have credit.'
].join(' ')

const formula = [
  'credit of touch i of n: first, last: all to touch 1, n; last_non_direct: to the last touch that is not direct, else',
  'the last; linear: 1/n; position: 0.4 to the first and the last, 0.2 / (n - 2) to the others, 0.5 each of two;',
  'w_shaped: 0.3 to the first, to that of the lead and to that of the deal, 0.1 to the rest together, in proportion where',
  'one is missing; time_decay: 2^(-age/halfLife), in proportion; shapley: 1 / distinct keys to each key;',
  'markov: removal effect / sum of removal effects, removal effect = 1 - P(conversion without the key) / P(conversion);',
  'roi = (value * margin - cost) / cost; roas = value / cost.'
].join(' ')

function explained(rows: readonly JourneyRow[], { ids }: Notes<JourneyRow>): void {
  const { won, attributed, unattributed, nulls, censored } = sorted(rows)
  for (const name of ['conversions', 'amount']) ids(`/${name}`, won)
  for (const name of ['conversions', 'value']) {
    ids(`/attributed/${name}`, attributed)
    ids(`/unattributed/${name}`, unattributed)
  }
  ids('/nulls', nulls)
  ids('/censored', censored)
}

/** The journeys behind a credit are those that the model gives its key a part of. */
function explainedCredits(
  value: AttributionValue,
  rows: readonly JourneyRow[],
  halfLifeDays: number | undefined,
  { ids }: Notes<JourneyRow>
): void {
  value.models.forEach(({ model, credits }, m) => {
    const behind = creditedRows(rows, model, halfLifeDays)
    credits.forEach(({ key }, i) => {
      for (const name of ['conversions', 'value'])
        ids(`/models/${m}/credits/${i}/${name}`, behind.get(key) ?? [])
    })
  })
}

/** The facts of one cut, and the value that the models are to fill in. */
interface Part {
  rows: readonly JourneyRow[]
  notes: Notes<JourneyRow>
  value: AttributionValue
}

/** What is credited, as readers call it. */
async function namesOf(ctx: Context, by: 'channel' | 'campaign', keys: readonly (string | null)[]) {
  const distinct = [...new Set(keys)]
  const labels = await labelsOf(
    ctx,
    [{ of: by === 'campaign' ? campaigns : undefined }],
    distinct.map(k => [k])
  )
  return new Map(distinct.map((key, i) => [key, labels[i]!]))
}

/** What was spent in all, or in the bucket that begins on a day, by key. */
const spent = (costs: readonly CostRow[], bucket: string | null): Map<string | null, Big> =>
  new Map(costs.filter(c => c.bucket === bucket && c.cost !== null).map(c => [c.key, new Big(c.cost!)]))

const nothing: ReadonlyMap<string | null, Big> = new Map()

/** Where costs are told apart: in the total, and in buckets by their first day. */
type Costed = ReadonlyMap<AttributionValue, string | null>

function costedOf(total: AttributionValue, { buckets }: Record<string, unknown>): Costed {
  const cut = (buckets ?? []) as { from: string; value: AttributionValue }[]
  return new Map([[total, null], ...cut.map(b => [b.value, b.from] as const)])
}

/** What the values of all parts are made of. */
interface Behind {
  sets: readonly ReturnType<typeof read>[]
  names: Awaited<ReturnType<typeof namesOf>>
  costs: readonly CostRow[]
  costed: Costed
}

/** Lets the models work on all parts, in a thread of its own, and fills their values in. */
async function fillIn(
  request: Asked,
  parts: readonly Part[],
  { sets, names, costs, costed }: Behind,
  stop: AbortSignal
) {
  const { margin = 1 } = request.given
  const journeys = sets.map(s => s.journeys)
  const found = await creditsOf(request, journeys, stop)
  parts.forEach(({ rows, notes, value }, i) => {
    const bucket = costed.get(value)
    const shown = attributionOf(sets[i]!, found[i]!, {
      margin,
      costs: bucket === undefined ? nothing : spent(costs, bucket),
      labelOf: key => names.get(key)!,
      reason: notes.reason
    })
    Object.assign(value, shown)
    if (!request.given.explain) return
    explained(rows, notes)
    explainedCredits(value, rows, request.given.halfLifeDays, notes)
  })
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<WorkOut<AttributionValue>> {
  for (const resource of [deals, leads, touches, costResource]) authorize(ctx, resource.permissions.read)
  const { given } = request
  if (given.pipelineId !== undefined) await pipelineOf(ctx, request, frame)
  const {
    by = 'channel',
    scope = 'lead',
    currency = frame.baseCurrency,
    include = 'all',
    nulls = 'include'
  } = given
  const cuts = cutsOf(ctx, deals, 'd', request, frame)
  const query: JourneyQuery = {
    frame,
    cuts,
    currency,
    by,
    scope,
    lookbackDays: given.lookbackDays,
    pipelineId: given.pipelineId,
    filter: filteredDeals(ctx, request, frame),
    subject: raw('d.id'),
    withLeads: Object.keys(given.filter ?? {}).length === 0
  }
  const parts: Part[] = []
  const { rows, value, reasons, more } = await counted<JourneyRow, AttributionValue>(
    ctx,
    request,
    frame,
    cuts,
    {
      ctes: journeyFacts(ctx, query),
      by: told,
      counts: sql`count(f.amount)::int as "withAmount", count(f.value)::int as valued, sum(f.value)::text as value`,
      value(rows, notes) {
        const value = {} as AttributionValue
        parts.push({ rows, notes, value })
        return value
      }
    }
  )
  const costs = await ctx.db.query<CostRow>(
    costSql(ctx, { frame, currency, by, include, interval: cuts.interval })
  )
  const unconverted = costs.filter(c => c.bucket === null).reduce((n, c) => n + c.noFxRate, 0)
  const sets = parts.map(p => read(p.rows, nulls === 'include'))
  const names = await namesOf(ctx, by, [...sets.flatMap(s => s.keys), ...costs.map(c => c.key)])
  const behind = { sets, names, costs, costed: costedOf(value, more) }
  return async stop => {
    await fillIn(request, parts, behind, stop)
    const { won } = sorted(rows)
    const sum = (of: (row: JourneyRow) => number) => won.reduce((n, r) => n + of(r), 0)
    const { conversions, attributed, nulls, censored } = value
    return {
      parameters: { currency },
      value,
      reasons,
      more: { currency, ...more },
      counts: { deals: conversions, nulls, censored },
      excluded: {
        missingAmount: sum(r => r.all - r.withAmount),
        noFxRate: sum(r => r.withAmount - r.valued),
        censored
      },
      warnings: [
        ...warningsOf(attributed.conversions, given.models ?? attributionModels),
        ...costWarnings(ctx, unconverted, !query.withLeads)
      ]
    }
  }
}

// More bars side by side are not told apart.
const mostSeries = 5

/** What channels and campaigns are credited with. */
export const attribution = figure({
  name: 'attribution',
  version: 1,
  summary: 'What channels or campaigns are credited with for won deals',
  definition,
  formula,
  unit: 'won deals and shares of them; money in the currency of the answer; roi and roas are fractions',
  source:
    'Anderl, Becker, von Wangenheim, Schumann 2016 (Markov); Zhao, Mahboobi, Bagheri 2018 (Shapley); HubSpot (models).',
  subject: deals,
  parameters,
  picture: {
    whole({ models }) {
      const labels = new Map(models.flatMap(m => m.credits.map(c => [c.key, c.label])))
      const keys = [...labels.keys()]
      return {
        kind: 'bars',
        unit: 'money',
        names: [...labels.values()],
        series: models.slice(0, mostSeries).map(({ model, credits }) => ({
          name: model,
          values: keys.map(key => numberOf(credits.find(c => c.key === key)?.value ?? null))
        }))
      }
    },
    compared: { name: 'credited value', unit: 'money', of: v => v.attributed.value }
  },
  value: attributionValue,
  data: {
    schema: attributionData,
    takes: ['models', 'halfLifeDays', 'markovOrder', 'nulls', 'margin', 'bootstrap', 'seed'],
    answer: fromData
  },
  answer
})
