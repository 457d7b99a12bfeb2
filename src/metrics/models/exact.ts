import { Big } from 'big.js'

/** An exact decimal as shown: at most ten places, half away from zero. */
export const shownDecimal = (value: Big): string => value.round(10).toFixed()

/** A number that was estimated, as a decimal of at most ten places. */
export const decimalOf = (estimate: number): string => shownDecimal(new Big(estimate))

/**
 * Estimated shares of an exact total as decimals of at most ten places that add up to it: what rounding leaves over goes
 * to the largest.
 */
export function sharesOf(total: Big, estimates: readonly number[]): string[] {
  const shares = estimates.map(e => new Big(e).round(10))
  const left = shares.reduce((rest, share) => rest.minus(share), total.round(10))
  const largest = estimates.indexOf(Math.max(...estimates))
  return shares.map((share, i) => shownDecimal(i === largest ? share.plus(left) : share))
}
