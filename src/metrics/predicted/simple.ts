import { Big } from 'big.js'
import { shownDecimal } from '../models/exact.js'

/**
 * What the simple method rests on; null where it is unknown. By orders a customer is one as long as there is an order in
 * every month, by subscriptions as long as one runs.
 */
export interface SimpleInput {
  averageOrderValue: string | null
  ordersPerMonth: number | null
  monthlyChurn: number | null
}

/** The value of a customer to come, by a constant rate of orders and of loss. */
export interface Simple {
  undiscounted: string | null
  discounted: string | null
}

/** Why the value is null; undefined where it is not. */
export function whyUnknown({
  averageOrderValue,
  ordersPerMonth,
  monthlyChurn
}: SimpleInput): string | undefined {
  if (averageOrderValue === null) return 'nothing_valued'
  if (ordersPerMonth === null || monthlyChurn === null) return 'no_history'
  return monthlyChurn === 0 ? 'no_churn' : undefined
}

/** The value of a customer's margins to come (Gupta, Lehmann 2003); the first one of the discounted ones comes now. */
export function simpleValue(input: SimpleInput, margin: number, monthlyDiscount: number): Simple {
  if (whyUnknown(input) !== undefined) return { undiscounted: null, discounted: null }
  const monthly = new Big(input.averageOrderValue!).times(input.ordersPerMonth!).times(margin)
  const churn = new Big(input.monthlyChurn!)
  return {
    undiscounted: shownDecimal(monthly.div(churn)),
    discounted: shownDecimal(monthly.times(new Big(1).plus(monthlyDiscount)).div(churn.plus(monthlyDiscount)))
  }
}
