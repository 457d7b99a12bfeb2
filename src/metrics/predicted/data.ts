import type { Static } from '../../kernel/schema.js'
import { inBackground } from '../background.js'
import type { Answered } from '../figure.js'
import type { Models } from '../models/customer-value.js'
import { refused, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { settingsOf, simplePart, type PredictedRequest } from './predict.js'
import { notFinite, shownOutlook, shownPrediction } from './shown.js'
import { predictedParameters, type lifetimeValueData } from './schema.js'

type Data = Static<typeof lifetimeValueData>
type Asked = Request<PredictedRequest & Record<string, unknown>>

const ofModels = ['months', 'unit', 'holdoutDays', 'expectedDays']

/** Parameters that say nothing to a method. */
const idle: Record<NonNullable<PredictedRequest['method']>, readonly string[]> = {
  historic: Object.keys(predictedParameters),
  simple: [...ofModels, 'customers', 'limit', 'after'],
  bg_nbd: []
}

/** A 400 for a parameter that the method has no use for. */
export function refuseIdle({ given, place }: Request<PredictedRequest>): void {
  const { method = 'historic', basis } = given
  const name = idle[method].find(n => n in given)
  if (name !== undefined)
    throw refused(place, name, `${name} does not go with method=${method}.`, 'not_allowed')
  if (method === 'bg_nbd' && basis === 'subscriptions')
    throw refused(place, 'basis', 'Who has a subscription is known to stay: bg_nbd is found from orders.', 'not_allowed') // prettier-ignore
}

/** A 400 for a customer whose times contradict each other. */
function refuseImpossible(customers: NonNullable<Data['customers']>, { place }: Asked): void {
  for (const [i, { x, tx, T }] of customers.entries()) {
    const message =
      tx > T
        ? 'tx is at most T: nobody comes after now.'
        : x === 0 && tx > 0
          ? 'tx is 0 for a customer who did not come again.'
          : undefined
    if (message !== undefined) throw refused(place, `data/customers/${i}/tx`, message, 'range')
  }
}

const unknown = {
  customersWithValue: 0,
  orders: 0,
  orderDays: 0,
  total: null,
  mean: null,
  totalPerCustomer: null,
  averageOrderValue: null,
  ordersPerCustomer: null
}

const answered = (value: object, reasons: Record<string, string>, more: object = {}): Answered<never> => ({
  // The members that are not there are optional; the type of the whole is declared where this is used.
  value: { ...unknown, customers: 0, ...value } as never,
  parameters: {},
  counts: {},
  excluded: {},
  reasons,
  more: { ...more }
})

function fromRates(data: Data, request: Asked): Answered<never> {
  const { averageOrderValue = null, ordersPerMonth = null, monthlyChurn = null } = data
  const reasons: Record<string, string> = {}
  const part = simplePart(
    { averageOrderValue, ordersPerMonth, monthlyChurn },
    request,
    (pointer, code) => void (reasons[`/value${pointer}`] = code)
  )
  return answered({ averageOrderValue, ...part }, reasons)
}

async function fromParameters(
  data: Data,
  request: Asked,
  stop: AbortSignal | undefined
): Promise<Answered<never>> {
  const { bgNbd, gammaGamma, customers: given = [] } = data
  if (!bgNbd) throw refused(request.place, 'data', 'method=bg_nbd needs the parameters bgNbd.', 'data_form')
  refuseImpossible(given, request)
  const models: Models = { bgNbd, gammaGamma }
  const settings = settingsOf(request)
  const customers = given.map(({ z = null, ...c }) => ({
    ...c,
    z: z === null ? null : Number(z),
    holdoutOrders: 0,
    holdoutSpend: 0
  }))
  const { expected, outlooks } = await inBackground(
    'customerExpectation',
    { models, customers, settings },
    stop
  )
  const nobody = { customerId: null, customerType: null, firstOrderAt: null, lastOrderAt: null }
  const shown = given.map(({ x, tx, T, z = null }, i) => ({
    ...nobody,
    orders: x + 1,
    orderDays: x + 1,
    x,
    tx,
    T,
    z,
    ...shownOutlook(outlooks[i]!)
  }))
  const reasons = Object.fromEntries(notFinite(expected).map(name => [`/value/${name}`, 'not_finite']))
  if (!gammaGamma) for (const name of ['total', 'mean']) reasons[`/value/${name}`] = 'nothing_valued'
  const value = {
    customers: given.length,
    unit: request.given.unit ?? 'week',
    ...shownPrediction(expected, undefined, '0')
  }
  return answered(value, reasons, { customers: shown })
}

/** Lifetime value from the numbers of one method. */
export function fromData(
  data: Data,
  request: Asked,
  _frame: Frame,
  stop: AbortSignal | undefined
): Answered<never> | Promise<Answered<never>> {
  refuseIdle(request)
  const { method = 'historic' } = request.given
  if (method === 'historic') {
    throw refused(request.place, 'method', 'data goes with method=simple or bg_nbd.', 'not_allowed')
  }
  return method === 'simple' ? fromRates(data, request) : fromParameters(data, request, stop)
}
