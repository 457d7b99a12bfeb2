import { numberOf } from '../charts/of-figure.js'
import sql, { raw } from 'sql-template-tag'
import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { Enum, Integer, List, Share } from '../../kernel/schema.js'
import { deals } from '../../resources/deals/resource.js'
import { products } from '../../resources/products/resource.js'
import { inBackground } from '../background.js'
import { counted, type Notes } from '../counted.js'
import { CurrencyParameter } from '../currency.js'
import { figure, type WorkOut } from '../figure.js'
import { described, DurationsParameter, refused, type Given, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { amountWarnings } from './facts.js'
import { data, forecastOfData } from './forecast-data.js'
import { leastClosed } from './forecast-methods.js'
import { Method, value } from './forecast-schema.js'
import { rowOf, type Found } from './forecast-snapshot.js'
import { forecastCounts, forecastFacts, forecastMembers, type Needs } from './forecast-sql.js'
import {
  defaults,
  type Asked as ForecastAsked,
  type Lacks,
  type Settings,
  type Value
} from './forecast-value.js'
import { momentsOf } from './forecast-windows.js'
import { dealParameters, dealScope } from './scope.js'
import { kindsOf } from './stages.js'

const parameters = {
  ...dealParameters,
  methods: described(List(Method(), 7), 'How the window is forecast.', [...defaults.methods]),
  deals: described(
    Enum('ForecastDeals', ['expected', 'open']),
    'Open deals that are expected to close in the window; or all open ones, where expected closes are not kept.',
    defaults.deals
  ),
  overdue: described(
    Enum('ForecastOverdue', ['exclude', 'include']),
    'Whether deals that should have closed already are expected in the window.',
    defaults.overdue
  ),
  missingAmount: described(
    Enum('ForecastMissingAmount', ['exclude', 'list_price', 'mean_won']),
    "What a deal without an amount is worth: nothing is known; its product's list price; the mean of the deals of its product won so far, or of all where there is none.",
    defaults.missingAmount
  ),
  amounts: described(
    Enum('ForecastAmounts', ['fixed', 'drawn']),
    'With `drawn` an amount that stands at the mean of won ones is drawn from them in the interval.',
    defaults.amounts
  ),
  quantiles: described(List(Share(), 20), 'The probabilities that the interval tells totals of.', [
    ...defaults.quantiles
  ]),
  draws: described(Integer(10_000, 100_000), 'Draws of an interval that is not exact.', defaults.draws),
  seed: described(
    Integer(0, 2147483647),
    'What the draws begin with: the same seed, the same answer.',
    defaults.seed
  ),
  categories: described(
    Enum('ForecastCategories', ['individual', 'cumulative']),
    'Whether a category has only its own deals, or those of the surer ones too.',
    defaults.categories
  ),
  backtest: described(
    Integer(0, 24),
    'How many windows before are forecast to see how good the methods are.',
    4
  ),
  durations: DurationsParameter(),
  currency: CurrencyParameter()
}

type Asked = Request<Given<typeof parameters>>

const settingsOf = ({ given }: Asked): Settings => ({ ...defaults, ...given })

function needsOf({ methods, missingAmount, deals, overdue }: Settings): Needs {
  return {
    stageTimes: methods.includes('stage_age_conditional'),
    listPrices: missingAmount === 'list_price',
    wonValues: missingAmount === 'mean_won',
    chosen:
      deals === 'open'
        ? sql`true`
        : raw(overdue === 'include' ? `f.place in ('expected', 'overdue')` : `f.place = 'expected'`)
  }
}

const independent = {
  code: 'independent_deals',
  message: 'Intervals take deals as independent of each other; they are not, so that the real ones are wider.'
}

function warningsOf({ missingAmount, noFxRate, unknownOdds, fallback, closed }: Lacks) {
  const few = `fewer than ${leastClosed} closed deals`
  return [
    ...amountWarnings({ missingAmount, noFxRate }),
    {
      code: 'no_probability',
      message: 'Deals without a known probability are left out.',
      count: unknownOdds
    },
    {
      code: 'fallback',
      message: `Deals in stages with ${few} have the odds of the pipeline.`,
      count: fallback
    },
    {
      code: 'few_closed_deals',
      message: `The odds of the pipeline come from ${few}.`,
      count: closed < leastClosed ? closed : 0
    }
  ].filter(w => w.count > 0)
}

/** The rows of a cut, and its value, which is to be filled in. */
interface Part {
  rows: readonly Found[]
  notes: Notes<Found>
  value: Partial<Value>
}

// The ids behind the numbers stay here: nothing is worked out from them.
const withoutIds = ({ ids: _, ...row }: Found) => row as Found

async function fillIn(parts: readonly Part[], asked: ForecastAsked, stop: AbortSignal): Promise<Lacks> {
  const cuts = parts.map(p => p.rows.map(withoutIds))
  const found = await inBackground('forecasts', { cuts, asked }, stop)
  for (const [i, { rows, notes, value }] of parts.entries()) {
    const { value: filled, said } = found[i]!
    Object.assign(value, filled)
    const row = rowOf(rows, asked.moments[0]!)
    for (const [pointer, code] of said.reasons) notes.reason(pointer, code)
    for (const [pointer, member] of said.ids) notes.ids(pointer, row ? [row] : [], member)
  }
  return found[0]!.lacks
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<WorkOut<Value>> {
  const settings = settingsOf(request)
  if (settings.missingAmount === 'list_price') authorize(ctx, products.permissions.read)
  const scope = await dealScope(ctx, request, frame)
  const moments = await momentsOf(ctx, frame, scope.durations, settings.backtest)
  const needs = needsOf(settings)
  const { pipeline } = scope
  const { open } = kindsOf(pipeline)
  const parts: Part[] = []
  const { value, reasons, more } = await counted<Found, Value>(ctx, request, frame, scope.cuts, {
    ctes: forecastFacts(scope, moments, needs),
    by: ['run'],
    counts: forecastCounts(needs, open),
    members: forecastMembers(needs, open),
    value(rows, notes) {
      // All of its members are filled in before it is an answer.
      const value = {} as Value
      parts.push({ rows, notes, value })
      return value
    }
  })
  return async stop => {
    const lacks = await fillIn(parts, { moments, pipeline, settings }, stop)
    const { missingAmount, noFxRate } = lacks
    const windows = value.backtest?.windows.length
    return {
      parameters: scope.settled,
      value,
      reasons,
      counts: { deals: value.openDeals, closed: lacks.closed, ...(windows !== undefined && { windows }) },
      excluded: { missingAmount, noFxRate },
      warnings: [...(value.deals > 1 ? [independent] : []), ...warningsOf(lacks)],
      more: { currency: scope.currency, ...more }
    }
  }
}

/** What the open deals will bring. */
export const forecast = figure({
  name: 'forecast',
  version: 1,
  summary: 'What the open deals will bring',
  definition: [
    'What the deals that are open as of the figure are expected to bring in the window `[from, to)`; without `from` it begins',
    'then. A deal is expected by its expected close, unless all open ones are asked for; one whose expected close lies on or',
    'before the local day of the figure is overdue. `weighted` takes the probability of the deal, else that of its stage;',
    '`win_rate` won / closed of all deals closed so far; `stage_conversion` the same of those that came to its stage or',
    'further; `age_conditional` the share of deals of its age that were won within the days of the window, by cumulative',
    'incidence; `stage_age_conditional` the same since its last entry into its stage. `run_rate` is what the window of the',
    'same length before brought, `seasonal` that of a year before. What was won in the window so far comes on top of what the',
    'open deals bring. The back-test forecasts each of the last windows from what was a fact at its start, and compares the',
    'open deals with what came of them, `run_rate` and `seasonal` with all that was won. Categories: a deal without one is in',
    'the pipeline, an omitted one in none. In groups everything, the odds too, is of the deals of the group. Open amounts are',
    'converted by the latest rate on or before the day of the figure in the workspace’s own zone, those of won deals by that',
    'of the day they were won.'
  ].join(' '),
  formula: [
    'value = sum(amount * p); sd = sqrt(sum(p * (1 - p) * amount^2 + p * variance of a drawn amount));',
    'age_conditional: p = (I_won(age + h) - I_won(age)) / S(age), h = days to just before the end of the window, less what',
    'would be won before it begins; error = expected / actual - 1.'
  ].join(' '),
  unit: 'money in the currency of the answer; numbers of deals; days',
  source:
    'Salesforce Collaborative Forecasts guide; HubSpot forecast tool; Aalen, Johansen 1978; Hyndman, Athanasopoulos, Forecasting: principles and practice.',
  subject: deals,
  parameters,
  picture: {
    whole: ({ methods }) => ({
      kind: 'bars',
      unit: 'money',
      names: methods.map(m => m.method),
      series: [{ name: 'expected value', values: methods.map(m => numberOf(m.value)) }]
    }),
    compared: { name: 'open amount', unit: 'money', of: v => v.amount }
  },
  value,
  ages: () => true,
  answer,
  data: {
    schema: data,
    takes: ['methods', 'quantiles', 'draws', 'seed', 'categories'],
    answer(given, request, _frame, stop) {
      const settings = settingsOf(request)
      if (!settings.methods.includes('weighted'))
        throw refused(request.place, 'methods', 'data goes with the method weighted.', 'not_allowed')
      return forecastOfData(given, settings, stop)
    }
  }
})
