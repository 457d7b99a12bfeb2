import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { readCsv } from '../scripts/load/csv.js'
import { statsOf, statsOfCounts } from '../src/metrics/models/stats.js'
import {
  cumulativeIncidence,
  incidenceAt,
  kaplanMeier,
  restrictedMean,
  survivalAt,
  survivalMedian
} from '../src/metrics/models/survival.js'
import { edgeCase, expectedOf, hasReference, near, referenceFolder } from './helpers/expected.js'

t.test('quantiles interpolate between order statistics', async t => {
  const { given, expect } = edgeCase('E12')
  const stats = statsOf(given.values as number[])
  for (const name of ['p25', 'median', 'p75', 'p90', 'mean'] as const)
    near(t, stats[name], expect[name] as number, name)
  t.match(stats, { n: 5, min: 1, max: 10 })
  t.match(statsOf([10, 9, -1]), { median: 9, min: -1 }, 'sorted as numbers')
  const nothing = { n: 0, mean: null, median: null, p25: null, p75: null, p90: null, min: null, max: null }
  t.same(statsOf([]), nothing)
  t.same(statsOfCounts(new Map()), nothing)
})

t.test('numbers that are counted are the same sample', async t => {
  const same = fc.property(fc.array(fc.integer({ min: 0, max: 40 })), values => {
    const counts = new Map<number, number>()
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
    return isDeepStrictEqual(statsOfCounts(counts), statsOf(values))
  })
  t.doesNotThrow(() => fc.assert(same))
})

t.test('completed and open durations', async t => {
  const { given, expect } = edgeCase('E11')
  const completed = given.durations_completed as number[]
  const curve = kaplanMeier(completed, given.durations_open as number[])
  for (const [i, [time, share]] of (expect.km as [number, number][]).entries()) {
    t.equal(curve[i]!.time, time)
    near(t, curve[i]!.survival, share, `S(${time})`, 1e-9)
  }
  t.equal(survivalMedian(curve), expect.km_median)
  near(t, survivalAt(curve, 5), expect.share_still_in_stage_at['5'] as number, 'S(5)', 1e-9)
  t.match(statsOf(completed), { mean: expect.mean_completed, median: expect.median_completed })
})

t.test('medians', async t => {
  t.equal(survivalMedian(kaplanMeier([], [])), null, 'of nothing')
  t.equal(survivalMedian(kaplanMeier([5], [1, 9, 9])), null, 'that are not reached')
  t.equal(survivalMedian(kaplanMeier([0, 0], [3])), 0, 'of durations of 0')
  // 1 - 1/3 - 1/3 … falls short of one half by a rounding error alone.
  t.equal(survivalMedian(kaplanMeier([1, 2, 3, 4, 5, 6], [])), 3, 'at exactly one half')
})

const duration = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.double({ min: 0, max: 20, noNaN: true }))
const durations = fc.array(duration, { maxLength: 40 })

t.test('incidences and survival add up to 1, and survival never grows', async t => {
  const holds = fc.property(durations, durations, durations, (won, lost, open) => {
    const curve = cumulativeIncidence([won, lost], open)
    const closed = kaplanMeier([...won, ...lost], open)
    curve.forEach((step, i) => {
      const [ofWon, ofLost] = [step.incidence[0]!, step.incidence[1]!]
      if (Math.abs(ofWon + ofLost + step.survival - 1) > 1e-9) throw new Error('does not add up')
      if (step.survival > (curve[i - 1]?.survival ?? 1)) throw new Error('grows')
      if (Math.abs(step.survival - closed[i]!.survival) > 1e-12) throw new Error('differs by the causes')
    })
  })
  t.doesNotThrow(() => fc.assert(holds))
  t.equal(incidenceAt(cumulativeIncidence([[2], [1]], [3]), 0, 2.5).toFixed(6), '0.333333')
  t.equal(incidenceAt(cumulativeIncidence([[2], [1]], [3]), 0, 1.9), 0)
})

if (hasReference) {
  t.test('subscribers by tenure', async t => {
    const expected = await expectedOf('subscription-churn')
    const rows = await readCsv<'tenure' | 'Churn'>(referenceFolder('subscription-churn'), 'customers.csv')
    const tenures = (churned: string) => rows.filter(r => r.Churn === churned).map(r => Number(r.tenure))
    const curve = kaplanMeier(tenures('Yes'), tenures('No'))
    for (const [month, share] of Object.entries(expected.km_survival_months as Record<string, number>))
      near(t, survivalAt(curve, Number(month)), share, `S(${month})`)
    near(t, survivalMedian(curve), expected.km_median as null, 'median')
    near(t, restrictedMean(curve, 72), expected.restricted_mean_tenure_72 as number, 'restricted mean')
  })
} else t.comment('reference data is absent: left out')
