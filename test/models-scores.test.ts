import { Big } from 'big.js'
import t from 'tap'
import { readCsv } from '../scripts/load/csv.js'
import { decimalOf, sharesOf } from '../src/metrics/models/exact.js'
import {
  drawnQuantile,
  drawnTotals,
  exactDistribution,
  exactQuantile,
  outcomesOf
} from '../src/metrics/models/forecast-distribution.js'
import { fitLogistic, logOddsAt, probability, type Observations } from '../src/metrics/models/logistic.js'
import { auc, qualityOf } from '../src/metrics/models/score-quality.js'
import { edgeCase, expectedOf, hasReference, near, referenceFolder, type Json } from './helpers/expected.js'

const maximumLikelihood = { strength: 0, standardise: true }

const observations = (rows: readonly number[][], outcomes: readonly number[]): Observations => ({
  cells: Float64Array.from(rows.flat()),
  columns: rows[0]?.length ?? 0,
  outcomes: Uint8Array.from(outcomes)
})

t.test('scores and what came of them', async t => {
  const { given, expect } = edgeCase('E25')
  const scored = (given.scores as number[]).map((score, i) => ({
    score,
    outcome: given.converted[i] as number
  }))
  const quality = qualityOf(scored)
  near(t, quality.auc, expect.auc as number, 'AUC', 1e-9)
  near(t, quality.brier, expect.brier as number, 'Brier', 1e-9)
  t.equal(auc(scored.filter(s => s.outcome === 1)), null, 'one outcome only')
  t.match(qualityOf([]), { n: 0, baseRate: null, auc: null, brier: null, logLoss: null, calibration: [] })
  t.ok(Number.isFinite(qualityOf([{ score: 0, outcome: 1 }]).logLoss), 'a sure score that failed')
  t.equal(qualityOf([{ score: 0.2, outcome: 0 }]).liftTop10, null, 'no success')
})

t.test('a penalty', async t => {
  const rows = [[1], [2], [3], [4], [5], [6], [7], [8]]
  const data = observations(rows, [0, 0, 1, 0, 1, 0, 1, 1])
  const at = (strength: number, standardise = true) => fitLogistic(data, { strength, standardise })
  t.ok(at(0).converged)
  t.ok(Math.abs(at(1).coefficients[1]!) < Math.abs(at(0).coefficients[1]!), 'shrinks')
  t.ok(at(1).logLikelihood < at(0).logLikelihood)
  t.ok(Math.abs(at(1e6).coefficients[1]!) < 1e-4, 'to nothing')
  near(t, probability(at(1e6).coefficients[0]!), 0.5, 'the intercept is free', 1e-3)
  // In units of a tenth the same model has ten times the coefficient, if the penalty sees standard deviations.
  const tenth = observations(
    rows.map(([v]) => [v! / 10]),
    [0, 0, 1, 0, 1, 0, 1, 1]
  )
  near(
    t,
    fitLogistic(tenth, { strength: 2, standardise: true }).coefficients[1]! / 10,
    at(2).coefficients[1]!,
    'units'
  )
  const raw = fitLogistic(tenth, { strength: 2, standardise: false }).coefficients[1]! / 10
  t.ok(raw < at(2).coefficients[1]! / 2, 'else units count')
  // At the top of the penalised likelihood its slope is 0.
  const [b0, b1] = at(2, false).coefficients as [number, number]
  const missed = rows.map(([v], i) => data.outcomes[i]! - probability(b0 + b1 * v!))
  near(
    t,
    missed.reduce((a, b) => a + b, 0),
    0,
    'slope of the intercept'
  )
  near(t, missed.reduce((a, b, i) => a + b * rows[i]![0]!, 0) - 2 * b1, 0, 'slope of the coefficient')
})

t.test('outcomes that a line separates', async t => {
  const data = observations([[1], [2], [3], [4]], [0, 0, 1, 1])
  t.equal(fitLogistic(data, maximumLikelihood).converged, false)
  t.equal(fitLogistic(data, { strength: 1, standardise: true }).converged, true)
  const twice = observations(
    [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4]
    ],
    [0, 1, 0, 1]
  )
  t.equal(fitLogistic(twice, { strength: 1, standardise: true }).converged, true, 'the same column twice')
})

t.test('a forecast as independent draws', async t => {
  const { given, expect } = edgeCase('E23')
  const deals = (given.deals as { amount: number; p: number }[]).map(d => ({
    ...d,
    amount: new Big(d.amount)
  }))
  const distribution = exactDistribution(deals)
  t.same(
    outcomesOf(distribution).map(o => ({ total: o.total.toNumber(), p: o.p })),
    expect.distribution
  )
  for (const [name, p] of Object.entries({ p10: 0.1, p50: 0.5, p90: 0.9 }))
    t.equal(exactQuantile(distribution, p)!.toFixed(), String(expect[name]), name)
  t.same(outcomesOf(exactDistribution([])), [{ total: new Big(0), p: 1 }])
  const cents = ['0.1', '0.2', '0.3'].map(amount => ({ amount: new Big(amount), p: 0.5 }))
  t.same(
    outcomesOf(exactDistribution(cents)).map(o => o.total.toFixed()),
    ['0', '0.1', '0.2', '0.3', '0.4', '0.5', '0.6']
  )
  const amounts = given.deals as { amount: number; p: number }[]
  const totals = drawnTotals(amounts, 20_000, 3, d => d.amount)
  t.same(
    drawnTotals(amounts, 100, 3, d => d.amount),
    drawnTotals(amounts, 100, 3, d => d.amount),
    'the same for a seed'
  )
  near(t, totals.filter(x => x === 500).length / totals.length, 0.375, 'drawn', 0.02)
  t.equal(drawnQuantile(totals, 0.5), 1500)
  t.equal(drawnQuantile(new Float64Array(0), 0.5), undefined)
})

t.test('the distribution of as many deals as are exact', async t => {
  const deals = (amount: (i: number) => string) =>
    Array.from({ length: 20 }, (_, i) => ({ amount: new Big(amount(i)), p: 0.5 }))
  const powers = exactDistribution(deals(i => String(2 ** i)))
  t.equal(powers.chances.length, 2 ** 20)
  t.equal(exactQuantile(powers, 1)!.toFixed(), String(2 ** 20 - 1))
  t.equal(exactQuantile(powers, 2 ** -20)!.toFixed(), '0')
  const wide = exactDistribution(deals(i => (i < 19 ? '900000000000000.000000000000000001' : '-1')))
  t.equal(exactQuantile(wide, 0)!.toFixed(), '-1', 'beyond what a number holds exactly')
  t.equal(exactQuantile(wide, 1)!.toFixed(), '17100000000000000.000000000000000019')
  t.equal(outcomesOf(wide).length, 40)
})

t.test('decimals', async t => {
  const numbers = [0.1, 1e-7, 3_000_000_000.15, 1e22, -2.5, 0.12345678905, -4e-11]
  const texts = ['0.1', '0.0000001', '3000000000.15', '10000000000000000000000', '-2.5', '0.1234567891', '0']
  t.same(numbers.map(decimalOf), texts)
  const thirds = ['33.3333333334', '33.3333333333', '33.3333333333']
  t.same(sharesOf(new Big('100'), [100 / 3, 100 / 3, 100 / 3]), thirds)
  t.same(sharesOf(new Big('0'), []), [])
})

if (hasReference) {
  const expected = await expectedOf('telephone-campaign')
  const fields = ['age', 'campaign', 'previous', 'euribor3m', 'cons.conf.idx'] as const
  const read = () =>
    readCsv<(typeof fields)[number] | 'duration' | 'y'>(
      referenceFolder('telephone-campaign'),
      'bank-additional.csv'
    )

  t.test('4,119 calls', async t => {
    const rows = await read()
    const test = rows.filter((_, i) => i % 5 === 0)
    const train = rows.filter((_, i) => i % 5 !== 0)
    const outcome = (r: { y: string }) => Number(r.y === 'yes')
    const cells = (r: (typeof rows)[number]) => fields.map(f => Number(r[f]))
    const wanted = expected.model_numeric as Json
    const found = fitLogistic(observations(train.map(cells), train.map(outcome)), maximumLikelihood)
    t.equal(found.converged, true)
    near(t, found.logLikelihood, wanted.loglik as number, 'log-likelihood')
    for (const [i, name] of ['(Intercept)', ...fields].entries()) {
      near(t, found.coefficients[i], wanted.coefficients[name] as number, name)
      near(t, found.stdErrors[i], wanted.std_errors[name] as number, `${name}: standard error`)
    }
    const scored = (of: typeof rows) =>
      of.map(r => ({
        score: probability(logOddsAt(found.coefficients, Float64Array.from(cells(r)), 0)),
        outcome: outcome(r)
      }))
    near(t, auc(scored(train)), wanted.auc_train as number, 'AUC of training')
    const quality = qualityOf(scored(test))
    t.match(quality, { n: wanted.n_test, positives: wanted.positives_test })
    near(t, quality.auc, wanted.auc_test as number, 'AUC')
    near(t, quality.brier, wanted.brier_test as number, 'Brier')
    near(t, quality.logLoss, wanted.logloss_test as number, 'log-loss')
    near(t, quality.liftTop10, wanted.lift_top10pct_test as number, 'lift')
    for (const [i, p] of (wanted.first10_test_predictions as number[]).entries())
      near(t, scored(test)[i]!.score, p, `call ${i}`)
    for (const [i, { n, mean_p, rate }] of (wanted.calibration_deciles_test as Json[]).entries()) {
      t.match(quality.calibration[i], { bin: i + 1, n })
      near(t, quality.calibration[i]!.mean, mean_p as number, `tenth ${i + 1}: expected`)
      near(t, quality.calibration[i]!.rate, rate as number, `tenth ${i + 1}: came`)
    }
    const duration = test.map(r => ({ score: Number(r.duration), outcome: outcome(r) }))
    near(t, auc(duration), expected.leak_duration_only.auc_test as number, 'duration alone')
  })
} else t.comment('reference data is absent: left out')
