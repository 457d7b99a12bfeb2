import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, funnel, makeDeal, makePipeline, summary } from './helpers/funnel.js'

const app = await testApp(t)
const { call, graphql } = app
const steps = ['a', 'b', 'won:won', 'lost:lost']
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

const inWorkspace = async (name: string, scopes?: string[]) => {
  const workspaceId = await app.newWorkspace(name)
  const headers = bearer(await app.newKey(scopes, workspaceId))
  return (method: string, path: string, body?: unknown) => call(method, path, body, headers)
}

t.test('a workspace without anything answers zeros and nulls', async t => {
  const own = await inWorkspace('empty')
  for (const cohort of ['created', 'closed']) {
    const { status, body } = await own('GET', `/v1/metrics/funnel?cohort=${cohort}&from=2025-01-01`)
    t.equal(status, 200)
    const nothing = { value: null, numerator: 0, denominator: 0, low: null, high: null }
    t.same(body.value, {
      deals: 0,
      outcome: { won: 0, lost: 0, open: 0 },
      everWon: 0,
      stages: [],
      moves: {
        forward: 0,
        skip: 0,
        backward: 0,
        reopen: 0,
        handedOver: 0,
        dealsReopened: 0,
        dealsBackward: 0,
        dealsSkipped: 0
      },
      transitions: [],
      conversion: nothing,
      winRate: nothing,
      wonValue: '0',
      ordered: [],
      matured: []
    })
    t.same(body.reasons, { '/value/conversion': 'no_deals', '/value/winRate': 'nothing_closed' })
    t.match(body.parameters, { from: '2025-01-01', to: null, pipelineId: null, cohort, filter: null })
  }
})

t.test('the pipeline: the only one, or the one named', async t => {
  const own = await inWorkspace('pipelines')
  const first = await makePipeline(own, steps, 'First')
  await makeDeal(own, first, [['a', '2025-01-01T00:00:00Z']])
  const alone = await done(own('GET', '/v1/metrics/funnel'))
  t.equal(alone.parameters.pipelineId, first.id)
  t.equal(alone.value.deals, 1)

  const second = await makePipeline(own, ['x'], 'Second')
  for (const [method, body, place] of [
    ['GET', undefined, { in: 'query', parameter: 'pipelineId' }],
    ['POST', {}, { in: 'body', pointer: '/pipelineId' }]
  ] as const) {
    const several = await own(method, '/v1/metrics/funnel', body)
    t.equal(several.status, 422)
    t.match(several.body.detail, new RegExp(`First \\(${first.id}\\), Second \\(${second.id}\\)`))
    t.match(several.body.errors, [{ ...place, code: 'required' }])
    t.same(several.body.pipelines, [
      { id: first.id, name: 'First' },
      { id: second.id, name: 'Second' }
    ])
  }
  const named = await done(own('GET', `/v1/metrics/funnel?pipelineId=${first.id.toUpperCase()}`))
  t.equal(named.value.deals, 1)

  await done(own('DELETE', `/v1/pipelines/${second.id}`))
  t.equal((await own('GET', '/v1/metrics/funnel')).status, 200, 'one in the bin does not count')
  const foreign = await makePipeline(call, steps, 'Foreign')
  for (const id of [second.id, foreign.id, '00000000-0000-7000-8000-000000000000']) {
    const unknown = await own('POST', '/v1/metrics/funnel', { pipelineId: id })
    t.equal(unknown.status, 422)
    t.match(unknown.body, { code: 'unknown_reference', errors: [{ in: 'body', pointer: '/pipelineId' }] })
  }
})

t.test('another workspace sees nothing of it', async t => {
  const pipeline = await makePipeline(call, steps, 'Mine')
  await makeDeal(call, pipeline, [['a', '2025-01-01T00:00:00Z']])
  const other = await inWorkspace('other')
  const theirs = await makePipeline(other, steps, 'Theirs')
  await makeDeal(other, theirs, [['b', '2025-01-01T00:00:00Z']])
  t.match(summary(await done(other('GET', '/v1/metrics/funnel'))), { deals: 1, entered: { a: 0, b: 1 } })
  t.match(summary(await funnel(call, pipeline)), { deals: 1, entered: { a: 1, b: 0 } })
})

t.test('a figure needs its scopes', async t => {
  for (const [scopes, missing] of [
    [['deals:read'], 'metrics:read'],
    [['metrics:read'], 'deals:read']
  ] as const) {
    const own = await inWorkspace('scopes', [...scopes])
    const { status, body } = await own('GET', '/v1/metrics/funnel')
    t.equal(status, 403)
    t.equal(body.scope, missing)
  }
  const both = await inWorkspace('scopes', ['metrics:read', 'deals:read'])
  t.equal((await both('GET', '/v1/metrics/funnel')).status, 200)
  const related = { filter: { company: { name: { eq: 'Acme' } } } }
  const hidden = await both('POST', '/v1/metrics/funnel', related)
  t.match(hidden, { status: 403, body: { scope: 'companies:read' } })
  t.equal((await call('GET', '/v1/metrics/funnel', undefined, { authorization: '' })).status, 401)
})

t.test('what is wrong with a parameter names it', async t => {
  const { id } = await makePipeline(call, steps, 'Parameters')
  const wrong: [name: string, value: unknown][] = [
    ['from', 'yesterday'],
    ['from', '2025-02-30'],
    ['to', '2025-01-01T25:00:00Z'],
    ['asOf', '2025-01-01'],
    ['knownAt', 'now'],
    ['timeZone', 'Mars/Olympus'],
    ['pipelineId', 'sales'],
    ['cohort', 'entered'],
    ['interval', 'fortnight'],
    ['order', 'backwards'],
    ['maturedDays', '-1'],
    ['windowDays', '7,x'],
    ['windowDays', [7]],
    ['reentry', true],
    ['hold', 'ownerId'],
    ['groupBy', ['colour']],
    ['groupBy', ['owner.password']],
    ['groupBy', ['pipeline.stages.name']],
    ['groupBy', 'ownerId,companyId,productId'],
    ['groupAt', 'sometimes'],
    ['durations', 'long'],
    ['currency', 'euro'],
    ['explainAfter', 'x'],
    ['granularity', 'month']
  ]
  for (const [name, value] of wrong) {
    const query = new URLSearchParams({ pipelineId: id, [name]: String(value) })
    const got = await call('GET', `/v1/metrics/funnel?${query.toString()}`)
    t.match(got, { status: 400, body: { errors: [{ in: 'query', parameter: name }] } }, `${name} in a query`)
    const posted = await call('POST', '/v1/metrics/funnel', { pipelineId: id, [name]: value })
    t.match(
      posted,
      { status: 400, body: { errors: [{ in: 'body', pointer: `/${name}` }] } },
      `${name} in a body`
    )
  }
  const twice = await call('GET', '/v1/metrics/funnel?cohort=created&cohort=closed')
  t.match(twice, { status: 400, body: { errors: [{ parameter: 'cohort', code: 'duplicate' }] } })
  const backwards = await call('GET', `/v1/metrics/funnel?pipelineId=${id}&from=2025-02-01&to=2025-01-31`)
  t.match(backwards, { status: 400, body: { errors: [{ in: 'query', parameter: 'to', code: 'range' }] } })
})

t.test('a filter over GET is a JSON text', async t => {
  const pipeline = await makePipeline(call, steps, 'Filters')
  await makeDeal(call, pipeline, [['a', '2025-01-01T00:00:00Z']], { name: 'One' })
  await makeDeal(call, pipeline, [['a', '2025-01-01T00:00:00Z']], { name: 'Two' })
  const get = (filter: string) =>
    call('GET', `/v1/metrics/funnel?pipelineId=${pipeline.id}&filter=${encodeURIComponent(filter)}`)
  const { body } = await get('{"name":{"eq":"One"}}')
  t.equal(body.value.deals, 1)
  t.same(body.parameters.filter, { name: { eq: 'One' } })
  for (const [filter, code] of [
    ['{"name":', 'invalid_json'],
    ['5', 'type'],
    ['{"title":{"eq":"One"}}', 'unknown_field'],
    ['{"name":{"like":"One"}}', 'unknown_operator']
  ] as const) {
    t.match(await get(filter), {
      status: 400,
      body: { errors: [{ in: 'query', parameter: 'filter', code }] }
    })
  }
  const posted = await call('POST', '/v1/metrics/funnel', { filter: { title: { eq: 'One' } } })
  t.match(posted, { status: 400, body: { errors: [{ in: 'body', pointer: '/filter/title' }] } })
})

t.test('the period is cut at local midnight', async t => {
  const days: [zone: string, day: string, next: string, first: string, last: string][] = [
    ['UTC', '2025-03-30', '2025-03-31', '2025-03-30T00:00:00.000Z', '2025-03-30T23:59:59.999Z'],
    ['Europe/Berlin', '2025-03-30', '2025-03-31', '2025-03-29T23:00:00.000Z', '2025-03-30T21:59:59.999Z'],
    ['Asia/Kathmandu', '2025-03-30', '2025-03-31', '2025-03-29T18:15:00.000Z', '2025-03-30T18:14:59.999Z'],
    // Clocks go from 00:00 back to 23:00, from 24:00 on to 01:00, and from 01:00 back to a second midnight.
    ['Asia/Beirut', '2025-10-26', '2025-10-27', '2025-10-25T22:00:00.000Z', '2025-10-26T21:59:59.999Z'],
    ['Asia/Beirut', '2025-03-30', '2025-03-31', '2025-03-29T22:00:00.000Z', '2025-03-30T20:59:59.999Z'],
    ['Atlantic/Azores', '2025-10-26', '2025-10-27', '2025-10-26T00:00:00.000Z', '2025-10-27T00:59:59.999Z']
  ]
  for (const [timeZone, from, to, first, last] of days) {
    const pipeline = await makePipeline(call, steps, timeZone)
    const near = [-1, 0].flatMap(ms => [Date.parse(first) + ms, Date.parse(last) + 1 + ms])
    for (const at of near) await makeDeal(call, pipeline, [['a', new Date(at).toISOString()]])
    const answer = await funnel(call, pipeline, { timeZone, from, to })
    t.equal(answer.value.deals, 2, `${timeZone} ${from}`)
    t.equal(answer.timeZone, timeZone)
    t.equal((await funnel(call, pipeline, { from: first, to: last })).value.deals, 1, 'the end is outside')
    t.equal(
      (await funnel(call, pipeline, { timeZone })).value.deals,
      4,
      'a zone moves nothing out of all time'
    )
  }
})

t.test("the workspace's zone is the default", async t => {
  const own = await inWorkspace('zone')
  await done(own('PATCH', '/v1/workspace', { timeZone: 'America/New_York' }))
  const pipeline = await makePipeline(own, steps)
  const created = [
    '2025-03-01T04:59:59Z',
    '2025-03-01T05:00:00Z',
    '2025-04-01T03:59:59Z',
    '2025-04-01T04:00:00Z'
  ]
  for (const at of [...created, '2025-11-01T03:59:59Z', '2025-12-01T00:00:00Z']) {
    await makeDeal(own, pipeline, [['a', at]])
  }
  const months = { '02': 1, '03': 2, '04': 1, '10': 1, '11': 1 }
  for (const [month, deals] of Object.entries(months)) {
    const next = String(Number(month) + 1).padStart(2, '0')
    const answer = await funnel(own, pipeline, { from: `2025-${month}-01`, to: `2025-${next}-01` })
    t.equal(answer.value.deals, deals, `E08 month ${month}`)
    t.equal(answer.timeZone, 'America/New_York')
  }
  const { buckets } = await funnel(own, pipeline, { interval: 'month', asOf: '2025-12-01T00:00:00Z' })
  const found = (buckets as { label: string; value: { deals: number } }[]).filter(b => b.value.deals > 0)
  t.same(Object.fromEntries(found.map(b => [b.label.slice(5), b.value.deals])), months, 'E08 as buckets')
})

t.test('GraphQL answers the same under metrics', async t => {
  const pipeline = await makePipeline(call, steps, 'Graph')
  await makeDeal(
    call,
    pipeline,
    [
      ['a', '2025-01-01T00:00:00Z'],
      ['lost', '2025-01-02T00:00:00Z']
    ],
    { name: 'One' }
  )
  const rate = '{ value numerator denominator low high }'
  const stage = '{ stageId name kind }'
  const { body } = await graphql(
    `query ($pipelineId: ID, $filter: JSON, $to: String) {
      metrics {
        funnel(pipelineId: $pipelineId, cohort: CLOSED, from: "2025-01-02", to: $to, filter: $filter) {
          metric version parameters timeZone currency asOf knownAt counts excluded reasons warnings { code message count }
          value {
            deals everWon outcome { won lost open }
            stages {
              stage ${stage} reached entered openNow lostFrom
              conversionFromPrevious ${rate} conversionFromFirst ${rate}
            }
            moves { forward skip backward reopen handedOver dealsReopened dealsBackward dealsSkipped }
            transitions { from ${stage} to ${stage} count }
            conversion ${rate} winRate ${rate} wonValue
            ordered { windowDays steps { stage ${stage} count } } matured { days deals wonWithin rate ${rate} }
          }
        }
      }
    }`,
    { pipelineId: pipeline.id, filter: { name: { eq: 'One' } }, to: null }
  )
  t.equal(body.errors, undefined)
  const parameters = { cohort: 'closed', from: '2025-01-02', filter: { name: { eq: 'One' } } }
  const { asOf, knownAt, ...rest } = await funnel(call, pipeline, parameters)
  const shouted = JSON.parse(JSON.stringify(rest), (key, v) => (key === 'kind' ? String(v).toUpperCase() : v))
  t.match(body.data.metrics.funnel, shouted)
  t.equal(body.data.metrics.funnel.value.deals, 1)
  t.ok(asOf && knownAt)

  const bad = await graphql('{ metrics { funnel(cohort: CREATED, from: "soon") { metric } } }')
  t.match(bad.body.errors[0].extensions, { code: 'invalid_input', errors: [{ pointer: '/from' }] })
})

t.test('the catalogue says what a figure is', async t => {
  const { data } = await done(call('GET', '/v1/metrics'))
  const found = data.find((m: { name: string }) => m.name === 'funnel')
  t.match(found, {
    version: 1,
    definition: /handed over/,
    formula: /reached\(k\)/,
    unit: /deals/,
    source: /\w+/
  })
  for (const field of ['ownerId', 'owner.region', 'owner.teamId', 'company.industry', 'firstTouch.channel'])
    t.ok(found.dimensions.includes(field), field)
  const cohort = found.parameters.find((p: { name: string }) => p.name === 'cohort')
  t.match(cohort, { default: 'created', choices: ['created', 'closed'], description: /\w+/ })
  for (const { name } of found.parameters) {
    t.not((await call('POST', '/v1/metrics/funnel', { [name]: null })).status, 400, `${name} is taken`)
  }
  const { body } = await graphql('{ metrics { catalogue { data { name version parameters { name } } } } }')
  t.same(
    body.data.metrics.catalogue.data.map((m: { name: string }) => m.name),
    data.map((m: { name: string }) => m.name)
  )
})
