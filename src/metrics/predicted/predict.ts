import sql from 'sql-template-tag'
import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import type { Static, TObject } from '../../kernel/schema.js'
import { inBackground } from '../background.js'
import { counted, cutsOf, type CutRequest, type Notes } from '../counted.js'
import type { GroupAt } from '../dimensions.js'
import type { Answered } from '../figure.js'
import type { ValueSettings } from '../models/customer-value.js'
import { filtered, refused, type Request } from '../parameters.js'
import type { CustomerPage } from '../lifetime-value-sql.js'
import { localDay, type Frame } from '../period.js'
import { basisOf, type Basis } from './basis.js'
import {
  customerRows,
  modelCounts,
  orderFacts,
  type ModelTotals,
  type OrdersQuery,
  type Totals
} from './customers-sql.js'
import type { PredictedCustomer } from './customer-models.js'
import { notFinite, shownPrediction } from './shown.js'
import { units, type predictedValue } from './schema.js'
import { simpleValue, whyUnknown, type SimpleInput } from './simple.js'
import { subscriberFacts } from './subscribers-sql.js'

/** The parameters of the methods that look ahead. */
export interface PredictedRequest extends CutRequest {
  method?: 'historic' | 'simple' | 'bg_nbd'
  basis?: Basis
  groupAt?: GroupAt
  currency?: string
  filter?: Record<string, unknown>
  margin?: number
  monthlyDiscount?: number
  months?: number
  unit?: keyof typeof units
  calibrationEnd?: string
  holdoutDays?: number
  expectedDays?: number
}

type Asked = Request<PredictedRequest>
type Predicted = Static<TObject<typeof predictedValue>>
type Reason = Notes<Totals>['reason']

const daysPerMonth = 30.4375

/** What the methods say, with the customers of the page and one more where there is one. */
export interface Prediction extends Answered<Record<string, unknown>> {
  customers: PredictedCustomer[]
}

/** What is asked of the models; times in their unit. */
export function settingsOf({ given }: Asked): ValueSettings {
  const { unit = 'week', months = 12, monthlyDiscount = 0, margin = 1, holdoutDays, expectedDays } = given
  const days = expectedDays ?? holdoutDays ?? months * daysPerMonth
  return {
    expected: days / units[unit],
    holdout: holdoutDays === undefined ? undefined : holdoutDays / units[unit],
    month: daysPerMonth / units[unit],
    months,
    monthlyDiscount,
    margin
  }
}

/** The simple method's part of a value. */
export function simplePart(input: SimpleInput, { given }: Asked, reason: Reason): Predicted {
  const { margin = 1, monthlyDiscount = 0 } = given
  const why = whyUnknown(input)
  for (const name of ['undiscounted', 'discounted']) if (why !== undefined) reason(`/${name}`, why)
  for (const name of ['ordersPerMonth', 'monthlyChurn'] as const)
    if (input[name] === null) reason(`/${name}`, 'no_history')
  const { ordersPerMonth, monthlyChurn } = input
  return { ordersPerMonth, monthlyChurn, ...simpleValue(input, margin, monthlyDiscount) }
}

const behindAll = ['customers', 'ordersPerCustomer']
const behindValued = ['customersWithValue', 'averageOrderValue']
const behindSimple = ['ordersPerMonth', 'monthlyChurn', 'undiscounted', 'discounted']
const behindModels = ['total', 'mean', 'meanPAlive', 'expectedOrders', 'meanExpectedValue', 'bgNbd/n']
const behindRepeaters = ['bgNbd/repeaters', 'gammaGamma/n']

/** The part of a value that all methods have. */
function commonPart(row: Totals, { reason, ids }: Notes<Totals>) {
  const { customers, customersWithValue, orders, orderDays, averageOrderValue, ordersPerCustomer } = row
  if (averageOrderValue === null) reason('/averageOrderValue', 'nothing_valued')
  if (ordersPerCustomer === null) reason('/ordersPerCustomer', 'no_customers')
  reason('/totalPerCustomer', 'of_other_methods')
  for (const name of behindAll) ids(`/${name}`, [row])
  for (const name of behindValued) ids(`/${name}`, [row], 'valued')
  return {
    customers,
    customersWithValue,
    orders,
    orderDays,
    averageOrderValue,
    ordersPerCustomer,
    total: null,
    mean: null,
    totalPerCustomer: null
  }
}

async function calibration(
  ctx: Context,
  { given, place }: Asked,
  { asOf }: Frame,
  zone: string
): Promise<string> {
  const [row] = await ctx.db.query<{ day: string }>(
    sql`select ${localDay(zone, sql`${asOf}::timestamptz`)} as day`
  )
  const { calibrationEnd = row!.day, holdoutDays = 0 } = given
  const end = Date.parse(calibrationEnd) + holdoutDays * 86_400_000
  if (end <= Date.parse(row!.day)) return calibrationEnd
  const name = holdoutDays > 0 ? 'holdoutDays' : 'calibrationEnd'
  throw refused(
    place,
    name,
    `${name} lies after the day of asOf: what comes then is not known.`,
    'in_future',
    'unprocessable'
  )
}

/** The facts of one cut, and its value, which the models are to fill in. */
interface Part {
  row: ModelTotals
  notes: Notes<Totals>
  value: Record<string, unknown>
}

/** Fits the models of all parts, each to its own customers; where they cannot be the simple method stands beside. */
async function fillIn(
  request: Asked,
  parts: readonly Part[],
  customers: string,
  page: CustomerPage | undefined,
  stop: AbortSignal
): Promise<PredictedCustomer[]> {
  const { unit = 'week', holdoutDays } = request.given
  const task = {
    customers,
    sets: parts.map(p => p.row.places ?? '[]'),
    perUnit: units[unit],
    settings: settingsOf(request),
    page
  }
  const { predictions, shown } = await inBackground('customerModels', task, stop)
  parts.forEach(({ row, notes, value }, i) => {
    const { fitted, refused: refusals, expected } = predictions[i]!
    for (const [model, why] of Object.entries(refusals)) notes.reason(`/${model}`, why)
    const why = refusals.gammaGamma
    for (const name of ['total', 'mean']) if (why !== undefined) notes.reason(`/${name}`, why)
    if (why !== undefined) {
      Object.assign(value, simplePart(row, request, notes.reason))
      for (const name of behindSimple) notes.ids(`/${name}`, [row])
    }
    Object.assign(value, {
      unit,
      bgNbd: refusals.bgNbd === undefined ? fitted.bgNbd : null,
      gammaGamma: why === undefined ? fitted.gammaGamma : null,
      correlation: fitted.correlation,
      ...(expected && shownPrediction(expected, holdoutDays, row.holdoutSpend))
    })
    for (const name of expected ? notFinite(expected) : []) notes.reason(`/${name}`, 'not_finite')
    if (fitted.correlation === null)
      notes.reason('/correlation', refusals.bgNbd ?? refusals.gammaGamma ?? 'never_differs')
    for (const name of behindModels) notes.ids(`/${name}`, [row])
    for (const name of behindRepeaters) notes.ids(`/${name}`, [row], 'repeaters')
  })
  return shown
}

/** Reads what a method that looks ahead learns from; lifetime value by it is worked out from that. */
export async function predict(
  ctx: Context,
  request: Asked,
  frame: Frame,
  page: CustomerPage | undefined
): Promise<(stop: AbortSignal) => Promise<Prediction>> {
  const { method, basis, currency = frame.baseCurrency, holdoutDays = 0, unit = 'week' } = request.given
  const { resource, zone } = basisOf(basis, frame)
  authorize(ctx, resource.permissions.read)
  const cuts = cutsOf(ctx, resource, 't', request, frame)
  const calibrationEnd = await calibration(ctx, request, frame, zone)
  const query: OrdersQuery = {
    frame,
    currency,
    cuts,
    calibrationEnd,
    holdoutDays,
    filter: filtered(ctx, resource, 't', request),
    groupedBy: request.given.groupAt === 'first' || request.given.groupAt === undefined ? 'first' : 'last'
  }
  const models = method === 'bg_nbd'
  const facts = basis === 'subscriptions' ? subscriberFacts(ctx, query) : orderFacts(ctx, query)
  const parts: Part[] = []
  const found = await counted<ModelTotals, Record<string, unknown>>(ctx, request, frame, cuts, {
    ctes: facts.ctes,
    counts: models ? sql`${facts.counts}, ${modelCounts}` : facts.counts,
    members: { valued: sql`f.valued > 0`, ...(models && { repeaters: sql`f.order_days > 1` }) },
    ...(models && { once: { customerRows: customerRows(ctx, calibrationEnd) } }),
    value([row], notes) {
      const value: Record<string, unknown> = commonPart(row!, notes)
      if (models) {
        parts.push({ row: row!, notes, value })
        return value
      }
      for (const name of ['total', 'mean']) notes.reason(`/${name}`, 'of_other_methods')
      for (const name of behindSimple) notes.ids(`/${name}`, [row!])
      return { ...value, ...simplePart(row!, request, notes.reason) }
    }
  })
  const [totals] = found.rows as [ModelTotals]
  const { missingAmount, noFxRate } = totals
  return async stop => ({
    value: found.value,
    customers: models ? await fillIn(request, parts, totals.customerRows!, page, stop) : [],
    parameters: { currency, calibrationEnd, unit },
    counts: { orders: totals.orders, customers: totals.customers },
    excluded: { missingAmount, noFxRate },
    reasons: found.reasons,
    more: { currency, ...found.more }
  })
}
