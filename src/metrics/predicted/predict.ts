import sql from 'sql-template-tag'
import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import type { Static, TObject } from '../../kernel/schema.js'
import { orders } from '../../resources/orders/resource.js'
import { inBackground } from '../background.js'
import type { Answered } from '../figure.js'
import { expectedOrders } from '../models/bg-nbd.js'
import type { Customer, Fitted, Models, ValueSettings } from '../models/customer-value.js'
import { decimalOf } from '../models/exact.js'
import type { CustomerOutlook } from '../models/worker.js'
import { filtered, refused, type Request } from '../parameters.js'
import { localDay, type Frame } from '../period.js'
import { customersSql, type CustomerRow, type OrdersRow, type OrderTotals } from './customers-sql.js'
import { units, type predictedValue } from './schema.js'
import { inputOf, simpleValue, whyUnknown, type SimpleInput } from './simple.js'

/** The parameters of the methods that look ahead. */
export interface PredictedRequest {
  method?: 'historic' | 'simple' | 'bg_nbd'
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

const daysPerMonth = 30.4375

/** Below this many customers, or repeaters among them, models are not fitted. */
const fewest = { customers: 100, repeaters: 30 }

const decimalOrNull = (value: number | null) => (value === null ? null : decimalOf(value))

/** A customer of the page, as the model sees it. */
export interface PredictedCustomer {
  customerId: string | null
  value: string | null
  [member: string]: unknown
}

/** What the methods say, with all customers, the one of most value first. */
export interface Prediction extends Answered<Record<string, unknown>> {
  customers: PredictedCustomer[]
}

export function settingsOf({ given }: Asked): ValueSettings & { expected: number; days: number } {
  const { unit = 'week', months = 12, monthlyDiscount = 0, margin = 1, holdoutDays, expectedDays } = given
  const days = expectedDays ?? holdoutDays ?? months * daysPerMonth
  return {
    days,
    expected: days / units[unit],
    holdout: holdoutDays === undefined ? undefined : holdoutDays / units[unit],
    month: daysPerMonth / units[unit],
    months,
    monthlyDiscount,
    margin
  }
}

export function simplePart(input: SimpleInput, { given }: Asked, reasons: Record<string, string>): Predicted {
  const { margin = 1, monthlyDiscount = 0 } = given
  const why = whyUnknown(input)
  for (const name of ['undiscounted', 'discounted']) if (why !== undefined) reasons[`/value/${name}`] = why
  for (const name of ['ordersPerMonth', 'monthlyChurn'] as const)
    if (input[name] === null) reasons[`/value/${name}`] = 'no_history'
  const { ordersPerMonth, monthlyChurn } = input
  return { ordersPerMonth, monthlyChurn, ...simpleValue(input, margin, monthlyDiscount) }
}

function commonPart(totals: OrderTotals, reasons: Record<string, string>) {
  const { customers, customersWithValue, orders, orderDays, averageOrderValue, ordersPerCustomer } = totals
  if (averageOrderValue === null) reasons['/value/averageOrderValue'] = 'nothing_valued'
  if (ordersPerCustomer === null) reasons['/value/ordersPerCustomer'] = 'no_customers'
  return { customers, customersWithValue, orders, orderDays, averageOrderValue, ordersPerCustomer }
}

const asCustomer = (row: CustomerRow, perUnit: number): Customer => ({
  x: row.x,
  tx: row.tx / perUnit,
  T: row.T / perUnit,
  z: row.z,
  holdoutOrders: row.holdoutOrders,
  holdoutSpend: Number(row.holdoutSpend)
})

function whyNotFitted(
  rows: readonly CustomerRow[],
  { bgNbd, gammaGamma }: Partial<Fitted>
): [string, string][] {
  const repeaters = rows.filter(r => r.x > 0).length
  const none = ['bgNbd', 'gammaGamma', 'total', 'mean']
  if (rows.length < fewest.customers || repeaters < fewest.repeaters)
    return none.map(n => [n, 'too_few_customers'])
  if (!bgNbd?.converged) return none.map(n => [n, 'not_converged'])
  return gammaGamma?.converged
    ? []
    : none.slice(1).map(n => [n, gammaGamma ? 'not_converged' : 'nothing_valued'])
}

const sum = (values: readonly (number | null)[]) => values.reduce<number>((all, v) => all + (v ?? 0), 0)

const meanOf = (values: readonly (number | null)[]) => {
  const known = values.filter(v => v !== null)
  return known.length === 0 ? null : sum(known) / known.length
}

/** What the models expect, of all and of each. */
export function expectations(
  models: Models,
  { outlooks, holdout }: CustomerOutlook,
  settings: ReturnType<typeof settingsOf>,
  holdoutDays: number | undefined,
  holdoutSpend: string
): Record<string, unknown> {
  const values = outlooks.map(o => o.value)
  const known = models.gammaGamma !== undefined && values.some(v => v !== null)
  return {
    meanPAlive: meanOf(outlooks.map(o => o.pAlive)),
    expectedNewCustomer: expectedOrders(models.bgNbd, { x: 0, tx: 0, T: 0 }, settings.expected),
    expectedOrders: sum(outlooks.map(o => o.expectedOrders)),
    meanExpectedValue: decimalOrNull(meanOf(outlooks.map(o => o.expectedValue))),
    total: known ? decimalOf(sum(values)) : null,
    mean: known ? decimalOrNull(meanOf(values)) : null,
    ...(holdout && { holdout: { days: holdoutDays, ...holdout, spend: holdoutSpend } })
  }
}

const byValue = (a: PredictedCustomer, b: PredictedCustomer) =>
  Number(b.value ?? -Infinity) - Number(a.value ?? -Infinity) || (a.customerId! < b.customerId! ? 1 : -1)

function shownCustomers(
  rows: readonly CustomerRow[],
  { outlooks }: CustomerOutlook,
  perUnit: number
): PredictedCustomer[] {
  return rows
    .map(({ tx, T, z, ...row }, i): PredictedCustomer => {
      const { pAlive, expectedOrders, expectedValue, value } = outlooks[i]!
      return {
        ...row,
        tx: tx / perUnit,
        T: T / perUnit,
        z: decimalOrNull(z),
        pAlive,
        expectedOrders,
        expectedValue: decimalOrNull(expectedValue),
        value: decimalOrNull(value)
      }
    })
    .sort(byValue)
}

async function calibration(
  ctx: Context,
  { given, place }: Asked,
  { asOf, timeZone }: Frame
): Promise<string> {
  const [row] = await ctx.db.query<{ day: string }>(
    sql`select ${localDay(timeZone, sql`${asOf}::timestamptz`)} as day`
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

async function fitted(
  ctx: Context,
  rows: readonly CustomerRow[],
  totals: OrderTotals,
  request: Asked,
  reasons: Record<string, string>
): Promise<{ value: Record<string, unknown>; customers: PredictedCustomer[] }> {
  const { unit = 'week', holdoutDays } = request.given
  const perUnit = units[unit]
  const customers = rows.map(r => asCustomer(r, perUnit))
  const tooFew = whyNotFitted(rows, {}).some(([, why]) => why === 'too_few_customers')
  const found: Partial<Fitted> = tooFew ? {} : await inBackground('customerFit', customers, ctx.gone?.())
  const why = whyNotFitted(rows, found)
  for (const [name, code] of why) reasons[`/value/${name}`] = code
  const refusedParts = new Set(why.map(([name]) => name))
  const bgNbd = refusedParts.has('bgNbd') ? null : found.bgNbd!
  const gammaGamma = refusedParts.has('gammaGamma') ? null : found.gammaGamma!
  const parts = { unit, bgNbd, gammaGamma, correlation: found.correlation ?? null }
  const simple = why.length > 0 ? simplePart(inputOf(totals), request, reasons) : {}
  if (!bgNbd) return { value: { ...parts, ...simple, total: null, mean: null }, customers: [] }
  const models: Models = { bgNbd, gammaGamma: gammaGamma ?? undefined }
  const settings = settingsOf(request)
  const outlook = await inBackground('customerOutlook', { models, customers, settings }, ctx.gone?.())
  const expected = expectations(models, outlook, settings, holdoutDays, totals.holdoutSpend)
  return { value: { ...parts, ...simple, ...expected }, customers: shownCustomers(rows, outlook, perUnit) }
}

/** Lifetime value by a method that looks ahead. */
export async function predict(ctx: Context, request: Asked, frame: Frame): Promise<Prediction> {
  authorize(ctx, orders.permissions.read)
  const { method, currency = frame.baseCurrency, holdoutDays = 0, unit = 'week' } = request.given
  const filter = filtered(ctx, orders, 't', request)
  const calibrationEnd = await calibration(ctx, request, frame)
  const [row] = await ctx.db.query<OrdersRow>(
    customersSql(ctx, { frame, currency, filter, calibrationEnd, holdoutDays })
  )
  const { totals, customers: rows } = row!
  const reasons: Record<string, string> = {}
  const common = commonPart(totals, reasons)
  const found =
    method === 'simple'
      ? {
          value: { ...simplePart(inputOf(totals), request, reasons), total: null, mean: null },
          customers: []
        }
      : await fitted(ctx, rows, totals, request, reasons)
  if (method === 'simple')
    for (const name of ['total', 'mean']) reasons[`/value/${name}`] = 'of_other_methods'
  const { missingAmount, noFxRate } = totals
  return {
    value: { ...common, totalPerCustomer: null, ...found.value },
    customers: found.customers,
    parameters: { currency, calibrationEnd, unit },
    counts: { orders: totals.orders, customers: totals.customers },
    excluded: { missingAmount, noFxRate },
    reasons: { '/value/totalPerCustomer': 'of_other_methods', ...reasons }
  }
}
