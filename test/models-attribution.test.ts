import fc from 'fast-check'
import t from 'tap'
import { readCsv } from '../scripts/load/csv.js'
import {
  attribute,
  attributionModels,
  type AttributionModel,
  type ModelCredits
} from '../src/metrics/models/attribution.js'
import type { Journey } from '../src/metrics/models/journeys.js'
import { markovChain } from '../src/metrics/models/markov.js'
import { edgeCase, expectedOf, hasReference, near, referenceFolder, type Json } from './helpers/expected.js'

const settings = { halfLifeDays: 7, markovOrder: 1, bootstrap: 0, seed: 1 }

const places = (keys: readonly string[]) => (key: string) => keys.indexOf(key)

const byKey = (keys: readonly string[], { credits }: ModelCredits, what: 'conversions' | 'value') =>
  Object.fromEntries(credits.map(c => [keys[c.key]!, c[what]]))

const journeysOf = (rows: Json[], keys: string[]): Journey[] =>
  rows.map(r => ({
    path: (r.path as string[]).map(places(keys)),
    conversions: r.conv ?? 0,
    value: r.value ?? 0,
    nulls: r.null ?? 0
  }))

t.test('one touch, many touches, touches that come again', async t => {
  const { given, expect } = edgeCase('E18')
  const keys = ['a', 'b', 'c']
  const models: AttributionModel[] = ['first', 'last', 'linear', 'position', 'shapley']
  for (const found of attribute(journeysOf(given.journeys as Json[], keys), models, settings)) {
    const value = byKey(keys, found, 'value')
    const wanted = expect[found.model] as Record<string, number>
    t.same(Object.keys(value).sort(), Object.keys(wanted).sort(), found.model)
    for (const [key, v] of Object.entries(wanted)) near(t, value[key], v, `${found.model} ${key}`, 1e-9)
  }
})

t.test('time decay', async t => {
  const { expect } = edgeCase('E19')
  const journey: Journey = { path: [0, 1, 2], conversions: 1, value: 700, nulls: 0, ages: [14, 7, 0] }
  const value = byKey(['a', 'b', 'c'], attribute([journey], ['time_decay'], settings)[0]!, 'value')
  for (const [key, v] of Object.entries(expect.credit as Record<string, number>)) near(t, value[key], v, key)
  const old = { ...journey, ages: [40_000, 39_993, 39_993] }
  near(t, attribute([old], ['time_decay'], settings)[0]!.credits[1]!.value, 280, 'of touches long ago')
})

t.test('direct touches, and the touches that led to a lead and a deal', async t => {
  const journey = { conversions: 1, value: 100, nulls: 0 }
  const lastNonDirect = (path: number[], direct: boolean[]) =>
    attribute([{ ...journey, path, direct }], ['last_non_direct'], settings)[0]!.credits.map(c => c.key)
  t.same(lastNonDirect([3, 4, 5], [false, false, true]), [4])
  t.same(lastNonDirect([3, 4], [true, true]), [4], 'direct touches alone')
  const wShaped = (path: number[], leadTouch: number, dealTouch: number) =>
    attribute([{ ...journey, path, leadTouch, dealTouch }], ['w_shaped'], settings)[0]!.credits.map(c =>
      Number(c.value.toFixed(6))
    )
  t.same(wShaped([0, 1, 2, 3, 4], 1, 3), [30, 30, 5, 30, 5])
  t.same(wShaped([0, 1, 2, 3], 0, 2), [60, 5, 30, 5], 'the first touch made the lead')
  t.same(wShaped([0, 1, 2], 1, 2), [33.333333, 33.333333, 33.333333], 'nothing else')
  t.same(wShaped([0, 1, 2], -1, 1), [42.857143, 42.857143, 14.285714], 'no touch before the lead')
  t.same(wShaped([0], -1, -1), [100])
})

t.test('removal effects of a Markov chain', async t => {
  const { given, expect } = edgeCase('E17')
  const keys = ['c1', 'c2', 'c3']
  const found = attribute(journeysOf(given.journeys as Json[], keys), ['markov'], settings)[0]!
  near(t, found.chain!.pConversion, expect.p_conversion as number, 'P', 1e-9)
  const conversions = byKey(keys, found, 'conversions')
  for (const key of keys) {
    near(t, found.chain!.removalEffects.get(keys.indexOf(key)), expect.removal_effect[key] as number, key)
    near(t, conversions[key], expect.attributed_conversions[key] as number, key)
  }
})

t.test('chains that say nothing', async t => {
  t.equal(markovChain([], 1), undefined)
  const lost: Journey = { path: [0], conversions: 0, value: 0, nulls: 3 }
  t.same(attribute([lost], ['markov'], settings)[0]!.credits, [])
  t.equal(markovChain([lost], 1)!.pConversion, 0)
  const wide = Array.from({ length: 500 }, (_, i) => ({ path: [i], conversions: 1, value: 1, nulls: 0 }))
  t.equal(markovChain(wide, 1), undefined, 'too many states')
})

/** P(conversion) of the chain without a key, found by walking it. */
function walked(journeys: Journey[], order: number, without: number): number {
  const moves = new Map<string, Map<string, number>>()
  for (const { path, conversions, nulls } of journeys) {
    const touches = order === 1 ? path : path.filter((k, i) => k !== path[i - 1])
    if (touches.length === 0) continue
    const names = touches.map((_, i) => touches.slice(Math.max(0, i + 1 - order), i + 1).join())
    const ends: [string, number][] = [
      ['+', conversions],
      ['-', nulls]
    ]
    for (const [end, n] of ends) {
      ;[...names, end].forEach((to, i) => {
        const from = names[i - 1] ?? ''
        const row = moves.get(from) ?? new Map<string, number>()
        moves.set(from, row.set(to, (row.get(to) ?? 0) + n))
      })
    }
  }
  const last = (name: string) => Number(name.split(',').at(-1))
  let mass = new Map([['', 1]])
  let converted = 0
  for (let step = 0; step < 5000 && mass.size > 0; step++) {
    const next = new Map<string, number>()
    for (const [from, p] of mass) {
      const row = moves.get(from)!
      const all = [...row.values()].reduce((a, b) => a + b, 0)
      for (const [to, n] of row) {
        const q = (p * n) / all
        if (to === '+') converted += q
        else if (to !== '-' && last(to) !== without && q > 1e-16) next.set(to, (next.get(to) ?? 0) + q)
      }
    }
    mass = next
  }
  return converted
}

const journey = fc.record({
  path: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 7 }),
  conversions: fc.integer({ min: 0, max: 3 }),
  nulls: fc.integer({ min: 0, max: 3 }),
  value: fc.integer({ min: 0, max: 100_000 }).map(cents => cents / 100)
})
const journeys = fc.array(
  journey.map(j => ({
    ...j,
    value: j.conversions === 0 ? 0 : j.value,
    ages: j.path.map((_, i) => 3 * (j.path.length - i))
  })),
  { maxLength: 12 }
)

t.test('a removal effect is what a chain loses without the key, at every order', async t => {
  const holds = fc.property(journeys, fc.integer({ min: 1, max: 3 }), (all, order) => {
    const chain = markovChain(all, order)
    if (!chain) return
    if (Math.abs(chain.pConversion - walked(all, order, -1)) > 1e-9) throw new Error('P')
    for (const [key, effect] of chain.removalEffects) {
      const lost = chain.pConversion === 0 ? 0 : 1 - walked(all, order, key) / chain.pConversion
      if (Math.abs(effect - lost) > 1e-9) throw new Error(`removal effect ${effect}, walked ${lost}`)
    }
  })
  t.doesNotThrow(() => fc.assert(holds))
})

const sums = (found: ModelCredits) =>
  found.credits.reduce((sum, c) => [sum[0]! + c.conversions, sum[1]! + c.value], [0, 0])

t.test('every model gives away exactly what there is, in whatever order the journeys come', async t => {
  const holds = fc.property(journeys, fc.integer({ min: 1, max: 3 }), (all, markovOrder) => {
    const touched = all.filter(j => j.path.length > 0)
    const conversions = touched.reduce((n, j) => n + j.conversions, 0)
    const value = touched.reduce((n, j) => n + j.value, 0)
    const there = { ...settings, markovOrder }
    const found = attribute(all, attributionModels, there)
    const again = attribute(all.toReversed(), attributionModels, there)
    found.forEach((model, i) => {
      const given = sums(model)
      if (Math.abs(given[0]! - conversions) > 1e-9 || Math.abs(given[1]! - value) > 1e-6)
        throw new Error(`${model.model} gives ${given.join()} of ${conversions}, ${value}`)
      model.credits.forEach((c, k) => {
        const other = again[i]!.credits[k]!
        if (Math.abs(c.value - other.value) > 1e-6) throw new Error(`${model.model} depends on the order`)
      })
    })
  })
  t.doesNotThrow(() => fc.assert(holds))
})

t.test('touches of one key in a row count once in a Markov chain', async t => {
  const once: Journey[] = [
    { path: [0, 1, 0], conversions: 2, value: 20, nulls: 1 },
    { path: [1, 2], conversions: 1, value: 5, nulls: 4 }
  ]
  const often = once.map(j => ({ ...j, path: j.path.flatMap((k, i) => (i === 0 ? [k, k, k] : [k])) }))
  for (const markovOrder of [1, 2, 3]) {
    const [a, b] = [once, often].map(j => attribute(j, ['markov'], { ...settings, markovOrder })[0]!.credits)
    a!.forEach((c, i) => near(t, c.conversions, b![i]!.conversions, `order ${markovOrder}`, 1e-9))
  }
})

t.test('a bootstrap interval', async t => {
  const all: Journey[] = [
    { path: [0], conversions: 30, value: 300, nulls: 5 },
    { path: [1], conversions: 10, value: 50, nulls: 5 }
  ]
  const resample = (seed: number) =>
    attribute(all, ['first', 'markov'], { ...settings, bootstrap: 400, seed }).map(m => m.credits)
  t.same(resample(7), resample(7), 'is the same for a seed')
  t.not(resample(7)[0]![0]!.low, resample(8)[0]![0]!.low, 'and another one for another')
  for (const credits of resample(7))
    for (const c of credits) t.ok(c.low! < c.conversions && c.conversions < c.high!)
  // 30 of 50 draws: the standard deviation is sqrt(50 * 0.6 * 0.4).
  const { low, high } = resample(7)[0]![0]!
  near(t, (high! - low!) / (2 * 1.96), Math.sqrt(12), 'spread', 0.15)
})

const names: Partial<Record<AttributionModel, string>> = { position: 'position_40_20_40' }

if (hasReference) {
  t.test('10,000 paths', async t => {
    const expected = await expectedOf('journeys')
    type Column = 'path' | 'total_conversions' | 'total_conversion_value' | 'total_null'
    const rows = await readCsv<Column>(referenceFolder('journeys'), 'paths.csv')
    const keys = expected.totals.channels as string[]
    const all: Journey[] = rows.map(r => ({
      path: r.path.split(' > ').map(places(keys)),
      conversions: Number(r.total_conversions),
      value: Number(r.total_conversion_value),
      nulls: Number(r.total_null)
    }))
    const found = attribute(all, ['first', 'last', 'linear', 'position', 'shapley', 'markov'], settings)
    for (const model of found.slice(0, 5)) {
      const wanted: Json =
        model.model === 'shapley'
          ? expected.shapley_unordered
          : expected.heuristics[names[model.model] ?? model.model]
      for (const what of ['conversions', 'value'] as const) {
        const sums = byKey(keys, model, what)
        t.same(Object.keys(sums), Object.keys(wanted))
        for (const key of keys)
          near(t, sums[key], wanted[key][what] as number, `${model.model} ${key} ${what}`)
      }
    }
    const markov = found[5]!
    const wanted = expected.markov_order1_with_nulls as Json
    const [conversions, value] = [byKey(keys, markov, 'conversions'), byKey(keys, markov, 'value')]
    near(t, markov.chain!.pConversion, wanted.p_conversion as number, 'P')
    for (const [i, key] of keys.entries()) {
      near(t, markov.chain!.removalEffects.get(i), wanted.removal_effect[key] as number, `${key} removed`)
      near(t, conversions[key], wanted.attributed_conversions[key] as number, `markov ${key} conversions`)
      near(t, value[key], wanted.attributed_value[key] as number, `markov ${key} value`)
    }
    const name = (state: number | string) => (typeof state === 'number' ? keys[state]! : state)
    const transitions = markov.chain!.transitions.map(m => [`${name(m.from)} -> ${name(m.to)}`, m.p] as const)
    const probabilities = wanted.transition_probabilities as Record<string, number>
    t.same(transitions.map(m => m[0]).sort(), Object.keys(probabilities).sort())
    for (const [move, p] of transitions) near(t, p, probabilities[move]!, move)
  })
} else t.comment('reference data is absent: left out')
