import { Big } from 'big.js'
import fc from 'fast-check'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, makePipeline, type Pipeline } from './helpers/funnel.js'
import { identity } from './helpers/identity.js'
import { workspaceOf } from './helpers/workspace.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const app = await testApp(t)

const start = Date.parse('2025-03-25T00:00:00Z')
const hour = 3_600_000
const iso = (ms: number) => new Date(ms).toISOString()
const day = (n: number) => iso(start + n * 24 * hour).slice(0, 10)

// Whole days as well as hours, so that several rows fall on one instant.
const time = fc.oneof(
  fc.integer({ min: 0, max: 20 }).map(days => start + days * 24 * hour),
  fc.integer({ min: 0, max: 480 }).map(hours => start + hours * hour)
)
const row = fc.record({
  at: time,
  stage: fc.constantFrom('a', 'a', 'b', 'b', 'c', 'won', 'lost', 'x'),
  amount: fc.oneof(
    fc.constant(null),
    fc.integer({ min: 0, max: 99_999 }).map(cents => new Big(cents).div(100).toFixed())
  ),
  currency: fc.constantFrom('EUR', 'EUR', 'USD', 'XTS'),
  expectedCloseDate: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 25 }).map(day))
})
type Row = typeof row extends fc.Arbitrary<infer R> ? R : never
const history = fc.array(row, { minLength: 1, maxLength: 6 })
const deals = fc.array(history, { minLength: 1, maxLength: 12 })

async function world(name: string) {
  const { request } = await workspaceOf(app, name)
  await done(request('PATCH', '/v1/workspace', { baseCurrency: 'EUR', timeZone: 'Europe/Berlin' }))
  const rates = { [day(-5)]: '0.9', [day(6)]: '0.957', [day(13)]: '1.0301' }
  for (const [date, rateToBase] of Object.entries(rates))
    await done(request('POST', '/v1/exchange-rates', { currency: 'USD', date, rateToBase }))
  const here = await makePipeline(request, ['a', 'b', 'c', 'won:won', 'lost:lost'], 'Here')
  const there = await makePipeline(request, ['x'], 'There')
  return { request, here, stage: { ...here.stage, ...there.stage } }
}

type World = Awaited<ReturnType<typeof world>>

async function store({ request, stage }: World, histories: readonly Row[][]): Promise<void> {
  const operations = histories.map(rows => ({
    op: 'create',
    body: {
      name: 'Deal',
      history: rows.map(({ stage: name, at, ...values }) => ({
        stageId: stage[name],
        at: iso(at),
        ...values
      }))
    }
  }))
  await done(request('POST', '/v1/deals/batch', { atomic: true, operations }))
}

async function ask(
  { request, here }: { request: World['request']; here: Pipeline },
  name: string,
  parameters: object
) {
  return await done(request('POST', `/v1/metrics/${name}`, { pipelineId: here.id, ...parameters }))
}

const ups = ['openAtStart', 'created', 'pulledIn', 'reopened', 'amountUp', 'currencyRevaluation']
const downs = ['amountDown', 'pushedOut', 'lost', 'won']
const sum = (value: Json, names: readonly string[]) =>
  names.reduce((total, name) => total.plus((value[name] ?? 0) as string), new Big(0))

function check(isTrue: boolean, what: string, ...seen: unknown[]): void {
  if (!isTrue) throw new Error(`${what}\n${seen.map(s => JSON.stringify(s, null, 2)).join('\n')}`)
}

const beginsDay = (instant: number) =>
  new Date(instant).toLocaleTimeString('en-GB', { timeZone: 'Europe/Berlin' }) === '00:00:00'

let worlds = 0

t.test('the waterfall balances, and agrees with forecasts and win rates', async t => {
  const holds = fc.asyncProperty(deals, time, time, async (histories, one, other) => {
    const here = await world(`world${++worlds}`)
    await store(here, histories)
    const [from, to] = [Math.min(one, other), Math.max(one, other)]
    const period = { from: iso(from), to: iso(to) }
    const asOf = iso(start + 22 * 24 * hour)
    for (const which of ['expected', 'open']) {
      const asked = { ...period, asOf, deals: which }
      const { value, groups } = await ask(here, 'forecast-waterfall', { ...asked, groupBy: ['currency'] })
      check(sum(value, ups).eq(sum(value, [...downs, 'openAtEnd'])), 'balances', which, value)
      for (const name of ['created', 'amountUp', 'amountDown', 'pushedOut', 'won'])
        check(sum(value, [name]).gte(0), `${name} is not below 0`, value)
      for (const name of [...ups, ...downs, 'openAtEnd']) {
        const parts = (groups as Json[]).map(g => g.value as Json)
        const total = parts.reduce((n, g) => n.plus(sum(g, [name])), new Big(0))
        check(total.eq(sum(value, [name])), `groups of ${name}`, value, parts)
      }
      const rate = await ask(here, 'win-rate', { ...period, asOf: iso(to - 1) })
      for (const name of ['won', 'lost']) {
        const worth = rate.value[name] === 0 ? '0' : (rate.value[`${name}Value`] as string | null)
        check(value[name] === worth, name, value, rate.value)
      }
      const then = { ...period, deals: which, backtest: 0, methods: ['weighted'] }
      const before = await ask(here, 'forecast', { ...then, asOf: iso(from - 1) })
      // What is expected on the very day that a period begins in is overdue just before it.
      const comparable = which === 'open' || beginsDay(from)
      if (to > from && comparable)
        check(value.openAtStart === before.value.amount, 'at the start', value, before.value)
      const after = await ask(here, 'forecast', { ...then, asOf: iso(to - 1) })
      if (which === 'open') check(value.openAtEnd === after.value.amount, 'at the end', value, after.value)
    }
  })
  await fc.assert(holds, { numRuns: 12 })
  t.ok(worlds > 0)
})

t.test('a weighted forecast is linear in amounts and no more than they are', async t => {
  const share = fc.integer({ min: 0, max: 100 }).map(n => n / 100)
  const given = fc.array(fc.record({ amount: fc.integer({ min: 0, max: 1_000_000 }), p: share }), {
    maxLength: 10
  })
  const { request } = await workspaceOf(app, 'given')
  const weighted = async (asked: { amount: number; p: number }[]) => {
    const data = { deals: asked.map(({ amount, p }) => ({ amount: String(amount), p })) }
    const { value } = await done(request('POST', '/v1/metrics/forecast', { data }))
    return value.methods[0] as Json
  }
  const holds = fc.asyncProperty(given, async asked => {
    const once = await weighted(asked)
    const twice = await weighted(asked.map(d => ({ ...d, amount: d.amount * 2 })))
    check(new Big(once.value as string).times(2).eq(twice.value as string), 'linear', once, twice)
    const all = asked.reduce((n, d) => n + d.amount, 0)
    check(Number(once.value) >= 0 && Number(once.value) <= all, 'between', once, all)
    const likely = (once.distribution as Json[]).reduce((n, o) => n + (o.p as number), 0)
    check(Math.abs(likely - 1) < 1e-9, 'all outcomes', once)
  })
  await t.resolves(fc.assert(holds, { numRuns: 20 }))
})

t.test('no chance is above 1 where every deal was won', async t => {
  const here = await world('all won')
  const deal = (days: number, won: boolean): Row[] => {
    const values = { amount: '100', currency: 'EUR' as const, expectedCloseDate: null }
    const close = { ...values, at: start + 20 * 24 * hour, stage: 'won' as const }
    return [{ ...values, at: start + (20 - days) * 24 * hour, stage: 'a' }, ...(won ? [close] : [])]
  }
  await store(here, [...[10, 11, 12, 13, 14].map(days => deal(days, true)), deal(8, false)])
  const window = { asOf: iso(start + 20 * 24 * hour), from: day(20), to: day(60), deals: 'open', backtest: 0 }
  const { value } = await ask(here, 'forecast', { ...window, methods: ['win_rate', 'age_conditional'] })
  for (const method of value.methods as Json[])
    t.match(method, { expectedWon: 1, value: '100', sd: '0' }, method.method as string)
})

t.test('nothing, and no deals of others', async t => {
  const empty = await workspaceOf(app, 'empty')
  for (const name of ['forecast', 'forecast-waterfall']) {
    const reply = await empty.request('GET', `/v1/metrics/${name}?from=2025-01-01&to=2025-04-01`)
    t.equal(reply.status, 200, name)
  }
  const found = await done(empty.request('GET', '/v1/metrics/forecast?from=2025-01-01&to=2025-04-01'))
  t.match(found.value, { openDeals: 0, deals: 0, amount: '0', closedWon: { n: 0, value: '0' } })
  t.same(found.value.backtest.windows, [])
  t.equal(found.value.backtest.best, null)
})

t.test('who sees own deals forecasts those', async t => {
  const { call } = app
  const { newUser, tokenOf } = identity(app)
  const scopes = ['deals:read', 'metrics:read']
  await done(call('POST', '/v1/roles', { key: 'sees_own', name: 'Own deals', scopes, rowScope: 'own' }))
  const mine = await newUser('sees_own')
  const theirs = await newUser('sees_own')
  const { stage } = await makePipeline(call, ['a', 'won:won', 'lost:lost'])
  for (const [i, ownerId] of [mine.id, theirs.id, null].entries()) {
    const [amount, currency] = [String(10 ** i), 'EUR']
    const history = [{ stageId: stage.a, at: '2025-01-01T00:00:00Z', amount, currency, ownerId }]
    await done(
      call('POST', '/v1/deals', { name: 'Deal', ownerId, amount, currency, probability: 0.5, history })
    )
  }
  const authorization = `Bearer ${tokenOf(theirs)}`
  const path = '?from=2025-02-01&to=2025-03-01&asOf=2025-02-01T00:00:00Z&deals=open'
  const own = await done(call('GET', `/v1/metrics/forecast${path}`, undefined, { authorization }))
  t.match(own.value, { openDeals: 1, amount: '10' })
  const all = await done(call('GET', `/v1/metrics/forecast${path}`))
  t.match(all.value, { openDeals: 3, amount: '111' })
  const waterfall = await done(
    call('GET', `/v1/metrics/forecast-waterfall${path}`, undefined, { authorization })
  )
  t.match(waterfall.value, { openAtStart: '10', openAtEnd: '10' })
  const priced = await call('GET', `/v1/metrics/forecast${path}&missingAmount=list_price`, undefined, {
    authorization
  })
  t.match([priced.status, priced.body.scope], [403, 'products:read'])
})
