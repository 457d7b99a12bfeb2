import { readFile } from 'node:fs/promises'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, funnel, makeDeal, makePipeline, type Visit } from './helpers/funnel.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

const app = await testApp(t)
const { call } = app
const { cases } = JSON.parse(await readFile(new URL('data/edge-cases.json', import.meta.url), 'utf8')) as {
  cases: { id: string; given: Json; expect: Json }[]
}
const edge = (id: string) => cases.find(c => c.id === id)!
const steps = ['a', 'b', 'c', 'won:won', 'lost:lost']
const at = (day: number, time = '00:00:00') => `2025-01-${String(day).padStart(2, '0')}T${time}Z`
const visits = (...rows: [stage: string, day: number][]): Visit[] =>
  rows.map(([stage, day]) => [stage, at(day)])

const counts = ({ value }: Json, window = 0) =>
  Object.fromEntries(
    (value.ordered[window].steps as Json[]).map(s => [s.stage.name as string, s.count as number])
  )

t.test('E10 steps in their order, the end of the window included', async t => {
  const { given, expect } = edge('E10')
  const pipeline = await makePipeline(call, [...(given.stages as string[]), 'won:won', 'lost:lost'])
  for (const { events, created_at: openedAt } of given.deals as Json[]) {
    const history = (events as Json[]).map((e): Visit => [e.stage as string, e.at as string])
    await makeDeal(call, pipeline, history, { openedAt })
  }
  const ask = (parameters: object) =>
    funnel(call, pipeline, { asOf: given.as_of, order: 'ordered', ...parameters })
  t.match(counts(await ask({ windowDays: [expect.window_days] })), expect.ordered_within_window)
  const several = await ask({ windowDays: [30, 7] })
  t.same(
    (several.value.ordered as Json[]).map(o => o.windowDays as number),
    [7, 30]
  )
  t.equal(counts(several, 1).qualified, 3)
  const any = await ask({})
  t.equal(any.value.ordered[0].windowDays, null)
  t.equal(counts(any).qualified, 3)
  const calendar = await ask({ windowDays: [7], durations: 'calendar' })
  t.equal(counts(calendar).qualified, 3, 'a second later is the same local day')
  t.equal(
    counts(await ask({ windowDays: [7], durations: 'calendar', timeZone: 'Pacific/Apia' })).qualified,
    3
  )
})

t.test('what may lie between, what may come first, and what starts the clock', async t => {
  const pipeline = await makePipeline(call, steps)
  const ways: [visits: Visit[], ordered: number, strict: number, any: number, again: number][] = [
    [visits(['a', 1], ['b', 2], ['c', 3], ['won', 4]), 4, 4, 4, 4],
    [visits(['a', 1], ['c', 2], ['b', 3], ['c', 4]), 3, 1, 3, 3],
    [visits(['b', 1], ['a', 2], ['b', 3]), 2, 2, 2, 2],
    [visits(['b', 1], ['c', 2]), 0, 0, 2, 0],
    [visits(['a', 1], ['lost', 2], ['a', 12], ['b', 13]), 1, 1, 1, 2],
    [visits(['a', 1], ['lost', 2], ['b', 3]), 2, 1, 2, 2],
    [visits(['a', 1], ['b', 8]), 2, 2, 2, 2],
    [visits(['a', 1], ['b', 9]), 1, 1, 1, 1],
    [visits(['a', 5], ['b', 5], ['c', 5], ['won', 5]), 4, 4, 4, 4]
  ]
  const names: string[] = []
  for (const [i, [history]] of ways.entries())
    names.push(await makeDeal(call, pipeline, history, { name: `Way ${i}` }))
  const reached = async (i: number, parameters: object) => {
    const filter = { id: { eq: names[i] } }
    const { value } = await funnel(call, pipeline, { filter, windowDays: [7], ...parameters })
    return (value.ordered[0].steps as Json[]).filter(s => s.count === 1).length
  }
  for (const [i, [history, ordered, strict, any, again]] of ways.entries()) {
    const way = history.map(([stage, day]) => `${stage} ${day.slice(8, 10)}`).join(', ')
    t.equal(await reached(i, { order: 'ordered' }), ordered, `ordered: ${way}`)
    t.equal(await reached(i, { order: 'strict' }), strict, `strict: ${way}`)
    t.equal(await reached(i, { order: 'any' }), any, `any: ${way}`)
    t.equal(await reached(i, { order: 'ordered', reentry: true }), again, `again: ${way}`)
  }
  const { value } = await funnel(call, pipeline, { order: 'any' })
  t.same(
    (value.ordered[0].steps as Json[]).map(s => [s.stage.stageId, s.stage.name]),
    ['1 of 4', '2 of 4', '3 of 4', '4 of 4'].map(name => [null, name])
  )
})

t.test('the order holds in buckets, in groups and in the ids behind them', async t => {
  const pipeline = await makePipeline(call, steps)
  const inOrder = await makeDeal(call, pipeline, visits(['a', 6], ['b', 7]), { sourceChannel: 'web' })
  await makeDeal(call, pipeline, visits(['b', 12], ['a', 13]), { sourceChannel: 'fair' })
  await makeDeal(call, pipeline, visits(['a', 12], ['b', 30]), { sourceChannel: 'web' })
  const answer = await funnel(call, pipeline, {
    order: 'ordered',
    windowDays: [7],
    interval: 'week',
    groupBy: ['sourceChannel'],
    explain: true,
    to: '2025-01-20'
  })
  const second = ({ value }: Json) => value.ordered[0].steps[1].count as number
  t.equal(second(answer), 1)
  const weeks = (answer.buckets as Json[]).map(b => [b.label, b.from, second(b)])
  t.same(weeks, [
    ['2025-W02', '2025-01-06', 1],
    ['2025-W03', '2025-01-13', 0]
  ]) // prettier-ignore
  t.same(
    (answer.groups as Json[]).map(g => [g.label, second(g)]),
    [
      ['fair', 0],
      ['web', 1]
    ]
  )
  t.same(answer.explain.value.ordered[0].steps[1].count.ids, [inOrder])
  t.same(answer.explain.groups[1].buckets[0].value.ordered[0].steps[1].count.ids, [inOrder])
})

t.test('a field that must keep its value', async t => {
  const pipeline = await makePipeline(call, steps)
  const user = async (name: string) =>
    (await done(call('POST', '/v1/users', { name, email: `${name}@example.com`, role: 'rep' }))).id as string
  const [one, two] = [await user('one'), await user('two')]
  const { a, b, c, won } = pipeline.stage
  await makeDeal(call, pipeline, [], {
    history: [
      { stageId: a, at: at(1), ownerId: one },
      { stageId: b, at: at(2), ownerId: two },
      { stageId: b, at: at(3), ownerId: two },
      { stageId: a, at: at(4), ownerId: two },
      { stageId: b, at: at(5), ownerId: two },
      { stageId: c, at: at(6), ownerId: two },
      { stageId: won, at: at(7), ownerId: one }
    ]
  })
  const ask = async (parameters: object) =>
    Object.values(counts(await funnel(call, pipeline, { order: 'ordered', ...parameters })))
  t.same(await ask({}), [1, 1, 1, 1])
  t.same(await ask({ hold: 'ownerId' }), [1, 0, 0, 0], 'the first owner kept it for one stage')
  t.same(await ask({ hold: 'ownerId', reentry: true }), [1, 1, 1, 0], 'the second one for three')
  t.same(await ask({ hold: 'companyId' }), [1, 1, 1, 1], 'what has no history is always the same')
})

t.test('old deals', async t => {
  const pipeline = await makePipeline(call, steps)
  const make = (history: Visit[]) => makeDeal(call, pipeline, history, { openedAt: '2024-01-01T00:00:00Z' })
  await make(visits(['a', 1], ['won', 8]))
  await make([
    ['a', at(1)],
    ['won', at(8, '00:00:00.001')]
  ])
  await make(visits(['a', 1], ['won', 3], ['a', 4]))
  await make(visits(['a', 8]))
  await make([['a', at(8, '00:00:00.001')]])
  const ask = async (parameters: object = {}) =>
    (await funnel(call, pipeline, { asOf: at(15), maturedDays: [7, 30], ...parameters })).value
      .matured as Json[]
  const [week, month] = await ask()
  t.match(week, { days: 7, deals: 4, wonWithin: 1, rate: { value: 0.25, numerator: 1, denominator: 4 } })
  t.match(month, { days: 30, deals: 0, wonWithin: 0, rate: { value: null } })
  t.match((await ask({ durations: 'calendar' }))[0], { deals: 5, wonWithin: 2 })
  const { reasons } = await funnel(call, pipeline, { asOf: at(15), maturedDays: [30] })
  t.equal(reasons['/value/matured/0/rate'], 'none_matured')
})

t.test('E16 what won deals brought, by dated rates', async t => {
  const { given, expect } = edge('E16')
  const headers = { authorization: `Bearer ${await app.newKey(['admin'], await app.newWorkspace('rates'))}` }
  const own = (method: string, path: string, body?: unknown) => call(method, path, body, headers)
  await done(own('PATCH', '/v1/workspace', { timeZone: 'UTC', baseCurrency: given.fx.base }))
  for (const { date, currency, rate } of given.fx.rates as Json[])
    await done(own('POST', '/v1/exchange-rates', { date, currency, rateToBase: String(rate) }))
  const pipeline = await makePipeline(own, steps)
  for (const { id, amount, currency, closed } of given.deals as Json[]) {
    const history: Visit[] = [
      ['a', '2024-12-01T00:00:00Z'],
      ['won', `${closed}T12:00:00Z`]
    ]
    await makeDeal(own, pipeline, history, {
      name: id,
      amount: amount === null ? null : String(amount),
      currency
    })
  }
  const { value, excluded, warnings, currency, groups } = await funnel(own, pipeline, { groupBy: ['name'] })
  t.equal(currency, 'EUR')
  t.equal(value.outcome.won, expect.won_count)
  t.equal(value.wonValue, String(expect.total))
  t.match(excluded, { noFxRate: expect.excluded.no_fx_rate, missingAmount: expect.excluded.missing_amount })
  t.same(
    (warnings as Json[]).map(w => [w.code, w.count]),
    [
      ['missing_amount', 1],
      ['no_fx_rate', 2]
    ]
  )
  const values = (groups as Json[]).map(g => [
    g.key.name,
    g.value.wonValue === null ? null : Number(g.value.wonValue)
  ])
  t.same(Object.fromEntries(values), expect.value)
  const inDollars = await funnel(own, pipeline, { currency: 'USD' })
  t.equal(inDollars.value.wonValue, '425', 'dollars stay dollars, 100 euros of February are 125')
  t.equal(inDollars.excluded.noFxRate, 1)
})

t.test('the amount is that of the moment', async t => {
  const pipeline = await makePipeline(call, steps)
  const { a, won } = pipeline.stage
  const id = await makeDeal(call, pipeline, [], {
    history: [
      { stageId: a, at: at(1), amount: '1', currency: 'EUR' },
      { stageId: won, at: at(3), amount: '2', currency: 'EUR' }
    ]
  })
  await done(call('PATCH', `/v1/deals/${id}`, { amount: '3' }))
  const value = async (parameters: object) =>
    (await funnel(call, pipeline, parameters)).value.wonValue as string
  t.equal(await value({ asOf: at(2) }), '0', 'not won yet')
  t.equal(await value({ asOf: at(4) }), '2')
  t.equal(await value({}), '3')
})
