import { Big } from 'big.js'
import fc from 'fast-check'
import t from 'tap'
import { fitBgNbd, type Recency } from '../src/metrics/models/bg-nbd.js'
import { randomNumbers } from '../src/metrics/models/random.js'
import { testApp } from './helpers/app.js'
import { near as nearTo } from './helpers/expected.js'
import { creditLaws } from './helpers/figure-laws.js'
import { check, leaves } from './helpers/figure-parts.js'
import { done, makePipeline } from './helpers/funnel.js'
import { workspaceOf } from './helpers/workspace.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

const app = await testApp(t)
const { call } = app

const near = (a: unknown, b: unknown) =>
  Math.abs(Number(a) - Number(b)) <= 1e-8 * Math.max(1, Math.abs(Number(b)))

const attribution = (data: object, more: object = {}) =>
  done(call('POST', '/v1/metrics/attribution', { data, seed: 1, ...more }))

const keys = ['web', 'fair', 'mail', 'direct']
const cents = fc.integer({ min: 0, max: 1_000_000 }).map(n => new Big(n).div(100).toFixed())
const path = fc.record({
  path: fc.array(fc.constantFrom(...keys), { maxLength: 6 }),
  conversions: fc.integer({ min: 1, max: 4 }),
  value: cents,
  nulls: fc.integer({ min: 0, max: 4 })
})

const byKey = ({ value }: Json) =>
  (value.models as Json[]).flatMap(({ model, credits }) =>
    (credits as Json[])
      .map(c => [`${String(model)} ${String(c.key)}`, c.conversions, c.value] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  )

t.test('given journeys: all is given away to the cent, in whatever order they come', async t => {
  const holds = fc.asyncProperty(fc.array(path, { minLength: 1, maxLength: 12 }), async journeys => {
    const found = await attribution({ journeys })
    creditLaws(found)
    const again = byKey(await attribution({ journeys: journeys.toReversed() }))
    for (const [i, [key, conversions, value]] of byKey(found).entries()) {
      const [other, deals, amount] = again[i]!
      check(
        key === other && near(deals, conversions) && near(amount, value),
        key,
        conversions,
        value,
        again[i]
      )
    }
  })
  await t.resolves(fc.assert(holds, { numRuns: 25 }))
})

t.test('given journeys: touches after the close change nothing', async t => {
  const closed = Date.parse('2025-03-01T12:00:00Z')
  const touch = (from: number, to: number) =>
    fc.record({
      key: fc.constantFrom(...keys),
      at: fc.integer({ min: from, max: to }).map(hours => new Date(closed + hours * 3_600_000).toISOString())
    })
  const early = fc.array(touch(-900, 0), { maxLength: 5 })
  const late = fc.array(touch(1, 900), { minLength: 1, maxLength: 4 })
  const holds = fc.asyncProperty(
    fc.array(fc.tuple(early, late, cents), { minLength: 1, maxLength: 6 }),
    async deals => {
      const closedAt = new Date(closed).toISOString()
      const journeys = deals.map(([touches, , value]) => ({ closedAt, value, touches }))
      const longer = deals.map(([touches, after, value]) => ({
        closedAt,
        value,
        touches: [...touches, ...after]
      }))
      const [found, again] = [await attribution({ journeys }), await attribution({ journeys: longer })]
      creditLaws(found)
      check(JSON.stringify(again.value) === JSON.stringify(found.value), 'the same', found.value, again.value)
    }
  )
  await t.resolves(fc.assert(holds, { numRuns: 15 }))
})

const parameter = fc.double({ min: 0.1, max: 5, noNaN: true })

t.test('BG/NBD with given parameters: the unit of time changes no chance and no 12-month value', async t => {
  const customer = fc.record({
    x: fc.integer({ min: 0, max: 20 }),
    part: fc.double({ min: 0.01, max: 1, noNaN: true }),
    T: fc.integer({ min: 2, max: 80 }),
    z: fc.integer({ min: 1, max: 500 })
  })
  const models = fc.record({ r: parameter, alpha: parameter, a: parameter, b: parameter })
  const holds = fc.asyncProperty(
    models,
    fc.array(customer, { minLength: 1, maxLength: 8 }),
    async (bgNbd, given) => {
      const ask = async (unit: string, c: number) => {
        const customers = given.map(({ x, part, T, z }) => ({
          x,
          tx: x === 0 ? 0 : part * T * c,
          T: T * c,
          z: x === 0 ? null : String(z)
        }))
        const gammaGamma = { p: 6.25, q: 3.74, gamma: 15.44 }
        const data = { bgNbd: { ...bgNbd, alpha: bgNbd.alpha * c }, gammaGamma, customers }
        const asked = { method: 'bg_nbd', unit, monthlyDiscount: 0.01, expectedDays: 280, data }
        return done(call('POST', '/v1/metrics/lifetime-value', asked))
      }
      const [weeks, days] = [await ask('week', 1), await ask('day', 7)]
      for (const [i, customer] of (weeks.customers as Json[]).entries())
        for (const name of ['pAlive', 'expectedOrders', 'expectedValue', 'value'])
          check(near(days.customers[i][name], customer[name]), name, customer, days.customers[i])
      check(near(days.value.total, weeks.value.total), 'total', weeks.value, days.value)
    }
  )
  await t.resolves(fc.assert(holds, { numRuns: 20 }))
})

/** Customers as the model has them: orders at a rate of their own, until they leave after one of them. */
function customersOf(seed: number, count: number): Recency[] {
  const random = randomNumbers(seed)
  const wait = (rate: number) => -Math.log(1 - random()) / rate
  return Array.from({ length: count }, () => {
    const [rate, leave, T] = [wait(1) * 0.2, random() * 0.5, 20 + Math.floor(random() * 40)]
    let [x, tx] = [0, 0]
    for (let at = wait(rate); at < T; at += wait(rate)) {
      ;[x, tx] = [x + 1, at]
      if (random() < leave) break
    }
    return { x, tx, T }
  })
}

t.test('a fit to time that runs c times as fast has alpha times c, and the rest as it was', async t => {
  for (const seed of fc.sample(fc.integer(), 4)) {
    const customers = customersOf(seed, 600)
    const [plain, scaled] = [1, 7].map(c =>
      fitBgNbd(customers.map(({ x, tx, T }) => ({ x, tx: tx * c, T: T * c })))!
    ) as unknown as [Json, Json]
    t.equal(scaled.converged, plain.converged)
    for (const [name, c] of Object.entries({ r: 1, alpha: 7, a: 1, b: 1 }))
      nearTo(t, scaled[name], (plain[name] as number) * c, `${name} with seed ${seed}`, 1e-5)
  }
})

/** Numbers that say what was asked. */
const echoed = /\/(days|windowDays|horizonDays|tenure|p|draws|seed)$/

const settings = /\/(draws|seed|windowDays|stageId)$/

/** The pointers of all that is null, but in a sample of nothing, which says so by its n. */
function nulls(value: unknown, pointer: string): string[] {
  if (value === null) return settings.test(pointer) ? [] : [pointer]
  if (typeof value !== 'object' || ('n' in value && 'median' in value && value.n === 0)) return []
  return Object.entries(value).flatMap(([name, member]) => nulls(member, `${pointer}/${name}`))
}

/** Parameters that a choice goes with. */
const together: Record<string, object> = {
  'funnel hold': { order: 'ordered' },
  'lifetime-value unit': { method: 'bg_nbd' },
  'forecast amounts': { missingAmount: 'mean_won' },
  'acquisition-cost model': { groupBy: ['channel'] }
}

t.test('an empty workspace: every figure, each of its choices, over every surface', async t => {
  const { request, ask } = await workspaceOf(app, 'empty')
  const figures = (await done(request('GET', '/v1/metrics'))).data as Json[]
  const empty = (title: string, { value, reasons }: Json) => {
    const wrong = [...leaves(value)].filter(([at, v]) => v !== null && Number(v) !== 0 && !echoed.test(at))
    const silent = nulls(value, '/value').filter(
      at => !Object.keys(reasons as object).some(r => at.startsWith(r))
    )
    t.same([wrong, silent], [[], []], title)
  }
  const period = { from: '2025-01-01', to: '2025-04-01' }
  for (const round of ['no pipeline', 'a pipeline']) {
    if (round === 'a pipeline') await makePipeline(request, ['a', 'b', 'won:won', 'lost:lost'])
    for (const { name, parameters } of figures) {
      const takes = new Map((parameters as Json[]).map(p => [p.name as string, p.choices as string[] | null]))
      const parts = takes.has('groupBy') && name !== 'acquisition-cost' ? { groupBy: [(figures.find(f => f.name === name)!.dimensions as string[])[0]] } : {} // prettier-ignore
      const cut = takes.has('interval') ? { interval: 'month' } : {}
      const asked: object[] = [{}, period, { ...period, explain: true, ...parts, ...cut }]
      for (const [parameter, choices] of takes)
        for (const choice of choices ?? [])
          if (parameter !== 'groupAt')
            asked.push({ ...period, ...together[`${name as string} ${parameter}`], [parameter]: choice })
      for (const given of asked) {
        const { status, body, text } = await request('POST', `/v1/metrics/${name as string}`, given)
        if (status === 200) empty(`${name as string} ${JSON.stringify(given)}`, body)
        else t.fail(`${name as string} ${JSON.stringify(given)}: ${text}`)
      }
      const query = new URLSearchParams(period).toString()
      if (name !== 'lead-score')
        t.equal((await request('GET', `/v1/metrics/${name as string}?${query}`)).status, 200)
      const field = (name as string).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
      const graph = await ask(
        `{ metrics { ${field}(from: "2025-01-01", to: "2025-04-01") { asOf reasons } } }`
      )
      t.equal(graph.body.errors, undefined, `${field} over GraphQL`)
    }
  }
})
