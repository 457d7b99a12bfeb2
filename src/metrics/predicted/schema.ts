import {
  Bool,
  Closed,
  Computed,
  Day,
  Enum,
  GivenAmount,
  Integer,
  Nullable,
  Number as AnyNumber,
  Share,
  Type,
  type Static,
  type TObject
} from '../../kernel/schema.js'
import { Days, described } from '../parameters.js'
import { Count } from '../rate.js'

// Fits are looked for within e^±9 of the means of time and money; this leaves room for those found elsewhere.
const Shape = () => ({ ...AnyNumber(), exclusiveMinimum: 0, maximum: 1e6 })
const TimeScale = () => ({ ...AnyNumber(), exclusiveMinimum: 0, maximum: 1e9 })
const MoneyScale = () => ({ ...AnyNumber(), exclusiveMinimum: 0, maximum: 1e18 })

const orNull = <T extends TObject>(schema: T) =>
  Type.Unsafe<Static<T> | null>({ ...schema, type: ['object', 'null'] })

/** The units of time of the model, in days. */
export const units = { week: 7, day: 1 } as const

const ModelUnit = () => Enum('LifetimeValueUnit', ['week', 'day'])

/** The parameters of the methods that look ahead. */
export const predictedParameters = {
  monthlyDiscount: described(Share(), 'The interest of a month, with `method=simple` or `bg_nbd`.', 0),
  months: described(Integer(1, 600), 'The months of value, with `method=bg_nbd`.', 12),
  unit: described(ModelUnit(), 'The unit of time of the model, with `method=bg_nbd`.', 'week'),
  calibrationEnd: described(
    Day(),
    'The last local day that is learnt from, included, with `method=simple` or `bg_nbd`. Absent: the day of `asOf`.'
  ),
  holdoutDays: described(
    Integer(1, 3660),
    'Compares with the days after it, with `method=bg_nbd`. Absent: not.'
  ),
  expectedDays: described(
    Integer(1, 36600),
    'The days for which orders are expected, with `method=bg_nbd`. Absent: `holdoutDays`, else those of `months`.'
  )
}

const common = {
  logLikelihood: described(AnyNumber(), 'The logarithm of the likelihood there, times in the unit.'),
  converged: described(Bool(), 'Whether the search for the maximum ended at one.'),
  n: Count('Customers that it was found from.')
}

const BgNbdFit = Closed(
  {
    r: described(AnyNumber(), 'Shape of the rates of orders.'),
    alpha: described(AnyNumber(), 'Scale of the rates, in the unit of time.'),
    a: described(AnyNumber(), 'First shape of the chances to leave.'),
    b: described(AnyNumber(), 'Second shape.'),
    ...common,
    repeaters: Count('Those who came again.')
  },
  { 'x-type': 'BgNbd', description: 'The BG/NBD model of when customers order, by maximum likelihood.' }
)

const GammaGammaFit = Closed(
  {
    p: described(AnyNumber(), 'Shape of the values of an order.'),
    q: described(AnyNumber(), 'Shape of their scales.'),
    gamma: described(AnyNumber(), 'Scale of their scales, in the currency of the answer.'),
    ...common
  },
  {
    'x-type': 'GammaGamma',
    description: 'The Gamma-Gamma model of what orders are worth, by maximum likelihood.'
  }
)

const ByFrequency = Closed(
  {
    x: Count('Order days after the first one; 7: as many or more.'),
    n: Count('Customers.'),
    actual: described(AnyNumber(), 'Order days that came, for each.'),
    expected: described(AnyNumber(), 'Those expected, for each.')
  },
  { 'x-type': 'HoldoutByFrequency', description: 'Customers who had ordered as often.' }
)

const Holdout = Closed(
  {
    days: Count('Days held out.'),
    orders: Count('Order days that came.'),
    spend: Computed('What they brought.'),
    expected: described(AnyNumber(), 'Order days expected.'),
    constantRate: described(AnyNumber(), "Those that each customer's rate until then would have given."),
    byFrequency: Type.Array(ByFrequency, { description: 'By how often they had ordered.' }),
    meanAbsoluteError: described(AnyNumber(), 'The mean distance for a customer.'),
    correlation: described(Nullable(AnyNumber()), 'Of expected and actual order days.'),
    topDecileSpendShare: described(
      Nullable(Share()),
      'The share of spend by the tenth of customers of most value.'
    )
  },
  { 'x-type': 'Holdout', description: 'What was expected after calibration, and what came.' }
)

/** The members of the value that the methods add. */
export const predictedValue = {
  ordersPerMonth: Type.Optional(
    described(
      Nullable(AnyNumber()),
      'Order days in a month with any, of `simple`; by subscriptions how often they are paid in a month.'
    )
  ),
  monthlyChurn: Type.Optional(
    described(
      Nullable(Share()),
      'The share of months with an order that the next one has none after, of `simple`; by subscriptions of months at whose end none ran any more.'
    )
  ),
  undiscounted: Type.Optional(Nullable(Computed('The value of a customer to come, of `simple`.'))),
  discounted: Type.Optional(Nullable(Computed('The same discounted, the first month now.'))),
  unit: Type.Optional(described(ModelUnit(), 'The unit of time of `bg_nbd`.')),
  bgNbd: Type.Optional(orNull(BgNbdFit)),
  gammaGamma: Type.Optional(orNull(GammaGammaFit)),
  correlation: Type.Optional(
    described(Nullable(AnyNumber()), 'Of how often and how much: the model of values assumes none.')
  ),
  meanPAlive: Type.Optional(
    described(Nullable(Share()), 'The mean probability that a customer will come again.')
  ),
  expectedNewCustomer: Type.Optional(
    described(Nullable(AnyNumber()), 'Orders expected of a new customer after the first, in `expectedDays`.')
  ),
  expectedOrders: Type.Optional(
    described(Nullable(AnyNumber()), 'Orders expected of all in `expectedDays`.')
  ),
  meanExpectedValue: Type.Optional(
    Nullable(Computed('The mean of what an order of a customer is expected to bring.'))
  ),
  holdout: Type.Optional(Holdout)
}

/** What `bg_nbd` adds to a customer. */
export const predictedCustomer = {
  x: Type.Optional(Count('Order days after the first one, of `bg_nbd`.')),
  tx: Type.Optional(described(AnyNumber(), 'From the first to the last of them, in `unit`.')),
  T: Type.Optional(described(AnyNumber(), 'From the first of them to the end of calibration, in `unit`.')),
  z: Type.Optional(Nullable(Computed('The mean value of those after the first.'))),
  pAlive: Type.Optional(described(Share(), 'The probability of another order at all.')),
  expectedOrders: Type.Optional(described(Nullable(AnyNumber()), 'Orders expected in `expectedDays`.')),
  expectedValue: Type.Optional(Nullable(Computed('What an order is expected to bring.'))),
  holdoutOrders: Type.Optional(Count('Order days that came in `holdoutDays`.')),
  holdoutSpend: Type.Optional(Computed('What they brought.'))
}

const GivenCustomer = Closed(
  {
    x: Count('Order days after the first one.'),
    tx: described(Days(), 'From the first to the last, in `unit`.'),
    T: described(Days(), 'From the first to now, in `unit`.'),
    z: Type.Optional(described(Nullable(GivenAmount()), 'The mean value of those after the first.'))
  },
  { 'x-type': 'LifetimeValueGivenCustomer', description: 'A customer.' }
)

/** What lifetime value can be computed from instead of records. */
export const lifetimeValueData = Closed(
  {
    averageOrderValue: Type.Optional(described(GivenAmount(), 'With `method=simple`.')),
    ordersPerMonth: Type.Optional(
      described({ ...AnyNumber(), minimum: 0, maximum: 1e6 }, 'With `method=simple`.')
    ),
    monthlyChurn: Type.Optional(described(Share(), 'With `method=simple`.')),
    bgNbd: Type.Optional(
      Closed(
        { r: Shape(), alpha: TimeScale(), a: Shape(), b: Shape() },
        { 'x-type': 'BgNbdParameters', description: 'With `method=bg_nbd`: the parameters of the model.' }
      )
    ),
    gammaGamma: Type.Optional(
      Closed(
        { p: Shape(), q: Shape(), gamma: MoneyScale() },
        { 'x-type': 'GammaGammaParameters', description: 'The parameters of the model of values.' }
      )
    ),
    customers: Type.Optional(Type.Array(GivenCustomer, { maxItems: 20000, description: 'With `bgNbd`.' }))
  },
  { 'x-type': 'LifetimeValueData', description: 'The numbers of one method.' }
)
