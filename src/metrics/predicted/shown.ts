import type { Customer, Outlook } from '../models/customer-value.js'
import type { Expectation } from '../models/customer-prediction.js'
import { decimalOf } from '../models/exact.js'
import type { CustomerRow } from './customers-sql.js'

// Parameters that were given may lead beyond all numbers.
const finite = (value: number | null) => (value !== null && Number.isFinite(value) ? value : null)

const decimalOrNull = (value: number | null) => (finite(value) === null ? null : decimalOf(value!))

/** A customer as the models see it; times in their unit. */
export const asCustomer = (row: CustomerRow, perUnit: number): Customer => ({
  x: row.x,
  tx: row.tx / perUnit,
  T: row.T / perUnit,
  z: row.z,
  holdoutOrders: row.holdoutOrders,
  holdoutSpend: Number(row.holdoutSpend)
})

/** The members of what models expect that are no finite numbers, and shown as null. */
export const notFinite = ({ holdout: _holdout, ...estimates }: Expectation): string[] =>
  Object.entries(estimates)
    .filter(([, v]) => v !== null && !Number.isFinite(v))
    .map(([name]) => name)

/** What models expect, as a part of the value; what was spent in the hold-out is exact. */
export function shownPrediction(
  { meanPAlive, expectedNewCustomer, expectedOrders, meanExpectedValue, total, mean, holdout }: Expectation,
  holdoutDays: number | undefined,
  holdoutSpend: string
): Record<string, unknown> {
  return {
    meanPAlive,
    expectedNewCustomer: finite(expectedNewCustomer),
    expectedOrders: finite(expectedOrders),
    meanExpectedValue: decimalOrNull(meanExpectedValue),
    total: decimalOrNull(total),
    mean: decimalOrNull(mean),
    ...(holdout && { holdout: { days: holdoutDays, ...holdout, spend: holdoutSpend } })
  }
}

/** What is expected of a customer, in the answer. */
export const shownOutlook = ({ pAlive, expectedOrders, expectedValue, value }: Outlook) => ({
  pAlive,
  expectedOrders: finite(expectedOrders),
  expectedValue: decimalOrNull(expectedValue),
  value: decimalOrNull(value)
})

/** A customer of the page, as the model sees it. */
export interface PredictedCustomer {
  customerId: string | null
  value: string | null
  [member: string]: unknown
}

const byValue = (a: PredictedCustomer, b: PredictedCustomer) =>
  Number(b.value ?? -Infinity) - Number(a.value ?? -Infinity) || (a.customerId! < b.customerId! ? 1 : -1)

/** All customers with what is expected of them, the one of most value first; none where no model was fitted. */
export function shownCustomers(
  rows: readonly CustomerRow[],
  outlooks: readonly Outlook[],
  perUnit: number
): PredictedCustomer[] {
  return outlooks
    .map((outlook, i): PredictedCustomer => {
      const { tx, T, z, ...row } = rows[i]!
      return { ...row, tx: tx / perUnit, T: T / perUnit, z: decimalOrNull(z), ...shownOutlook(outlook) }
    })
    .sort(byValue)
}
