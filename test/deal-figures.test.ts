import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { sameDealFigures, sameStats } from './helpers/deal-figures-expected.js'
import { closeTo, figure, loaded } from './helpers/reference.js'
import { edgeCase } from './helpers/expected.js'
import { done, makeDeal, makePipeline } from './helpers/funnel.js'
import { workspaceOf } from './helpers/workspace.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
const expected = JSON.parse(await readFile(`${folder}/expected.json`, 'utf8')) as Json
const { app, send } = await loaded(t, loadTenant, folder)
const asOf = expected.pipeline.as_of as string

t.test('a whole tenant', t => sameDealFigures(t, send, { asOf }, expected.pipeline as Json))

t.test('velocity of a quarter', async t => {
  const wanted = expected.velocity_q4 as Json
  const quarter = { from: '2025-10-01', to: '2026-01-01', asOf }
  const { value, buckets } = await figure(send, 'velocity', { ...quarter, interval: 'month' })
  t.match(value, { openDeals: wanted.open_deals_at_as_of, won: wanted.won, lost: wanted.lost })
  closeTo(t, value.winRate.value, wanted.win_rate as number, 'win rate')
  closeTo(t, value.averageWonValue, wanted.avg_won_value as number, 'average')
  closeTo(t, value.meanCycleDays, wanted.mean_cycle_days as number, 'days')
  closeTo(t, value.perDay, wanted.velocity_per_day as number, 'a day')
  const last = (buckets as Json[]).at(-1)!
  t.equal(last.value.openDeals, value.openDeals, 'open at the end of the last month')
  const november = await figure(send, 'velocity', { ...quarter, asOf: '2025-12-01T04:59:59.999Z' })
  t.equal(buckets[1].value.openDeals, november.value.openDeals, 'open at the end of November')
})

t.test('deals that stand still', async t => {
  const { value: times } = await figure(send, 'time-in-stage', { asOf })
  const all = await figure(send, 'stalled-deals', { asOf })
  const { value, deals } = all
  t.equal(deals.length, value.count)
  t.ok(value.count > 0)
  t.same(
    value.thresholds.map((s: Json) => s.stage),
    times.stages.map((s: Json) => s.stage)
  )
  const p90 = new Map((value.thresholds as Json[]).map(s => [s.stage.stageId as string, s.p90 as number]))
  for (const deal of deals as Json[])
    t.ok(deal.ageDays > p90.get(deal.stage.stageId as string)!, 'longer than that')
  const ages = (deals as Json[]).map(d => d.ageDays as number)
  t.same(
    ages,
    [...ages].sort((a, b) => b - a),
    'the longest first'
  )
  const { knownAt } = all
  const first = await figure(send, 'stalled-deals', { asOf, knownAt, limit: 1 })
  t.same(first.deals, deals.slice(0, 1))
  const after = first.page.nextCursor as string
  const rest = await figure(send, 'stalled-deals', { asOf, knownAt, after })
  t.same(rest.deals, deals.slice(1))
  const { status, body } = await app.call('POST', '/v1/metrics/stalled-deals', { after: 'x' })
  t.match(
    { status, body },
    { status: 400, body: { errors: [{ pointer: '/after', code: 'invalid_cursor' }] } }
  )
})

t.test('figures of given numbers', async t => {
  await t.test('E11: durations of which some go on', async t => {
    const { given, expect } = edgeCase('E11')
    const data = { completed: given.durations_completed as number[], open: given.durations_open as number[] }
    const { value } = await figure(send, 'time-in-stage', { data, days: [2, 4, 5, 6] })
    const [stage] = value.stages
    closeTo(t, stage.completed.mean, expect.mean_completed as number, 'mean')
    closeTo(t, stage.completed.median, expect.median_completed as number, 'median')
    t.equal(stage.kmMedian, expect.km_median)
    const share = new Map((stage.survival as Json[]).map(s => [s.days as number, s.share as number]))
    for (const [day, wanted] of expect.km as [number, number][])
      closeTo(t, share.get(day), wanted, `after ${day}`, 1e-9)
    closeTo(t, share.get(5), expect.share_still_in_stage_at['5'] as number, 'after 5', 1e-9)
  })
  await t.test('E12: quantiles', async t => {
    const { given, expect } = edgeCase('E12')
    const { value } = await figure(send, 'time-in-stage', {
      data: { completed: given.values as number[], open: [] }
    })
    for (const [name, wanted] of Object.entries(expect))
      closeTo(t, value.stages[0].completed[name], wanted as number, name, 1e-9)
  })
  await t.test('E13: velocity', async t => {
    const { given, expect } = edgeCase('E13')
    const { open_deals: openDeals, won, lost, avg_won_value, mean_cycle_days_won: meanCycleDays } = given
    const data = { openDeals, won, lost, averageWonValue: String(avg_won_value), meanCycleDays }
    const { value } = await figure(send, 'velocity', { data })
    closeTo(t, value.winRate.value, expect.win_rate as number, 'win rate')
    closeTo(t, value.perDay, expect.velocity_per_day as number, 'a day')
    const still = await figure(send, 'velocity', { data: { ...data, meanCycleDays: 0 } })
    t.match(still, { value: { perDay: null }, reasons: { '/value/perDay': 'no_cycle' } })
    const nothing = await figure(send, 'velocity', { data: { ...data, won: 0, lost: 0 } })
    t.match(nothing, { value: { perDay: null }, reasons: { '/value/winRate': 'nothing_closed' } })
  })
  await t.test('what does not go with them', async t => {
    const refused = async (name: string, body: object) => {
      const { status, body: problem } = await send('POST', `/v1/metrics/${name}`, body)
      return [status, problem.errors?.[0]?.pointer]
    }
    const data = { completed: [1], open: [2] }
    const stages = (more: object) => refused('time-in-stage', { data, ...more })
    t.same(await stages({ filter: { name: { eq: 'x' } } }), [400, '/filter'])
    t.same(await stages({ groupBy: ['ownerId'] }), [400, '/groupBy'])
    t.same(await stages({ interval: 'month' }), [400, '/interval'])
    t.same(await stages({ from: '2026-01-01' }), [400, '/from'])
    t.same(await stages({ days: [1], explain: true, asOf: '2026-01-01T00:00:00Z', groupBy: null }), [200, undefined]) // prettier-ignore
    const endless = { data: { completed: [1e308, 1e308], open: [] } }
    t.same(await refused('time-in-stage', endless), [400, '/data/completed/0'])
    const counts = { won: 1, lost: 1 }
    t.same(await refused('win-rate', { by: 'value', data: counts }), [400, '/by'])
    t.same(await refused('win-rate', { by: 'count', data: counts }), [200, undefined])
    t.same(await refused('win-rate', { cohort: 'created', data: counts }), [400, '/cohort'])
    const deals = { deals: [] }
    t.same(await refused('forecast', { methods: ['run_rate'], data: deals }), [400, '/methods'])
    t.same(await refused('forecast', { deals: 'open', data: deals }), [400, '/deals'])
  })
  await t.test('E24: the interval of a win rate', async t => {
    const { given, expect } = edgeCase('E24')
    const { value } = await figure(send, 'win-rate', { data: given })
    closeTo(t, value.winRate.value, expect.win_rate as number, 'rate', 1e-9)
    closeTo(t, value.winRate.low, expect.low as number, 'low', 1e-9)
    closeTo(t, value.winRate.high, expect.high as number, 'high', 1e-9)
  })
})

t.test('parts add up to the whole, and ids to the counts', async t => {
  const parts: Record<string, (value: Json) => number> = {
    'win-rate': v => v.all as number,
    'time-to-close': v => v.n as number,
    'time-in-stage': v => (v.stages as Json[]).reduce((n, s) => n + (s.visits as number), 0),
    'stage-flow': v => (v.stages as Json[]).reduce((n, s) => n + (s.entries as number), 0),
    'stalled-deals': v => v.count as number
  }
  for (const [name, of] of Object.entries(parts)) {
    const answer = await figure(send, name, {
      asOf,
      groupBy: ['ownerId'],
      interval: 'quarter',
      explain: true
    })
    const sum = (of_: Json[]) => of_.reduce((n, p) => n + of(p.value as Json), 0)
    t.equal(sum(answer.groups as Json[]), of(answer.value as Json), `${name}: groups`)
    t.equal(sum(answer.buckets as Json[]), of(answer.value as Json), `${name}: buckets`)
  }
  const { value, explain } = await figure(send, 'win-rate', { asOf, explain: true })
  t.equal(explain.value.won.ids.length, value.won)
  t.equal(explain.value.lost.ids.length, value.lost)
  const flow = await figure(send, 'stage-flow', { asOf, stageId: value.byStage[0].stage.stageId as string })
  t.equal(flow.value.stages.length, 1)
})

t.test('leads until they are customers', async t => {
  const { value } = await figure(send, 'time-to-close', { asOf, subject: 'lead', days: [30, 365] })
  const leads = expected.counts.leads as number
  t.equal(value.n, leads)
  t.ok(value.won.n > 0 && value.won.n < leads)
  t.equal(value.lost.n, 0)
  const filtered = await figure(send, 'time-to-close', {
    asOf,
    subject: 'lead',
    filter: { qualifiedAt: { isNull: false } }
  })
  t.ok(filtered.value.n > 0 && filtered.value.n < leads)
  const authorization = `Bearer ${await app.newKey(['metrics:read', 'leads:read'])}`
  const path = '/v1/metrics/time-to-close?subject=lead'
  const blind = await app.call('GET', path, undefined, { authorization })
  t.match(blind, { status: 403, body: { scope: 'deals:read' } }, 'when deals were won is told of deals')
})

t.test('REST, GraphQL and a list agree; what has no meaning is refused', async t => {
  const get = await app.call('GET', `/v1/metrics/win-rate?asOf=${encodeURIComponent(asOf)}`)
  const post = await app.call('POST', '/v1/metrics/win-rate', { asOf })
  t.same(get.body.value, post.body.value)
  const { body } = await app.graphql(
    'query($asOf: DateTime) { metrics { winRate(asOf: $asOf) { value { won lost winRate { value } } } } }',
    { asOf }
  )
  const { won, lost, winRate } = get.body.value
  t.same(body.data?.metrics.winRate.value, { won, lost, winRate: { value: winRate.value } })
  for (const [name, parameter] of [
    ['win-rate', 'windowDays'],
    ['stage-flow', 'currency'],
    ['velocity', 'limit']
  ] as const) {
    const { status } = await app.call('GET', `/v1/metrics/${name}?${parameter}=1`)
    t.equal(status, 400, `${name} ${parameter}`)
  }
})

t.test('days until deals are won, by owner', async t => {
  const { groups } = await figure(send, 'time-to-close', { asOf, groupBy: ['owner.name'] })
  const wanted = Object.entries<Json>(expected.pipeline_by_owner)
  t.equal(groups.length, wanted.length)
  for (const [owner, { cycle_days_won }] of wanted)
    sameStats(
      t,
      (groups as Json[]).find(g => g.label === owner)!.value.won as Json,
      cycle_days_won as Json,
      owner
    )
})

t.test('the cases of the definitions: times in stages, and what nothing closed leaves unknown', async t => {
  for (const id of ['E03', 'E04', 'E06', 'E09']) {
    const { given, expect } = edgeCase(id)
    const { request } = await workspaceOf(app, id)
    const pipeline = await makePipeline(request, [...(given.stages as string[]), 'won:won', 'lost:lost'])
    for (const { events, created_at: openedAt, amount } of given.deals as Json[]) {
      const history = (events as Json[]).map(e => [e.stage as string, e.at as string] as const)
      await makeDeal(request, pipeline, history, { openedAt, amount: String(amount), currency: 'EUR' })
    }
    const ask = async (name: string) =>
      (await done(request('POST', `/v1/metrics/${name}`, { asOf: given.as_of as string }))).value as Json
    const { stages } = await ask('time-in-stage')
    for (const [name, wanted] of Object.entries((expect.time_in_stage_days ?? {}) as Record<string, Json>)) {
      const found = (stages as Json[]).find(s => s.stage.name === name)!
      if (wanted.visits !== undefined) t.equal(found.visits, wanted.visits, `${id} ${name}: visits`)
      if (wanted.completed)
        sameSample(t, found.completed as Json, wanted.completed as number[], `${id} ${name}`)
      if (wanted.open_age)
        sameSample(t, found.openNow.ages as Json, wanted.open_age as number[], `${id} ${name}: open`)
      if (wanted.total_per_deal) sameSample(t, found.totalPerDeal as Json, wanted.total_per_deal as number[], `${id} ${name}: per deal`) // prettier-ignore
    }
    if (expect.cycle_days_won)
      sameSample(
        t,
        (await ask('time-to-close')).won as Json,
        expect.cycle_days_won as number[],
        `${id}: cycle`
      )
    if (expect.velocity_per_day !== undefined) {
      t.equal((await ask('velocity')).perDay, expect.velocity_per_day)
      t.match(await ask('win-rate'), {
        averageWonValue: expect.avg_won_value,
        winRate: { value: expect.win_rate }
      })
    }
  }
})

t.test('E08: deals by the month of their opening, where it is reported', async t => {
  const { given, expect } = edgeCase('E08')
  const { request } = await workspaceOf(app, 'E08')
  const pipeline = await makePipeline(request, [...(given.stages as string[]), 'won:won', 'lost:lost'])
  for (const { created_at: openedAt } of given.deals as Json[])
    await makeDeal(request, pipeline, [['lead', openedAt as string]], { openedAt })
  const asked = { asOf: given.as_of as string, timeZone: given.time_zone as string, interval: 'month' }
  for (const [name, count] of [
    ['funnel', 'deals'],
    ['time-to-close', 'n']
  ] as const) {
    const { buckets } = await done(request('POST', `/v1/metrics/${name}`, asked))
    const months = (buckets as Json[])
      .filter(b => b.value[count] > 0)
      .map(b => [b.label, b.value[count]] as const)
    t.same(Object.fromEntries(months), expect.created_by_month, name)
  }
})

/** A sample of a few durations. */
function sameSample(t: Test, found: Json, wanted: number[], name: string): void {
  const sorted = wanted.toSorted((a, b) => a - b)
  t.match(found, { n: wanted.length, min: sorted[0]!, max: sorted.at(-1)! }, name)
  closeTo(t, found.mean, wanted.reduce((a, b) => a + b, 0) / wanted.length, `${name}: mean`)
}
