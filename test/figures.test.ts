import { parse } from 'csv-parse/sync'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, funnel, makeDeal, makePipeline, type Visit } from './helpers/funnel.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

const app = await testApp(t)
const { call, graphql } = app
const day = (n: number) => `2025-01-${String(n).padStart(2, '0')}T12:00:00Z`
const won: Visit[] = [
  ['a', day(1)],
  ['won', day(5)]
]
const lost: Visit[] = [
  ['a', day(2)],
  ['lost', day(6)]
]
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const steps = ['a', 'b', 'won:won', 'lost:lost']

t.test('buckets', async t => {
  const pipeline = await makePipeline(call, steps, 'Buckets')
  await makeDeal(call, pipeline, won)
  await makeDeal(call, pipeline, [
    ['a', '2025-03-31T22:30:00Z'],
    ['lost', '2025-04-02T00:00:00Z']
  ])
  const ask = (parameters: object) => funnel(call, pipeline, { asOf: '2025-04-15T00:00:00Z', ...parameters })
  const counts = ({ buckets }: Json) => (buckets as Json[]).map(b => [b.label, b.value.deals, b.complete])
  t.same(counts(await ask({ interval: 'month' })), [
    ['2025-01', 1, true],
    ['2025-02', 0, true],
    ['2025-03', 1, true],
    ['2025-04', 0, false]
  ])
  const berlin = await ask({ interval: 'quarter', timeZone: 'Europe/Berlin' })
  t.same(counts(berlin), [
    ['2025-Q1', 1, true],
    ['2025-Q2', 1, false]
  ])
  t.same(counts(await ask({ interval: 'month', cohort: 'closed', from: '2025-04-01', to: '2025-05-01' })), [['2025-04', 1, false]]) // prettier-ignore
  const first = berlin.buckets[1].value
  t.same(
    (first.stages as Json[]).map(s => s.stage.name as string),
    ['a', 'b', 'won']
  )
  t.equal((await ask({ interval: 'month' })).reasons['/buckets/1/value/winRate'], 'nothing_closed')
})

t.test('explain', async t => {
  const pipeline = await makePipeline(call, steps, 'Explain')
  const first = await makeDeal(call, pipeline, won, { amount: '5', currency: 'EUR', sourceChannel: 'web' })
  const second = await makeDeal(call, pipeline, lost)
  const { explain } = await funnel(call, pipeline, {
    explain: true,
    groupBy: ['sourceChannel'],
    interval: 'month'
  })
  t.match(explain.formula, /reached\(k\)/)
  t.same(explain.value.deals, { ids: [first, second].sort(), nextCursor: null })
  t.same(explain.value.outcome.won.ids, [first])
  t.same(explain.value.stages[2].reached.ids, [first])
  t.same(explain.value.transitions[1].count.ids, [second])
  t.same(explain.groups[1].value.deals.ids, [second], 'of the group without a channel')
  t.same(explain.groups[0].buckets[0].value.wonValue.ids, [first])
  t.notOk('explain' in (await funnel(call, pipeline)))

  const operations = Array.from({ length: 150 }, (_, i) => ({ op: 'create', body: { name: `Deal ${i}`, stageId: pipeline.stage.b } })) // prettier-ignore
  await done(call('POST', '/v1/deals/batch', { operations }))
  const page = await funnel(call, pipeline, { explain: true })
  const { ids, nextCursor } = page.explain.value.stages[1].openNow
  t.equal(ids.length, 100)
  const { asOf, knownAt } = page
  const rest = await funnel(call, pipeline, { explain: true, explainAfter: nextCursor, asOf, knownAt })
  t.same(Object.keys(rest.explain.value as Json), ['stages'], 'only the number of the cursor')
  t.equal(new Set([...ids, ...rest.explain.value.stages[1].openNow.ids]).size, 150)
  t.equal(rest.explain.value.stages[1].openNow.nextCursor, null)
  for (const query of ['explainAfter=x', 'explain=true&explainAfter=WyJ4IiwieSJd'])
    t.match(await call('GET', `/v1/metrics/funnel?pipelineId=${pipeline.id}&${query}`), { status: 400, body: { errors: [{ parameter: 'explainAfter' }] } }) // prettier-ignore
})

t.test('CSV', async t => {
  const pipeline = await makePipeline(call, ['=a', 'b', 'won:won', 'lost:lost'], 'CSV')
  await makeDeal(call, pipeline, [['=a', day(1)], ['won', day(5)]], { amount: '-5', currency: 'EUR', sourceChannel: 'a "b", c' }) // prettier-ignore
  const path = `/v1/metrics/funnel?pipelineId=${pipeline.id}&groupBy=sourceChannel&interval=year&to=2026-01-01`
  const csv = await call('GET', path, undefined, { accept: 'text/csv' })
  t.match(csv.headers, { 'content-type': 'text/csv; charset=utf-8', vary: /Accept/ })
  const rows: Record<string, string>[] = parse(csv.text, { columns: true })
  const total = rows.find(r => r.part === 'total' && r.list === '')!
  t.match(total, { deals: '1', 'outcome.won': '1', 'winRate.value': '1', wonValue: '-5' })
  const stages = rows.filter(r => r.part === 'total' && r.list === 'stages')
  t.same(
    stages.map(r => [
      r.item,
      r['stages.stage.name'],
      r['stages.reached'],
      r['stages.conversionFromPrevious.value']
    ]),
    [
      ['0', "'=a", '1', ''],
      ['1', 'b', '1', '1'],
      ['2', 'won', '1', '1']
    ]
  )
  t.match(rows.find(r => r.part === 'bucket' && r.list === ''), { bucket: '2025', from: '2025-01-01', complete: 'true', deals: '1' }) // prettier-ignore
  t.match(rows.find(r => r.part === 'group' && r.list === ''), { 'key.sourceChannel': 'a "b", c', group: 'a "b", c', deals: '1' }) // prettier-ignore
  const posted = await call(
    'POST',
    '/v1/metrics/funnel',
    { pipelineId: pipeline.id },
    { accept: 'text/csv;q=0.9, text/html' }
  )
  t.match(posted.headers['content-type'], /csv/)
  for (const accept of ['*/*', 'application/*', 'application/json, text/csv'])
    t.match((await call('GET', path, undefined, { accept })).headers['content-type'], /json/, accept)
  t.match(await call('GET', path, undefined, { accept: 'text/html' }), {
    status: 406,
    body: { code: 'not_acceptable' }
  })
})

t.test('an answer that has not changed is not computed again', async t => {
  const workspaceId = await app.newWorkspace('tags')
  const headers = bearer(await app.newKey(['admin'], workspaceId))
  const own = (method: string, path: string, body?: unknown, more: object = {}) =>
    call(method, path, body, { ...headers, ...more })
  const pipeline = await makePipeline(own, steps)
  const path = `/v1/metrics/funnel?interval=month`
  const tagOf = async (address = path, more: object = {}) =>
    String((await own('GET', address, undefined, more)).headers.etag)
  const known = await tagOf()
  t.match(known, /^W\/"[\w-]+\.json"$/)
  const again = await own('GET', path, undefined, { 'if-none-match': known })
  t.match(again, {
    status: 304,
    text: '',
    headers: { etag: known, vary: 'Accept', 'cache-control': /private/ }
  })
  await makeDeal(call, await makePipeline(call, steps, 'Elsewhere'), won)
  t.equal(await tagOf(), known, "another workspace's changes do not matter")

  const others = [
    await tagOf(`${path}&timeZone=Asia/Tokyo`),
    await tagOf(path, { accept: 'text/csv' }),
    await tagOf(path, bearer(await app.newKey(['metrics:read', 'deals:read'], workspaceId)))
  ]
  t.equal(new Set([known, ...others]).size, 4, 'parameters, form and rights do')
  const changes = [
    () => makeDeal(own, pipeline, won),
    () => done(own('PATCH', `/v1/stages/${pipeline.stage.b}`, { name: 'B' })),
    () => done(own('PATCH', '/v1/workspace', { fiscalYearStart: '04-01' })),
    () => done(own('POST', '/v1/exchange-rates', { currency: 'USD', date: '2025-01-01', rateToBase: '0.9' }))
  ]
  let last = known
  for (const change of changes) {
    await change()
    const { status, headers: found } = await own('GET', path, undefined, { 'if-none-match': last })
    t.equal(status, 200)
    t.not(found.etag, last)
    last = String(found.etag)
  }
  await own('GET', '/v1/events')
  t.equal(await tagOf(), last, 'giving events their sequence is no change')
  const ages = `${path}&maturedDays=7`
  t.equal(
    (await own('GET', ages, undefined, { 'if-none-match': await tagOf(ages) })).status,
    200,
    'deals grow older'
  )
  const then = `${ages}&asOf=2025-06-01T00:00:00Z`
  t.equal(
    (await own('GET', then, undefined, { 'if-none-match': await tagOf(then) })).status,
    304,
    'but not at a moment'
  )
})

t.test('GraphQL has the same parts', async t => {
  const pipeline = await makePipeline(call, steps, 'Graph')
  await makeDeal(call, pipeline, won, { sourceChannel: 'web' })
  const { body } = await graphql(
    `
      query ($id: ID) {
        metrics {
          funnel(
            pipelineId: $id
            groupBy: ["sourceChannel"]
            groupAt: LAST
            interval: YEAR
            explain: true
            asOf: "2025-12-31T00:00:00Z"
          ) {
            currency
            explain
            buckets {
              from
              to
              label
              complete
              value {
                deals
              }
            }
            groups {
              key
              label
              value {
                deals
                outcome {
                  won
                }
              }
              buckets {
                label
                value {
                  deals
                }
              }
            }
          }
        }
      }
    `,
    { id: pipeline.id }
  )
  t.equal(body.errors, undefined)
  const parameters = { groupBy: ['sourceChannel'], groupAt: 'last', interval: 'year', explain: true, asOf: '2025-12-31T00:00:00Z' } // prettier-ignore
  const wanted = await funnel(call, pipeline, parameters)
  const found = body.data.metrics.funnel
  t.match(wanted, { ...found, buckets: found.buckets, groups: found.groups })
  t.equal(found.groups[0].buckets[0].value.deals, 1)
})
