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
import { IntervalParameter } from './buckets.js'
import { counted, cutsOf, type Numbers } from './counted.js'
import { CurrencyParameter } from './currency.js'
import { figure, type Answered } from './figure.js'
import { GroupAtParameter, GroupByParameter } from './groups.js'
import { customersAnswer, pageOf, placeOf } from './lifetime-value-page.js'
import {
  customerFacts,
  customersSql,
  summary,
  type CustomerPage,
  type CustomerValue,
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
import type { Frame } from './period.js'
import { Count } from './rate.js'

const parameters = {
  ...commonParameters,
  method: described(
    Enum('LifetimeValueMethod', ['historic']),
    'How it is found: what was bought until now.',
    'historic'
  ),
  basis: described(Enum('LifetimeValueBasis', ['orders']), 'What it is found from.', 'orders'),
  margin: described(Share(), 'The share of an order that is left after its variable costs.', 1),
  currency: CurrencyParameter(),
  interval: IntervalParameter('customers by their first order'),
  customers: described(Bool(), 'Adds the customers, the one of most value first.', false),
  limit: described(
    Integer(1, 200),
    'How many customers, with `customers`. Absent: 50. The top ten are the first page of ten.'
  ),
  after: described(
    Text(1000),
    'A cursor of the page before, with `customers`; give its `asOf` and `knownAt` too.'
  ),
  filter: FilterParameter(orders),
  groupBy: GroupByParameter(orders),
  groupAt: GroupAtParameter()
}

const value = Closed(
  {
    customers: Count('Customers with an order.'),
    customersWithValue: Count('Those with an order of known value.'),
    orders: Count('Their orders.'),
    orderDays: Count('Their orders, those of one customer on one local day counted as one.'),
    total: Nullable(Computed('What all of them brought.')),
    mean: Nullable(Computed('The same for each customer with value.')),
    totalPerCustomer: Nullable(Computed('The same for each customer, those without value too.')),
    averageOrderValue: Nullable(Computed('Order value for each day with an order of known value.')),
    ordersPerCustomer: Nullable(described(AnyNumber(), 'Order days for each customer.'))
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
  'an average. Orders in the bin, and those of customers in the bin, are in no figure.'
].join(' ')

const formula = [
  'value(customer) = sum of (order value * margin - direct cost); total = sum of values;',
  'mean = total / customersWithValue; totalPerCustomer = total / customers;',
  'averageOrderValue = sum of order values / days of customers with an order of known value;',
  'ordersPerCustomer = orderDays / customers.'
].join(' ')

const whyNull: [keyof Value, (v: Value) => string][] = [
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

const behindAll = ['/customers', '/orders', '/orderDays', '/totalPerCustomer', '/ordersPerCustomer']
const behindValued = ['/customersWithValue', '/total', '/mean', '/averageOrderValue']

function warningsOf({ missingAmount, noFxRate }: Summary): NonNullable<Answered<Value>['warnings']> {
  return [
    { code: 'missing_amount', message: 'Orders without an amount are in no sum.', count: missingAmount },
    { code: 'no_fx_rate', message: 'Orders in a currency without a rate are in no sum.', count: noFxRate }
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

interface Found extends Summary, Numbers {
  customerPage?: CustomerValue[]
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<Value>> {
  authorize(ctx, orders.permissions.read)
  const filter = filtered(ctx, orders, 't', request)
  const page = pageAsked(request)
  const { currency = frame.baseCurrency, margin = 1, groupAt } = request.given
  const cuts = cutsOf(ctx, orders, 't', request, frame)
  const groupedBy = groupAt === 'last' || groupAt === 'current' ? 'last' : 'first'
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, cuts, {
    ctes: customerFacts(ctx, { frame, currency, margin, filter, cuts, groupedBy }),
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
    warnings: warningsOf(rows[0]!)
  }
}

/** Customer lifetime value, by what customers brought so far. */
export const lifetimeValue = figure({
  name: 'lifetime-value',
  version: 1,
  summary: 'What customers have brought',
  definition,
  formula,
  unit: 'money in the currency of the answer; counts',
  subject: orders,
  source: 'Farris et al., Marketing Metrics; Fader, Hardie, Lee 2005, RFM and CLV (days as orders).',
  parameters,
  value,
  more: customersAnswer,
  answer
})
