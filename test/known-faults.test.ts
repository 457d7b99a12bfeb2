import t, { type Test } from 'tap'
import { testApp } from './helpers/app.js'
import { near, type Json } from './helpers/expected.js'
import { done, makeDeal, makePipeline, type Pipeline, type Visit } from './helpers/funnel.js'
import { workspaceOf } from './helpers/workspace.js'

/** Faults that other programs had, each by the number of its report. */
const app = await testApp(t)

const specs = ['lead', 'offer', 'talks', 'won:won', 'lost:lost']
const at = (day: number, time = '12:00:00') => `2025-03-${String(day).padStart(2, '0')}T${time}Z`

interface Desk {
  request: Awaited<ReturnType<typeof workspaceOf>>['request']
  pipeline: Pipeline
  deal(history: readonly Visit[], fields?: object): Promise<string>
  figure(name: string, parameters?: object): Promise<Json>
  rate(date: string, currency: string, rateToBase: string): Promise<Json>
}

async function newDesk(): Promise<Desk> {
  const { request } = await workspaceOf(app, 'desk')
  await done(request('PATCH', '/v1/workspace', { baseCurrency: 'EUR', timeZone: 'UTC' }))
  const pipeline = await makePipeline(request, specs)
  return {
    request,
    pipeline,
    deal: (history, fields) => makeDeal(request, pipeline, history, fields),
    figure: (name, parameters = {}) =>
      done(request('POST', `/v1/metrics/${name}`, { asOf: at(31), ...parameters })),
    rate: (date, currency, rateToBase) =>
      done(request('POST', '/v1/exchange-rates', { date, currency, rateToBase }))
  }
}

const won = (day = 10): Visit[] => [['lead', at(1)], ['won', at(day)]] // prettier-ignore
const euros = (amount: string) => ({ amount, currency: 'EUR' })

t.test('Odoo 78574: a probability where nothing, or all, was won', async t => {
  const { request, deal, figure } = await newDesk()
  const score = (more: object) =>
    done(request('POST', '/v1/metrics/lead-score', { asOf: at(31), features: [{ field: 'industry', kind: 'category' }], maturityDays: 1, ...more })) // prettier-ignore
  const unknown = { converged: null, coefficients: [], trainAuc: null, quality: { auc: null } }
  t.match(await score({}), { value: { n: 0, ...unknown } })
  for (const industry of ['steel', 'toys'])
    await done(request('POST', '/v1/leads', { lastName: 'x', industry, capturedAt: at(1) }))
  const none = await score({ scores: true })
  t.match(none, { value: { positives: 0, ...unknown } })
  t.match(none.reasons, { '/value/coefficients': /./ })
  const all = await score({ outcome: { industry: { isNull: false } } })
  t.match(all.value, unknown)
  const given = { data: { scores: [0, 1], outcomes: [1, 1] } }
  t.match(await done(request('POST', '/v1/metrics/lead-score', given)), {
    value: { quality: { baseRate: 1, auc: null } },
    reasons: { '/value/quality/auc': 'one_outcome_only' }
  })
  await deal([['lead', at(1)]])
  for (const name of ['funnel', 'win-rate', 'velocity'])
    t.match(await figure(name), { value: { winRate: { value: null, denominator: 0 } } }, name)
  const ahead = await figure('forecast', { from: at(31), to: '2025-04-30', deals: 'open' })
  t.ok((ahead.value.methods as Json[]).every(m => m.value === null || m.value === '0'))
})

t.test('Odoo 93704: a deal that is open again has no close date', async t => {
  const { request, deal, figure } = await newDesk()
  const id = await deal([...won(10), ['offer', at(20)]], euros('5'))
  t.match((await done(request('GET', `/v1/deals/${id}`))).closedAt, null)
  const closed = await figure('win-rate')
  t.match(closed.value, { won: 0, all: 0, wonValue: null })
  t.match((await figure('time-to-close')).value, { n: 1, events: 0 })
  t.match((await figure('funnel', { cohort: 'closed' })).value, { deals: 0 })
  t.match((await figure('win-rate', { asOf: at(19) })).value, { won: 1 }, 'it had one until then')
})

t.test('SuiteCRM 5956, 8556 and OCA crm 640: USD 50 and EUR 50 are not 100', async t => {
  const { request, deal, figure, rate } = await newDesk()
  for (const currency of ['USD', 'EUR']) await deal(won(), { amount: '50', currency })
  const sum = { op: 'sum', field: 'amount', name: 'sum' }
  const added = await request('POST', '/v1/deals/aggregate', { measures: [sum] })
  t.match(added, { status: 400, body: { errors: [{ code: 'mixed_currencies' }] } })
  const apart = await done(
    request('POST', '/v1/deals/aggregate', { groupBy: [{ field: 'currency' }], measures: [sum] })
  )
  t.same(apart.data.map((b: Json) => b.values.sum), ['50', '50']) // prettier-ignore
  for (const [name, given] of [
    ['funnel', {}],
    ['win-rate', {}],
    ['win-rate', { currency: 'USD' }]
  ] as const)
    // prettier-ignore
    t.match(await figure(name, given), { value: { wonValue: '50' }, excluded: { noFxRate: 1 } }, name)
  await rate('2025-03-01', 'USD', '0.9')
  t.equal((await figure('win-rate')).value.wonValue, '95')
  t.equal((await figure('win-rate', { by: 'value' })).value.wonValue, '95')
  t.equal((await figure('attribution', { models: ['first'] })).value.amount, '95')
})

t.test('Salesforce: forecasts use dated rates, and a later rate changes no earlier forecast', async t => {
  const { deal, figure, rate } = await newDesk()
  await rate('2025-03-01', 'USD', '0.5')
  await rate('2025-03-15', 'USD', '0.8')
  const dollars = { amount: '100', currency: 'USD' }
  await deal(won(10), dollars)
  await deal([['offer', at(5)]], { ...dollars, expectedCloseDate: '2025-03-25' })
  const ask = (asOf: string, from: string, to: string) =>
    figure('forecast', { asOf, from, to, methods: ['weighted', 'run_rate'], backtest: 1 })
  const early = await ask(at(12), '2025-03-01', '2025-04-01')
  t.match(early.value, { amount: '50', closedWon: { value: '50' } }, 'the rate of then')
  const later = await ask(at(16), '2025-03-16', '2025-04-01')
  t.match(later.value, { amount: '80' }, 'open deals at the rate of the moment')
  t.match((await ask(at(16), '2025-03-01', '2025-04-01')).value, { closedWon: { value: '50' } }, 'won ones at that of their day') // prettier-ignore
  await rate('2025-03-20', 'USD', '2')
  t.same((await ask(at(12), '2025-03-01', '2025-04-01')).value, early.value)
  t.same((await ask(at(16), '2025-03-16', '2025-04-01')).value, later.value)
})

t.test('trycompai crm 37: a won deal that cannot be converted does not lower the average', async t => {
  const { deal, figure } = await newDesk()
  await deal(won(), euros('100'))
  await deal(won(), euros('200'))
  await deal(won(), { amount: '900', currency: 'XTS' })
  await deal(won())
  const { value, excluded } = await figure('win-rate')
  t.match(value, { won: 4, wonWithValue: 2, wonValue: '300', averageWonValue: '150', medianWonValue: '150' })
  t.match(excluded, { noFxRate: 1, missingAmount: 1 })
  t.equal((await figure('velocity')).value.averageWonValue, '150')
})

t.test('krayin 1771: a total is a sum and no average', async t => {
  const { request, deal, figure } = await newDesk()
  for (const amount of ['10', '20', '60']) await deal(won(), euros(amount))
  t.match((await figure('win-rate')).value, { wonValue: '90', averageWonValue: '30', medianWonValue: '20' })
  t.equal((await figure('funnel')).value.wonValue, '90')
  t.equal((await figure('attribution', { models: ['last'] })).value.amount, '90')
  const measures = ['sum', 'avg'].map(op => ({ op, field: 'amount', name: op }))
  const body = { filter: { currency: { eq: 'EUR' } }, measures }
  const { data } = await done(request('POST', '/v1/deals/aggregate', body))
  t.match(data, [{ values: { sum: '90', avg: '30' } }])
})

t.test('PostHog 5575: no conversion is above 100 %', async t => {
  const { deal, figure } = await newDesk()
  await deal([['offer', at(1)], ['won', at(3)]]) // prettier-ignore
  await deal([['talks', at(1)], ['won', at(3)], ['offer', at(4)], ['won', at(5)]]) // prettier-ignore
  await deal([['lead', at(1)], ['offer', at(2)], ['lead', at(3)], ['offer', at(4)]]) // prettier-ignore
  const { value } = await figure('funnel', { order: 'any' })
  const rates = (value.stages as Json[]).flatMap(s => [s.conversionFromPrevious.value, s.conversionFromFirst.value] as (number | null)[]) // prettier-ignore
  t.ok(rates.every(r => r === null || r <= 1), JSON.stringify(rates)) // prettier-ignore
  t.ok(
    value.stages[1].entered > value.stages[0].entered,
    'though more entered the second stage than the first'
  )
})

/** Deals that do the steps in their order, out of it, and with something between them. */
async function waysThrough({ deal }: Desk): Promise<void> {
  await deal([['lead', at(3)], ['offer', at(4)], ['talks', at(5)], ['won', at(6)]]) // prettier-ignore
  await deal([['lead', at(3)], ['talks', at(4)], ['offer', at(5)]]) // prettier-ignore
  await deal([['offer', at(10)], ['lead', at(11)]]) // prettier-ignore
  await deal([['lead', at(10)], ['talks', at(11)], ['offer', at(12)], ['talks', at(13)]]) // prettier-ignore
}

const steps = (value: Json) => (value.ordered[0].steps as Json[]).map(s => s.count as number)
const counts = { ordered: [4, 3, 2, 1], strict: [4, 1, 1, 1], any: [4, 4, 3, 1] }

t.test('PostHog 7058: the ids behind a step are those of its order', async t => {
  const desk = await newDesk()
  await waysThrough(desk)
  for (const [order, wanted] of Object.entries(counts)) {
    const { value, explain } = await desk.figure('funnel', { order, explain: true })
    t.same(steps(value as Json), wanted, order)
    const behind = Object.values(explain.value.ordered[0].steps as Json).map(
      s => s.count.ids.length as number
    )
    t.same(behind, wanted, `ids of ${order}`)
  }
})

t.test('PostHog 8179: buckets keep to the order too', async t => {
  const desk = await newDesk()
  await waysThrough(desk)
  for (const [order, wanted] of Object.entries(counts)) {
    const { buckets } = await desk.figure('funnel', { order, interval: 'week' })
    const weeks = (buckets as Json[]).map(b => steps(b.value as Json))
    t.equal(weeks.filter(w => w[0]! > 0).length, 2)
    t.same(wanted.map((_, i) => weeks.reduce((n, w) => n + w[i]!, 0)), wanted, order) // prettier-ignore
  }
})

t.test('PostHog 7267: times are those of every step, not of the last alone', async t => {
  const { deal, figure } = await newDesk()
  await deal([['lead', at(1)], ['offer', at(2)], ['talks', at(5)], ['won', at(12)]]) // prettier-ignore
  await deal([['lead', at(1)], ['offer', at(4)], ['talks', at(9)], ['won', at(10)]]) // prettier-ignore
  const { value } = await figure('time-in-stage')
  t.same((value.stages as Json[]).map(s => [s.completed.n, s.completed.mean]), [[2, 2], [2, 4], [2, 4]]) // prettier-ignore
  t.match((await figure('time-to-close')).value.won, { n: 2, mean: 10 })
})

t.test('PostHog 58679: a cell whose period still runs is not 0 % for good', async t => {
  const { request, figure } = await newDesk()
  const { id: companyId } = await done(request('POST', '/v1/companies', { name: 'A' }))
  await done(request('POST', '/v1/orders', { companyId, orderedAt: '2025-02-10T00:00:00Z', ...euros('1') }))
  const cells = async (asOf: string) =>
    ((await figure('retention', { asOf })).value.cohorts[0].cells as Json[]).map(c => [c.retention, c.complete]) // prettier-ignore
  t.same(await cells(at(15)), [[1, true], [0, false]]) // prettier-ignore
  t.same(await cells('2025-02-20T00:00:00Z'), [[1, false]], 'a period that has not begun has none')
  t.same(await cells('2025-04-01T00:00:00Z'), [[1, true], [0, true], [0, false]]) // prettier-ignore
})

t.test('PostHog 25841: weeks begin on Monday, in the zone that is reported in', async t => {
  const { deal, figure } = await newDesk()
  const opened = async (instant: string) => deal([['lead', instant]], { openedAt: instant })
  await opened('2025-03-09T23:30:00Z')
  await opened('2025-03-10T00:30:00Z')
  const weeks = async (timeZone: string) => {
    const { buckets } = await figure('funnel', { interval: 'week', timeZone })
    return (buckets as Json[]).filter(b => b.value.deals > 0).map(b => [b.from, b.to, b.value.deals]) // prettier-ignore
  }
  t.same(await weeks('UTC'), [['2025-03-03', '2025-03-10', 1], ['2025-03-10', '2025-03-17', 1]]) // prettier-ignore
  t.same(await weeks('Europe/Berlin'), [['2025-03-10', '2025-03-17', 2]])
  t.same(await weeks('America/New_York'), [['2025-03-03', '2025-03-10', 2]])
})

t.test('Openpanel 442: steps of one instant connect, by their sequence', async t => {
  const { deal, figure } = await newDesk()
  await deal([['lead', at(1)], ['offer', at(1)], ['talks', at(1)], ['won', at(1)]]) // prettier-ignore
  await deal([['offer', at(1)], ['lead', at(1)]]) // prettier-ignore
  for (const windowDays of [undefined, [0]])
    t.same(steps((await figure('funnel', { order: 'ordered', windowDays })).value as Json), [2, 1, 1, 1])
  t.same(steps((await figure('funnel', { order: 'strict' })).value as Json), [2, 1, 1, 1])
})

/** Customers 1, 2 and 3 of the CDNOW sample, with the published parameters. */
async function valuesOver(unit: 'week' | 'day', months?: number): Promise<Json> {
  const { figure } = await newDesk()
  const c = unit === 'week' ? 1 : 7
  const seen = [[2, 30.428571, 38.857143, '22.345'], [1, 1.714286, 38.857143, '11.77'], [0, 0, 38.857143, null]] as const // prettier-ignore
  const data = {
    bgNbd: { r: 0.242595, alpha: 4.413602 * c, a: 0.792922, b: 2.425906 },
    gammaGamma: { p: 6.249571, q: 3.744225, gamma: 15.443524 },
    customers: seen.map(([x, tx, T, z]) => ({ x, tx: tx * c, T: T * c, z }))
  }
  return figure('lifetime-value', { method: 'bg_nbd', unit, months, monthlyDiscount: 0.01, data })
}

t.test('lifetimes 194, 215, 233 and pymc-marketing 256: twelve months are months', async (t: Test) => {
  const weeks = await valuesOver('week')
  const days = await valuesOver('day')
  t.same([weeks.value.unit, days.value.unit], ['week', 'day'], 'the unit is told')
  for (const [i, wanted] of [36.3, 4.64, 8.35].entries()) {
    near(t, weeks.customers[i].value, wanted, `customer ${i + 1}`, 0.01)
    near(t, days.customers[i].value, Number(weeks.customers[i].value), `customer ${i + 1} in days`, 1e-8)
  }
  // What those packages called twelve months was 360 units of time.
  const trap = await valuesOver('week', 83)
  t.ok(Number(trap.customers[0].value) > 2 * Number(weeks.customers[0].value))
})
