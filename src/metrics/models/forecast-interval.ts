import normalQuantile from '@stdlib/stats-base-dists-normal-quantile'
import { type Big } from 'big.js'
import { decimalOf, shownDecimal } from './exact.js'
import {
  drawnQuantile,
  drawnTotals,
  exactDistribution,
  exactQuantile,
  mostExactDeals,
  outcomesOf
} from './forecast-distribution.js'

/** A deal that is won with a probability. */
export interface Chance {
  amount: Big
  /** The amount as a number. */
  size: number
  p: number
  /** What its amount is drawn from, where it is not known. */
  drawn?: readonly number[] | undefined
}

/** What a forecast may come to, as asked. */
export interface IntervalTask {
  deals: readonly Chance[]
  draws: number
  seed: number
  quantiles: readonly number[]
  /** Whether the distribution is wanted too, where it is exact and has not too many totals. */
  distribution: boolean
}

/** Totals by the probability that they are not exceeded. */
export interface Interval {
  kind: 'exact' | 'drawn' | 'normal'
  draws: number | null
  seed: number | null
  quantiles: { p: number; total: string }[]
  distribution?: { total: string; p: number }[]
}

/** The most totals that a distribution is shown with: twelve deals have no more. */
const mostTotals = 4096

function exactInterval({ deals, quantiles, distribution }: IntervalTask): Interval {
  const found = exactDistribution(deals)
  return {
    kind: 'exact',
    draws: null,
    seed: null,
    quantiles: quantiles.map(p => ({ p, total: shownDecimal(exactQuantile(found, p)!) })),
    ...(distribution &&
      found.chances.length <= mostTotals && {
        distribution: outcomesOf(found).map(({ total, p }) => ({ total: shownDecimal(total), p }))
      })
  }
}

function drawnInterval({ deals, draws, seed, quantiles }: IntervalTask): Interval {
  const totals = drawnTotals(deals, draws, seed, ({ size, drawn }, random) =>
    drawn ? drawn[Math.floor(random() * drawn.length)]! : size
  )
  return {
    kind: 'drawn',
    draws,
    seed,
    quantiles: quantiles.map(p => ({ p, total: decimalOf(drawnQuantile(totals, p)!) }))
  }
}

/** So many single draws take a second or two; for more deals the normal law is closer than draws are. */
const mostDrawn = 30_000_000

const mean = (values: readonly number[], power: number) =>
  values.reduce((sum, v) => sum + v ** power, 0) / values.length

// The first three moments of an amount, and the most that it may be.
function momentsOf(values: readonly number[]) {
  return [
    mean(values, 1),
    mean(values, 2),
    mean(values, 3),
    values.reduce((a, b) => Math.max(a, b), 0)
  ] as const
}

// The sum of so many deals is nearly normal; what it leans to is corrected for (Cornish and Fisher 1938).
function normalInterval({ deals, quantiles, draws }: IntervalTask): Interval {
  const known = new Map<readonly number[], ReturnType<typeof momentsOf>>()
  for (const { drawn } of deals) if (drawn && !known.has(drawn)) known.set(drawn, momentsOf(drawn))
  let [expected, variance, third, most] = [0, 0, 0, 0]
  for (const { size, p, drawn } of deals) {
    const [first, second, cube, largest] = drawn ? known.get(drawn)! : [size, size ** 2, size ** 3, size]
    const [m1, m2, m3] = [first * p, second * p, cube * p]
    expected += m1
    variance += m2 - m1 ** 2
    third += m3 - 3 * m1 * m2 + 2 * m1 ** 3
    if (p > 0) most += largest
  }
  const deviation = Math.sqrt(Math.max(variance, 0))
  const skewness = deviation > 0 ? third / deviation ** 3 : 0
  const total = (p: number) => {
    const z = normalQuantile(Math.min(Math.max(p, 1 / draws), 1 - 1 / draws), 0, 1)
    return Math.min(Math.max(expected + deviation * (z + (skewness * (z ** 2 - 1)) / 6), 0), most)
  }
  return {
    kind: 'normal',
    draws: null,
    seed: null,
    quantiles: quantiles.map(p => ({ p, total: decimalOf(total(p)) }))
  }
}

/** The interval of a forecast: exact for few deals of known amounts, by the normal law for very many, else from draws. */
export function intervalOf(task: IntervalTask): Interval {
  const { deals, draws } = task
  if (deals.length <= mostExactDeals && deals.every(d => !d.drawn)) return exactInterval(task)
  return deals.length * draws > mostDrawn ? normalInterval(task) : drawnInterval(task)
}
