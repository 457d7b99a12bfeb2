import { Closed, Integer, Nullable, Number as Quotient, Share, type Static } from '../kernel/schema.js'

/** A number of records, with what is counted. */
export const Count = (description: string) => ({ ...Integer(0, 2147483647), description })

/** A share of records, with its counts and the 95 % Wilson interval; null where the denominator is 0. */
export const Rate = () =>
  Closed(
    {
      value: Nullable(Share()),
      numerator: Count('Records that did.'),
      denominator: Count('Records that could have; 0 makes the share unknown.'),
      low: Nullable(Share()),
      high: Nullable(Share())
    },
    { 'x-type': 'Rate', description: 'A share with its counts and its 95 % Wilson interval.' }
  )

export type Rate = Static<ReturnType<typeof Rate>>

/** The normal quantile of a two-sided 95 % interval. */
const z = 1.959963984540054

/**
 * The 95 % score interval of a share: Wilson 1927, Probable inference, the law of succession, and statistical
 * inference, Journal of the American Statistical Association 22, 209–212.
 */
function wilson(successes: number, trials: number): { low: number; high: number } {
  const centre = successes + z ** 2 / 2
  const spread = z * Math.sqrt((successes * (trials - successes)) / trials + z ** 2 / 4)
  const at = (sum: number) => Math.min(1, Math.max(0, sum / (trials + z ** 2)))
  return { low: at(centre - spread), high: at(centre + spread) }
}

/** A share of at most 1; `0/x` is 0, `x/0` is unknown. */
export function rate(numerator: number, denominator: number): Rate {
  if (denominator === 0) return { value: null, numerator, denominator, low: null, high: null }
  return { value: numerator / denominator, numerator, denominator, ...wilson(numerator, denominator) }
}

/** A number of events for each unit at risk, with both and the 95 % Wilson interval where it is a share. */
export const Ratio = () =>
  Closed(
    {
      value: Nullable(Quotient()),
      numerator: Count('Events.'),
      denominator: Count('What they are counted for; 0 makes the number unknown.'),
      low: Nullable(Share()),
      high: Nullable(Share())
    },
    { 'x-type': 'Ratio', description: 'A number of events for each unit; unlike a rate it may exceed 1.' }
  )

export type Ratio = Static<ReturnType<typeof Ratio>>

/** A rate that may exceed 1, without an interval then. */
export function ratio(numerator: number, denominator: number): Ratio {
  if (numerator <= denominator) return rate(numerator, denominator)
  const value = denominator === 0 ? null : numerator / denominator
  return { value, numerator, denominator, low: null, high: null }
}
