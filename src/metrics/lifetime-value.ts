import sql from 'sql-template-tag'
import { authorize } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import {
  Computed,
  Bool,
  Closed,
  Enum,
  Integer,
  Nullable,
  Number as AnyNumber,
  Share,
  Text,
  type Static
} from '../kernel/schema.js'
import { orders } from '../resources/orders/resource.js'
import { subscriptions } from '../resources/subscriptions/resource.js'
import { IntervalParameter } from './buckets.js'
import { numberOf } from './charts/of-figure.js'
import { counted, cutsOf, type Numbers } from './counted.js'
import { CurrencyParameter } from './currency.js'
import { figure, type Answered, type WorkOut } from './figure.js'
import { GroupAtParameter, GroupByParameter } from './groups.js'
import { customersAnswer, pageOf, placeOf } from './lifetime-value-page.js'
import {
  boughtSql,
  customerFacts,
  customersSql,
  summary,
  type Bought,
  type CustomerPage,
  type CustomerValue,
  type OrderQuery,
  type Summary
} from './lifetime-value-sql.js'
import {
  commonParameters,
  described,
  FilterParameter,
  filtered,
  refused,
  type Given,
  type Request
} from './parameters.js'
import { localDay, type Frame } from './period.js'
import { bases, basisOf, type Basis } from './predicted/basis.js'
import { fromData, refuseIdle } from './predicted/data.js'
import { predict } from './predicted/predict.js'
import { lifetimeValueData, predictedParameters, predictedValue } from './predicted/schema.js'
import { Count } from './rate.js'
import { paymentsSql, subscriptionRates } from './subscription-payments.js'

/** How it is found. */
export const methods = ['historic', 'simple', 'bg_nbd'] as const

const parameters = {
  ...commonParameters,
  method: described(
    Enum('LifetimeValueMethod', methods),
    'How it is found: what was bought until now; constant rates of orders and loss; or models of both.',
    'historic'
  ),
  basis: described(
    Enum('LifetimeValueBasis', bases),
    'What it is found from: orders, or what subscriptions bring, with `method=historic` or `simple`; `filter` and `groupBy` are then about subscriptions.',
    'orders'
  ),
  margin: described(Share(), 'The share of an order that is left after its variable costs.', 1),
  currency: CurrencyParameter(),
  interval: IntervalParameter('customers by their first order'),
  customers: described(
    Bool(),
    'Adds the customers, the one of most value first; not with `method=simple`.',
    false
  ),
  limit: described(
    Integer(1, 200),
    'How many customers, with `customers`. Absent: 50. The top ten are the first page of ten.'
  ),
  after: described(
    Text(1000),
    'A cursor of the page before, with `customers`; give its `asOf` and `knownAt` too.'
  ),
  ...predictedParameters,
  filter: FilterParameter(orders, subscriptions),
  groupBy: GroupByParameter(orders, subscriptions),
  groupAt: GroupAtParameter()
}

const value = Closed(
  {
    customers: Count('Customers with an order, or a payment of a subscription.'),
    customersWithValue: Count('Those with an order of known value.'),
    orders: Count('Their orders; of subscriptions the payments.'),
    orderDays: Count('Their orders, those of one customer on one local day counted as one.'),
    total: Nullable(
      Computed(
        'What all of them brought; with `bg_nbd` what they are expected to bring in `months`, discounted.'
      )
    ),
    mean: Nullable(Computed('The same for each customer with value.')),
    totalPerCustomer: Nullable(Computed('The same for each customer, those without value too.')),
    averageOrderValue: Nullable(Computed('Order value for each day with an order of known value.')),
    ordersPerCustomer: Nullable(described(AnyNumber(), 'Order days for each customer.')),
    ...predictedValue
  },
  { 'x-type': 'LifetimeValue', description: 'What customers brought.' }
)

type Value = Static<typeof value>

const definition = [
  'What customers have brought: the value of their orders times the margin, less the direct costs that are recorded,',
  'until `asOf`. The customer of an order is its company, else its contact.',
  'The mean is over customers with at least one order of known value; all customers are counted beside it.',
  'A period picks customers by their first order, and buckets are cohorts: customers by the local day, week, month … of',
  'their first order, with all that they brought since; `totalPerCustomer` is the cumulative value per acquired customer.',
  'Groups are customers by a field of their first order; with another `groupAt`, of their last one.',
  'A filter picks orders before anything is counted, so that first is the first order that it lets through.',
  'Orders of one customer on one local day count as one in `orderDays`, `averageOrderValue` and `ordersPerCustomer`.',
  "Amounts are converted by the latest rate dated on or before the order's local day in the workspace's own zone. An",
  'order without an amount, or without a rate for it, is counted and is in `excluded`; it is in no sum and no divisor of',
  'an average. Orders in the bin, and those of customers in the bin, are in no figure.',
  'By subscriptions an order is a payment: the recurring amount at the beginning of each interval in which one runs, from',
  'its start date until before its end date, on the dates of the workspace.',
  '`simple` looks ahead with constant rates: order value, order days in a month that has any, and churn, the share of',
  'those months with none in the next one; only months that are over by `asOf` count. By subscriptions the average',
  'payment and its frequency are those of what runs on the last day of each customer, at the rates of the last day that',
  'counts, and churn is the share of completed months of customers at whose end none of their subscriptions ran any',
  'more, at most 1; one that follows another without a day between goes on.',
  '`bg_nbd` fits how often customers come and leave (BG/NBD) and what they pay (Gamma-Gamma) to their order days until',
  '`calibrationEnd`: x order days after the first, tx from the first to the last, T from the first to the end, z the',
  'mean value of those after the first. With fewer than 100 customers or 30 repeaters, or where the search for the',
  'parameters does not end, it says why and the simple method stands beside it. `holdoutDays` compares with what came.',
  'Both find the rates, or the models, of each bucket and group from its own customers alone: those do not add up.',
  'The ids behind a number are customers; `orders` and `orderDays` count something else and have none.'
].join(' ')

const formula = [
  'value(customer) = sum of (order value * margin - direct cost); total = sum of values;',
  'mean = total / customersWithValue; totalPerCustomer = total / customers;',
  'averageOrderValue = sum of order values / days of customers with an order of known value;',
  'ordersPerCustomer = orderDays / customers.',
  'simple: m = averageOrderValue * ordersPerMonth * margin; undiscounted = m / churn;',
  'discounted = m (1 + d) / (churn + d). bg_nbd: value = sum over months of E[order value] * margin *',
  '(E[X(month)] - E[X(month - 1)]) / (1 + d)^month, a month being 30.4375 days; E[X(t)] and P(alive) of BG/NBD,',
  'E[order value] = p (gamma + x z) / (p x + q - 1).'
].join(' ')

const whyNull: [keyof Summary & keyof Value, (v: Summary) => string][] = [
  ['total', () => 'nothing_valued'],
  ['mean', () => 'nothing_valued'],
  ['totalPerCustomer', v => (v.customers === 0 ? 'no_customers' : 'nothing_valued')],
  ['averageOrderValue', () => 'nothing_valued'],
  ['ordersPerCustomer', () => 'no_customers']
]

/** The numbers of a summary, and why some are null. */
function valueOf(found: Summary, reason: (pointer: string, code: string) => void): Value {
  const { customers, customersWithValue, orders, orderDays, total, mean, totalPerCustomer } = found
  for (const [name, why] of whyNull) if (found[name] === null) reason(`/${name}`, why(found))
  const { averageOrderValue, ordersPerCustomer } = found
  return {
    customers,
    customersWithValue,
    orders,
    orderDays,
    total,
    mean,
    totalPerCustomer,
    averageOrderValue,
    ordersPerCustomer
  }
}

const behindAll = ['/customers', '/totalPerCustomer', '/ordersPerCustomer']
const behindValued = ['/customersWithValue', '/total', '/mean', '/averageOrderValue']

function warningsOf(
  { missingAmount, noFxRate }: Pick<Summary, 'missingAmount' | 'noFxRate'>,
  basis: Basis | undefined
): NonNullable<Answered<Value>['warnings']> {
  const they = basis === 'subscriptions' ? 'Payments' : 'Orders'
  return [
    { code: 'missing_amount', message: `${they} without an amount are in no sum.`, count: missingAmount },
    { code: 'no_fx_rate', message: `${they} in a currency without a rate are in no sum.`, count: noFxRate }
  ].filter(w => w.count > 0)
}

type Asked = Request<Given<typeof parameters>>

function pageAsked({ given, place }: Asked): CustomerPage | undefined {
  const { customers = false, limit = 50, after } = given
  if (customers) return { size: limit, after: after === undefined ? undefined : placeOf(place, after) }
  const idle = (['limit', 'after'] as const).find(name => given[name] !== undefined)
  if (idle === undefined) return undefined
  throw refused(place, idle, `${idle} goes with customers=true.`, 'not_allowed')
}

async function predicted(ctx: Context, request: Asked, frame: Frame): Promise<WorkOut<Value>> {
  const page = pageAsked(request)
  const work = await predict(ctx, request, frame, page)
  return async stop => {
    const { customers, value, ...found } = await work(stop)
    return {
      ...found,
      value: value as Value,
      more: { ...found.more, ...(page && pageOf(customers, page.size)) },
      warnings: warningsOf(found.excluded as { missingAmount: number; noFxRate: number }, request.given.basis)
    }
  }
}

/** What subscriptions brought as of the figure. */
function paid(ctx: Context, query: OrderQuery, zone: string): Bought {
  const rates = subscriptionRates(ctx, query)
  const last = localDay(zone, sql`${query.frame.asOf}::timestamptz`)
  return { ctes: rates.ctes, bought: paymentsSql(ctx, { ...query, last }, rates) }
}

interface Found extends Summary, Numbers {
  customerPage?: CustomerValue[]
}

/** Answers a request. */
export async function answer(
  ctx: Context,
  request: Asked,
  frame: Frame
): Promise<Answered<Value> | WorkOut<Value>> {
  refuseIdle(request)
  if ((request.given.method ?? 'historic') !== 'historic') return predicted(ctx, request, frame)
  const { currency = frame.baseCurrency, margin = 1, groupAt, basis } = request.given
  const { resource, zone } = basisOf(basis, frame)
  authorize(ctx, resource.permissions.read)
  const filter = filtered(ctx, resource, 't', request)
  const page = pageAsked(request)
  const cuts = cutsOf(ctx, resource, 't', request, frame)
  const groupedBy = groupAt === 'last' || groupAt === 'current' ? 'last' : 'first'
  const query = { frame, currency, margin, filter, cuts, groupedBy } as const
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, cuts, {
    ctes: customerFacts(
      ctx,
      query,
      basis === 'subscriptions' ? paid(ctx, query, zone) : boughtSql(ctx, query)
    ),
    counts: summary,
    members: { valued: sql`f.value is not null` },
    ...(page && { once: { customerPage: customersSql(ctx, page) } }),
    value(rows, { reason, ids }) {
      for (const pointer of behindAll) ids(pointer, rows)
      for (const pointer of behindValued) ids(pointer, rows, 'valued')
      return valueOf(rows[0]!, reason)
    }
  })
  const { orders: n, customers, missingAmount, noFxRate, customerPage } = rows[0]!
  return {
    parameters: { currency },
    value,
    more: { currency, ...more, ...(customerPage && page && pageOf(customerPage, page.size)) },
    counts: { orders: n, customers },
    excluded: { missingAmount, noFxRate },
    reasons,
    warnings: warningsOf(rows[0]!, basis)
  }
}

/** Customer lifetime value, by what customers brought so far or will. */
export const lifetimeValue = figure({
  name: 'lifetime-value',
  version: 2,
  summary: 'What customers have brought, or are expected to bring',
  definition,
  formula,
  unit: 'money in the currency of the answer; counts',
  subject: orders,
  source:
    'Farris et al., Marketing Metrics; Gupta, Lehmann 2003; Fader, Hardie, Lee 2005 (BG/NBD; RFM and CLV); Fader, Hardie 2013.',
  parameters,
  value,
  more: customersAnswer,
  picture: {
    whole: v => ({
      kind: 'bars',
      unit: 'money',
      names: ['Per customer with value', 'Per customer', 'Per order day'],
      series: [{ name: 'value', values: [v.mean, v.totalPerCustomer, v.averageOrderValue].map(numberOf) }]
    }),
    compared: {
      name: 'value per customer',
      unit: 'money',
      of: v => v.totalPerCustomer ?? v.mean ?? v.undiscounted ?? null
    }
  },
  data: {
    schema: lifetimeValueData,
    takes: ['method', 'margin', 'monthlyDiscount', 'months', 'unit', 'expectedDays', 'customers'],
    answer: fromData
  },
  answer
})
