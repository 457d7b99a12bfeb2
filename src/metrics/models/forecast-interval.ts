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
  kind: 'exact' | 'drawn'
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

/** The interval of a forecast: exact for few deals of known amounts, else from draws. */
export function intervalOf(task: IntervalTask): Interval {
  const exact = task.deals.length <= mostExactDeals && task.deals.every(d => d.sample === undefined)
  return exact ? exactInterval(task) : drawnInterval(task)
}
