import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Big } from 'big.js'
import t, { type Test } from 'tap'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { closeTo, figure, loaded } from './helpers/reference.js'
import { edgeCase } from './helpers/expected.js'
import { done, makeDeal, makePipeline, type Visit } from './helpers/funnel.js'
import { workspaceOf } from './helpers/workspace.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
const expected = JSON.parse(await readFile(`${folder}/expected.json`, 'utf8')) as Json
const { app, send } = await loaded(t, loadTenant, folder)
const asOf = expected.pipeline.as_of as string
const window = { asOf, from: '2026-01-01', to: '2026-04-01' }

function samePart(t: Test, found: Json, wanted: Json, name: string): void {
  t.match(found, { deals: wanted.deals, dealsWithValue: wanted.deals_with_value }, name)
  closeTo(t, found.amount, wanted.total as number, `${name}: amount`)
  closeTo(t, found.weighted, wanted.weighted as number, `${name}: weighted`)
  closeTo(t, found.sd, wanted.sd as number, `${name}: sd`)
}

t.test('the next 90 days of a tenant', async t => {
  const wanted = expected.forecast_next_90_days as Json
  const quantiles = [0.05, 0.1, 0.5, 0.9, 0.95]
  const { value, excluded } = await figure(send, 'forecast', { ...window, quantiles })
  const [weighted] = value.methods as Json[]
  const { value: amount, sd, interval } = weighted!
  samePart(t, { ...value, weighted: amount, sd }, wanted.in_window as Json, 'in the window')
  t.match(interval, { kind: 'exact', draws: null, seed: null })
  for (const { p, total } of interval.quantiles as Json[])
    closeTo(t, total, wanted.in_window.exact_quantiles[`p${p * 100}`] as number, `p${p}`)
  samePart(t, value.overdue as Json, wanted.overdue as Json, 'overdue')
  for (const stage of value.byStage as Json[])
    samePart(t, stage, wanted.by_stage[stage.stage.name] as Json, stage.stage.name as string)
  t.equal(value.outside.deals + value.undated.deals, wanted.later_or_other)
  t.equal(excluded.noFxRate, 1)
})

t.test('E23: the distribution of given deals', async t => {
  const { given, expect } = edgeCase('E23')
  const deals = (given.deals as { amount: number; p: number }[]).map(d => ({
    ...d,
    amount: String(d.amount)
  }))
  const { value, reasons } = await figure(send, 'forecast', { data: { deals } })
  const [method] = value.methods as Json[]
  t.match(method, { method: 'weighted', value: String(expect.weighted), sd: String(expect.sd) })
  t.same(
    method!.distribution.map((o: Json) => [Number(o.total), o.p]),
    expect.distribution.map((o: Json) => [o.total, o.p])
  )
  for (const { p, total } of method!.interval.quantiles as Json[])
    t.equal(Number(total), expect[`p${p * 100}`], `p${p}`)
  t.equal(reasons['/value/closedWon/value'], 'not_given')
  const many = Array.from({ length: 30 }, () => ({ amount: '100', p: 0.5 }))
  const drawn = await figure(send, 'forecast', { data: { deals: many }, seed: 7, quantiles: [0.5] })
  const [found] = drawn.value.methods as Json[]
  t.match(found!.interval, { kind: 'drawn', draws: 10_000, seed: 7 })
  t.notOk(found!.distribution)
  closeTo(t, found!.interval.quantiles[0].total, 1500, 'the median of many', 100)
  const twenty = Array.from({ length: 20 }, (_, i) => ({ amount: String(2 ** i), p: 0.5 }))
  const long = await figure(send, 'forecast', { data: { deals: twenty }, quantiles: [1] })
  t.match(long.value.methods[0].interval, { kind: 'exact', quantiles: [{ total: String(2 ** 20 - 1) }] })
  t.equal(long.reasons['/value/methods/0/distribution'], 'too_many_totals')
  const none = await figure(send, 'forecast', { data: { deals: [] } })
  t.match(none.value.methods[0], { value: '0', sd: '0', interval: { quantiles: [{ total: '0' }] } })
})

t.test('which deals, and what they are worth', async t => {
  const plain = (await figure(send, 'forecast', window)).value as Json
  const withOverdue = (await figure(send, 'forecast', { ...window, overdue: 'include' })).value as Json
  t.equal(withOverdue.deals, plain.deals + plain.overdue.deals)
  const all = (await figure(send, 'forecast', { ...window, deals: 'open' })).value as Json
  t.equal(all.deals, all.openDeals)
  const { undated, outside, overdue } = plain
  t.equal(plain.deals + undated.deals + outside.deals + overdue.deals, plain.openDeals)
  const endless = await figure(send, 'forecast', { asOf, methods: ['run_rate', 'age_conditional'] })
  t.match(endless, { value: { horizonDays: null }, reasons: { '/value/horizonDays': 'no_end' } })
  t.match(endless.value.methods[0], { value: null })
  t.notOk(endless.value.backtest)
  const cumulative = (await figure(send, 'forecast', { ...window, categories: 'cumulative' })).value as Json
  t.equal(cumulative.categories[0].deals, plain.deals + plain.closedWon.n, 'the pipeline has all')
  t.match(plain.categories, [
    { category: 'pipeline', deals: plain.deals },
    {},
    {},
    { category: 'closed', deals: 0 }
  ])
})

t.test('groups have all deals of the whole, and numbers those behind them', async t => {
  const { value, groups, explain } = await figure(send, 'forecast', {
    ...window,
    groupBy: ['ownerId'],
    explain: true
  })
  for (const name of ['deals', 'openDeals', 'dealsWithValue'])
    t.equal(
      (groups as Json[]).reduce((n, g) => n + (g.value[name] as number), 0),
      value[name],
      name
    )
  t.equal(explain.value.deals.ids.length, value.deals)
  t.equal(explain.value.overdue.deals.ids.length, value.overdue.deals)
})

t.test('a deal that stands at the mean of won ones is behind the numbers', async t => {
  const { request } = await workspaceOf(app, 'mean')
  const pipeline = await makePipeline(request, ['a', 'won:won'])
  const won: Visit[] = [['a', '2025-01-01T00:00:00Z'], ['won', '2025-02-01T00:00:00Z']] // prettier-ignore
  await makeDeal(request, pipeline, won, { amount: '100', currency: 'EUR' })
  const open = await makeDeal(request, pipeline, [['a', '2025-03-01T00:00:00Z']])
  for (const [missingAmount, wanted] of [
    ['mean_won', '100'],
    ['exclude', null]
  ] as const) {
    // prettier-ignore
    const asked = { ...window, deals: 'open', missingAmount, explain: true, currency: 'EUR' }
    const { value, explain } = await done(request('POST', '/v1/metrics/forecast', asked))
    t.equal(value.amount, wanted)
    t.same(explain.value.dealsWithValue.ids, wanted === null ? [] : [open])
  }
})

t.test('what deals without an amount are worth is unknown, and what there is nothing of is 0', async t => {
  const { request, authorization } = await workspaceOf(app, 'unknown')
  const pipeline = await makePipeline(request, ['a', 'won:won'])
  const open = (fields: object) => makeDeal(request, pipeline, [['a', '2025-03-01T00:00:00Z']], fields)
  await open({ forecastCategory: 'commit' })
  const forecast = (more: object = {}) =>
    done(request('POST', '/v1/metrics/forecast', { ...window, deals: 'open', backtest: 0, ...more }))
  const amounts = ({ value }: Json) => (value.categories as Json[]).map(c => c.amount as string | null)
  const plain = await forecast()
  t.same(amounts(plain), ['0', '0', null, '0'])
  t.equal(plain.reasons['/value/categories/2/amount'], 'nothing_valued')
  t.same(amounts(await forecast({ categories: 'cumulative' })), [null, null, null, '0'])

  const period = { from: '2025-02-01', to: '2025-04-01', asOf, deals: 'open' }
  const waterfall = () => done(request('POST', '/v1/metrics/forecast-waterfall', period))
  const { value, reasons } = await waterfall()
  t.match(value, { openAtStart: '0', created: null, won: '0', amountUp: '0', openAtEnd: null })
  t.same(reasons, { '/value/created': 'nothing_valued', '/value/openAtEnd': 'nothing_valued' })
  const query = `?${new URLSearchParams(period).toString()}`
  const path = `/v1/metrics/forecast-waterfall${query}`
  const { text } = await app.call('GET', path, undefined, { authorization, accept: 'image/svg+xml' })
  t.match(text, />–</)
  t.notMatch(text, /NaN|>-0</)

  await open({ amount: '5', currency: 'EUR' })
  t.same(amounts(await forecast()), ['5', '0', null, '0'])
  t.match((await waterfall()).value, { created: '5', openAtEnd: '5' })
})

t.test('a pipeline of hundreds of stages', async t => {
  const { request } = await workspaceOf(app, 'stages')
  const pipeline = await makePipeline(request, ['a', 'won:won', 'lost:lost'])
  const operations = Array.from({ length: 450 }, (_, i) => ({
    op: 'create',
    body: { pipelineId: pipeline.id, name: `Stage ${i}`, position: 3 + i }
  }))
  await done(request('POST', '/v1/stages/batch', { atomic: true, operations }))
  await makeDeal(request, pipeline, [['a', '2025-03-01T00:00:00Z']], { amount: '5', currency: 'EUR' })
  const { value } = await done(request('POST', '/v1/metrics/forecast', { ...window, deals: 'open' }))
  t.match(value, { openDeals: 1, byStage: { length: 451 } })
  for (const name of ['forecast-waterfall', 'time-in-stage', 'stage-flow'])
    t.equal((await request('POST', `/v1/metrics/${name}`, window)).status, 200, name)
})

t.test('the back-test of windows that are over', async t => {
  const { value } = await figure(send, 'forecast', { ...window, backtest: 3, deals: 'open' })
  const { windows, methods, best } = value.backtest as Json
  t.equal(windows.at(-1).to, new Date(Date.parse(asOf) + 1).toISOString(), 'up to now')
  for (const [i, w] of (windows as Json[]).entries()) {
    if (i > 0) t.equal(w.from, windows[i - 1].to)
    const { value: then } = await figure(send, 'forecast', {
      from: w.from,
      to: w.to,
      asOf: new Date(Date.parse(w.from as string) - 1).toISOString(),
      deals: 'open',
      backtest: 0
    })
    for (const [k, method] of (w.methods as Json[]).entries()) {
      t.match(
        method,
        { won: then.methods[k].expectedWon, value: then.methods[k].value },
        method.method as string
      )
    }
    const later = await figure(send, 'win-rate', {
      from: w.from,
      to: w.to,
      asOf: new Date(Date.parse(w.to as string) - 1).toISOString()
    })
    t.same(w.actual, { n: later.value.won, value: later.value.wonValue ?? '0' })
    t.ok(w.actualFromOpen.n <= w.actual.n)
  }
  t.ok((methods as Json[]).some(m => m.method === best))
})

t.test('the waterfall of a quarter', async t => {
  for (const deals of ['expected', 'open']) {
    const { value } = await figure(send, 'forecast-waterfall', {
      asOf,
      from: '2025-10-01',
      to: '2026-01-01',
      deals
    })
    const part = (name: string) => new Big(value[name] as string)
    const ups = ['openAtStart', 'created', 'pulledIn', 'reopened', 'amountUp', 'currencyRevaluation']
    const downs = ['amountDown', 'pushedOut', 'lost', 'won']
    const sum = (names: string[]) => names.reduce((total, name) => total.plus(part(name)), new Big(0))
    t.equal(sum(ups).minus(sum(downs)).toFixed(), part('openAtEnd').toFixed(), deals)
    t.ok(part('won').gt(0))
  }
})

t.test('REST, GraphQL and a list agree; what has no meaning is refused', async t => {
  const query = `asOf=${encodeURIComponent(asOf)}&from=2026-01-01&to=2026-04-01&methods=weighted,run_rate`
  const get = await app.call('GET', `/v1/metrics/forecast?${query}`)
  const post = await app.call('POST', '/v1/metrics/forecast', {
    ...window,
    methods: ['weighted', 'run_rate']
  })
  t.same(get.body.value, post.body.value)
  t.same(
    get.body.value.methods.map((m: Json) => m.method),
    ['weighted', 'run_rate']
  )
  const { body } = await app.graphql(
    `query($asOf: DateTime) { metrics { forecast(asOf: $asOf, from: "2026-01-01", to: "2026-04-01") {
      value { deals methods { method value interval { quantiles { p total } } } } } } }`,
    { asOf }
  )
  const [weighted] = get.body.value.methods as Json[]
  t.equal(body.data?.metrics.forecast.value.methods[0].value, weighted!.value)
  for (const parameter of ['interval=day', 'draws=1', 'methods=guess']) {
    const { status } = await app.call('GET', `/v1/metrics/forecast?${parameter}`)
    t.equal(status, 400, parameter)
  }
})
