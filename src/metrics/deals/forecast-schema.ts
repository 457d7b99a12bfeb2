import {
  Closed,
  Computed,
  Enum,
  Instant,
  Integer,
  Nullable,
  Number as AnyNumber,
  Share,
  Type
} from '../../kernel/schema.js'
import { described } from '../parameters.js'
import { MetricStage } from '../pipeline.js'
import { Count } from '../rate.js'
import { forecastMethods } from './forecast-methods.js'

const Amount = (description: string) => Nullable(Computed(description))
const Figure = (description: string) => Nullable(described(AnyNumber(), description))

/** The method of a forecast. */
export const Method = () => Enum('ForecastMethodName', forecastMethods)

const Won = Closed(
  {
    n: Count('How many.'),
    value: Amount('Their amounts; null where none is known.')
  },
  {
    'x-type': 'ForecastWon',
    description:
      'Won deals: closedWon those of the window so far, which come on top of what the open ones bring; newBusiness those opened and won in the window before; actualFromOpen and actual those won in a window, of the deals open at its start and of all.'
  }
)

const Interval = Closed(
  {
    kind: described(
      Enum('ForecastIntervalKind', ['exact', 'drawn', 'normal']),
      'Worked out, from draws, or by the normal law, where draws would be more than 30 million.'
    ),
    draws: Nullable(described(Integer(1, 2147483647), 'How many.')),
    seed: Nullable(described(Integer(0, 2147483647), 'What they began with.')),
    quantiles: Type.Array(
      Closed(
        {
          p: described(Share(), 'A probability.'),
          total: Computed('The smallest total not exceeded with it.')
        },
        { 'x-type': 'ForecastQuantile', description: 'A total with its probability.' }
      )
    )
  },
  {
    'x-type': 'ForecastInterval',
    description: 'What the open deals may bring if they do not depend on each other: at least so wide.'
  }
)

const Outcome = Closed(
  { total: Computed('What is won.'), p: described(Share(), 'How likely it is.') },
  { 'x-type': 'ForecastOutcome', description: 'A total with its probability.' }
)

const MethodValue = Closed(
  {
    method: Method(),
    expectedWon: Figure('How many deals are expected to be won.'),
    expectedWonSd: Figure('Its standard deviation, if deals do not depend on each other.'),
    value: Amount('What they are expected to bring.'),
    sd: Amount('Its standard deviation, if deals do not depend on each other.'),
    interval: Type.Optional(Interval),
    fallback: Type.Optional(
      Count('Deals in stages with too few closed deals: they have the odds of the pipeline.')
    ),
    distribution: Type.Optional(
      Type.Array(Outcome, { description: 'Of given deals: at most 20 of them, and 4,096 totals.' })
    )
  },
  { 'x-type': 'ForecastMethod', description: 'What a method expects.' }
)

const part = {
  deals: Count('How many.'),
  dealsWithValue: Count('Those with a known amount.'),
  amount: Amount('Their amounts; null where none is known.'),
  weighted: Amount('The same weighed by their probabilities; null where none is known.'),
  sd: Amount('The standard deviation of what they bring.')
}

const Part = Closed(part, {
  'x-type': 'ForecastPart',
  description:
    'Open deals apart from the forecast: overdue ones were expected to close by the day of the figure, undated ones have no expected close, those outside are expected to close later, or before the window.'
})

const ByStage = Closed(
  { stage: MetricStage(), ...part },
  { 'x-type': 'ForecastStage', description: 'The open deals of a stage.' }
)

const Category = Closed(
  {
    category: Enum('ForecastCategoryName', ['pipeline', 'best_case', 'commit', 'closed']),
    deals: Count('How many.'),
    amount: Amount('Their amounts; null where none is known.')
  },
  {
    'x-type': 'ForecastCategoryValue',
    description: 'Deals of a category; closed are those won in the window.'
  }
)

const Tested = Closed(
  {
    method: Method(),
    won: Figure('How many deals it expected to be won.'),
    value: Amount('What it expected them to bring.'),
    error: Figure('Expected / actual - 1: of the open deals, or for run_rate and seasonal of all.')
  },
  { 'x-type': 'ForecastTested', description: 'What a method expected of a window that is over.' }
)

const TestedWindow = Closed(
  {
    from: described(Instant(), 'Its start, at which it was forecast.'),
    to: described(Instant(), 'Its end, itself outside.'),
    actualFromOpen: Won,
    actual: Won,
    methods: Type.Array(Tested)
  },
  { 'x-type': 'ForecastWindow', description: 'A window that is over.' }
)

const Accuracy = Closed(
  {
    method: Method(),
    mape: Figure('The mean of its errors without their signs.'),
    bias: Figure('The mean of its errors.')
  },
  { 'x-type': 'ForecastAccuracy', description: 'How good a method was.' }
)

const Backtest = Closed(
  {
    windows: Type.Array(TestedWindow),
    methods: Type.Array(Accuracy),
    best: Nullable(described(Method(), 'The method with the least mean error.'))
  },
  { 'x-type': 'ForecastBacktest', description: 'How the methods would have done in the windows before.' }
)

export const value = Closed(
  {
    horizonDays: Figure('Days until just before the end of the window; null where it has none.'),
    openDeals: Count('All open deals.'),
    deals: Count('Those that are forecast.'),
    dealsWithValue: Count('Those of them with a known amount.'),
    amount: Amount('Their amounts; null where none is known.'),
    closedWon: Won,
    methods: Type.Array(MethodValue),
    byStage: Type.Array(ByStage, { description: 'The deals that are forecast, by their stage.' }),
    overdue: Part,
    undated: Part,
    outside: Part,
    newBusiness: Won,
    categories: Type.Array(Category),
    backtest: Type.Optional(Backtest)
  },
  { 'x-type': 'Forecast', description: 'What the open deals will bring.' }
)
