import { Big } from 'big.js'
import { randomNumbers } from './random.js'

/** A deal as a yes or no draw. */
export interface Draw<A> {
  amount: A
  p: number
}

/** A total with its probability. */
export interface Outcome {
  total: Big
  p: number
}

/** The most deals whose distribution is worked out exactly: there may be two totals for each set of them. */
export const mostExactDeals = 20

const tolerance = 1e-9

/** The distribution of the sum of independent deals, in ascending order of totals. */
export function exactDistribution(deals: readonly Draw<Big>[]): Outcome[] {
  const places = Math.max(0, ...deals.map(d => (d.amount.toFixed().split('.')[1] ?? '').length))
  const unit = new Big(10).pow(places)
  // Whole numbers of the smallest unit: equal totals are found by them, and they are quicker to add.
  let totals = new Map<bigint, number>([[0n, 1]])
  for (const { amount, p } of deals) {
    const units = BigInt(amount.times(unit).toFixed())
    const next = new Map<bigint, number>()
    const add = (total: bigint, q: number) => q > 0 && next.set(total, (next.get(total) ?? 0) + q)
    for (const [total, q] of totals) {
      add(total, q * (1 - p))
      add(total + units, q * p)
    }
    totals = next
  }
  return [...totals]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([total, p]) => ({ total: new Big(total.toString()).div(unit), p }))
}

/** The smallest total that is not exceeded with the probability; undefined where there is none. */
export function exactQuantile(distribution: readonly Outcome[], probability: number): Big | undefined {
  let sum = 0
  return distribution.find(({ p }) => (sum += p) >= probability - tolerance)?.total
}

/** Totals of deals drawn again and again, in ascending order; `amountOf` may draw the amount too. */
export function drawnTotals<A>(
  deals: readonly Draw<A>[],
  draws: number,
  seed: number,
  amountOf: (amount: A, random: () => number) => number
): Float64Array {
  const random = randomNumbers(seed)
  const totals = new Float64Array(draws)
  for (let i = 0; i < draws; i++)
    for (const { amount, p } of deals) if (random() < p) totals[i]! += amountOf(amount, random)
  return totals.sort()
}

/** The smallest of sorted totals that is not exceeded with the probability; undefined where there is none. */
export const drawnQuantile = (totals: Float64Array, probability: number): number | undefined =>
  totals[Math.max(0, Math.ceil(totals.length * (probability - tolerance)) - 1)]
