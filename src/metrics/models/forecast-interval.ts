import normalQuantile from '@stdlib/stats-base-dists-normal-quantile'
import { Big } from 'big.js'
import { decimalOf, shownDecimal } from './exact.js'
import {
  drawnQuantile,
  drawnTotals,
  exactDistribution,
  exactQuantile,
  mostExactDeals,
  outcomesOf
} from './forecast-distribution.js'

/** A deal that is won with a probability: its amount, or the place of a sample that its amount is drawn from. */
export interface Chance {
  amount: string
  p: number
  sample?: number
}

/** What a forecast may come to, as asked. */
export interface IntervalTask {
  deals: readonly Chance[]
  samples: readonly (readonly number[])[]
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
  const found = exactDistribution(deals.map(d => ({ amount: new Big(d.amount), p: d.p })))
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

function drawnInterval({ deals, samples, draws, seed, quantiles }: IntervalTask): Interval {
  const chances = deals.map(({ amount, p, sample }) => ({
    amount: { fixed: Number(amount), sample: sample === undefined ? undefined : samples[sample] },
    p
  }))
  const totals = drawnTotals(chances, draws, seed, ({ fixed, sample }, random) =>
    sample === undefined ? fixed : sample[Math.floor(random() * sample.length)]!
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

// The sum of so many deals is nearly normal; what it leans to is corrected for (Cornish and Fisher 1938).
function normalInterval({ deals, samples, quantiles, draws }: IntervalTask): Interval {
  const powers = [1, 2, 3] as const
  const drawn = samples.map(values => ({
    moments: powers.map(power => mean(values, power)),
    largest: values.reduce((a, b) => Math.max(a, b), 0)
  }))
  let [expected, variance, third, most] = [0, 0, 0, 0]
  for (const { amount, p, sample } of deals) {
    const fixed = Number(amount)
    const { moments, largest } =
      sample === undefined ? { moments: powers.map(power => fixed ** power), largest: fixed } : drawn[sample]!
    const [m1, m2, m3] = moments.map(m => m * p) as [number, number, number]
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
  if (deals.length <= mostExactDeals && deals.every(d => d.sample === undefined)) return exactInterval(task)
  return deals.length * draws > mostDrawn ? normalInterval(task) : drawnInterval(task)
}
