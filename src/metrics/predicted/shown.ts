import type { Customer, Outlook } from '../models/customer-value.js'
import type { Expectation } from '../models/customer-prediction.js'
import { decimalOf } from '../models/exact.js'
import type { CustomerRow } from './customers-sql.js'

// Parameters that were given may lead beyond all numbers.
const finite = (value: number | null) => (value !== null && Number.isFinite(value) ? value : null)

/** An estimate as a decimal; null where there is none that is finite. */
export const decimalOrNull = (value: number | null) => (finite(value) === null ? null : decimalOf(value!))

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
