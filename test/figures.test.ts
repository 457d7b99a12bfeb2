import { parse } from 'csv-parse/sync'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { Statements, tablesWithoutWorkspace } from './conformance/statements.js'
import { execute } from './helpers/database.js'
import { identity, type Person } from './helpers/identity.js'
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
const made = (plural: string, body: object) => done(call('POST', `/v1/${plural}`, body))
const steps = ['a', 'b', 'won:won', 'lost:lost']

const user = (name: string, fields: object = {}) =>
  made('users', { name, email: `${name.toLowerCase()}@example.com`, role: 'rep', ...fields })

const told = (groups: Json[], number = 'deals') =>
  groups.map(g => [...Object.values(g.key as Json), g.value[number]] as unknown[])

t.test('groups', async t => {
  const pipeline = await makePipeline(call, steps, 'Groups')
  const [ann, bob] = [await user('Ann', { region: 'North' }), await user('Bob')]
  const acme = await made('companies', { name: 'Acme', industry: 'steel', customFields: { size: 9 } })
  const toy = await made('companies', { name: 'Toy', industry: 'toys', ownerId: bob.id })
  const gold = { customFields: { tier: 'gold', vip: true } }
  await makeDeal(call, pipeline, won, {
    ownerId: ann.id,
    companyId: acme.id,
    amount: '5',
    currency: 'EUR',
    ...gold
  })
  await makeDeal(call, pipeline, lost, {
    ownerId: ann.id,
    companyId: toy.id,
    amount: '5.50',
    currency: 'EUR'
  })
  await makeDeal(call, pipeline, won, { companyId: acme.id, customFields: { tier: null } })
  const by = async (...groupBy: string[]) => (await funnel(call, pipeline, { groupBy })).groups as Json[]

  t.test('a field of the subject, of a record it points to, or of the workspace', async t => {
    t.same(told(await by('ownerId')), [
      [ann.id, 2],
      [null, 1]
    ])
    t.same(
      (await by('ownerId')).map(g => g.label),
      ['Ann', '–']
    )
    t.same(told(await by('owner.region')), [
      ['North', 2],
      [null, 1]
    ])
    t.same(told(await by('company.industry')), [
      ['steel', 2],
      ['toys', 1]
    ])
    t.same(told(await by('customFields.tier')), [
      ['gold', 1],
      [null, 2]
    ])
    t.same(told(await by('customFields.vip')), [
      [true, 1],
      [null, 2]
    ])
    t.same(told(await by('company.customFields.size')), [
      [9, 2],
      [null, 1]
    ])
    t.same(told(await by('amount')), [
      ['5', 1],
      ['5.5', 1],
      [null, 1]
    ])
    t.same(told(await by('openedAt')), [
      ['2025-01-01T12:00:00.000Z', 2],
      ['2025-01-02T12:00:00.000Z', 1]
    ])
    t.same(told(await by('company.createdAt', 'status')).map(([, status, n]) => [status, n]), [
      ['won', 2],
      ['lost', 1]
    ]) // prettier-ignore
  })

  t.test('what is grouped adds up, and the rates are those of the group', async t => {
    const { value, groups } = await funnel(call, pipeline, {
      groupBy: ['company.industry', 'ownerId'],
      currency: 'EUR'
    })
    t.same(told(groups as Json[]), [
      ['steel', ann.id, 1],
      ['toys', ann.id, 1],
      ['steel', null, 1]
    ])
    t.same(
      (groups as Json[]).map(g => [g.label, g.value.wonValue, g.value.winRate.value]),
      [
        ['steel · Ann', '5', 1],
        ['toys · Ann', '0', 0],
        ['steel · –', null, 1]
      ]
    )
    t.equal(value.wonValue, '5')
    t.equal(value.winRate.value, 2 / 3)
    const { reasons } = await funnel(call, pipeline, { groupBy: ['ownerId'] })
    t.equal(reasons['/groups/1/value/wonValue'], 'nothing_valued')
  })

  t.test('a record that the caller may not see is no value', async t => {
    const role = { key: 'own_rep', name: 'Own', scopes: ['deals:read', 'companies:read', 'metrics:read'] }
    await made('roles', { ...role, rowScope: 'own' })
    await done(call('PATCH', `/v1/users/${ann.id}`, { role: 'own_rep' }))
    const token = identity(app).tokenOf(ann as Person)
    const ask = (groupBy: string) =>
      call('GET', `/v1/metrics/funnel?pipelineId=${pipeline.id}&groupBy=${groupBy}`, undefined, bearer(token))
    const own = await ask('company.industry')
    t.equal(own.status, 200)
    t.same(told(own.body.groups as Json[]), [[null, 2]], 'neither company is hers')
    t.same(told((await ask('companyId')).body.groups as Json[]).length, 2, 'the ids are of her own deals')
    t.match(await ask('owner.region'), { status: 403, body: { scope: 'users:read' } })
    t.match(await ask('firstTouch.channel'), { status: 403, body: { scope: 'touches:read' } })
    t.same((await ask('ownerId')).body.groups[0].label, ann.id, 'a name that she may not read')
  })

  t.test('too many', async t => {
    const many = await makePipeline(call, steps, 'Many')
    const operations = Array.from({ length: 1001 }, (_, i) => ({
      op: 'create',
      body: { name: `Deal ${i}`, stageId: many.stage.a }
    }))
    for (let i = 0; i < operations.length; i += 500)
      await done(call('POST', '/v1/deals/batch', { operations: operations.slice(i, i + 500) }))
    const refused = await call('POST', '/v1/metrics/funnel', { pipelineId: many.id, groupBy: ['name'] })
    t.match(refused, { status: 400, body: { errors: [{ pointer: '/groupBy', code: 'too_many' }] } })
    const crossed = { pipelineId: many.id, groupBy: ['status'], interval: 'day', from: '1990-01-01' }
    t.match(await call('POST', '/v1/metrics/funnel', crossed), {
      status: 400,
      body: { errors: [{ code: 'too_many' }] }
    })
  })
})

t.test('the value that groups: the first, the one as of the figure, the one of now', async t => {
  const pipeline = await makePipeline(call, steps, 'At')
  const [cid, dora, eve] = [await user('Cid'), await user('Dora'), await user('Eve')]
  const id = await makeDeal(call, pipeline, [], {
    history: [
      { stageId: pipeline.stage.a, at: day(1), ownerId: cid.id, amount: '1', currency: 'EUR' },
      { stageId: pipeline.stage.b, at: day(3), ownerId: dora.id, amount: '2', currency: 'EUR' }
    ]
  })
  await done(call('PATCH', `/v1/deals/${id}`, { ownerId: eve.id }))
  const owner = async (groupAt: string, asOf: string) =>
    ((await funnel(call, pipeline, { groupBy: ['owner.name'], groupAt, asOf })).groups as Json[])[0]!
      .label as string
  const now = new Date().toISOString()
  t.same(
    [
      await owner('first', day(4)),
      await owner('last', day(2)),
      await owner('last', day(4)),
      await owner('last', now)
    ],
    ['Cid', 'Cid', 'Dora', 'Eve']
  )
  t.equal(await owner('current', day(2)), 'Eve')
  const amounts = await funnel(call, pipeline, { groupBy: ['amount'], groupAt: 'last', asOf: day(4) })
  t.same(told(amounts.groups as Json[]), [['2', 1]])
})

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

t.test('every figure takes every dimension that its entry names, and keeps to its workspace', async t => {
  const statements = new Statements(app)
  const workspaceId = await app.newWorkspace('dimensions')
  const headers = bearer(await app.newKey(['admin'], workspaceId))
  const own = (method: string, path: string, body?: unknown) => call(method, path, body, headers)
  await makeDeal(own, await makePipeline(own, steps), won, { amount: '1', currency: 'EUR' })
  const { data } = await done(own('GET', '/v1/metrics'))
  for (const { name, dimensions, parameters } of data as {
    name: string
    dimensions: string[]
    parameters: Json[]
  }[]) {
    const names = parameters.map(p => p.name as string)
    const interval = names.includes('interval') ? { interval: 'month' } : {}
    // What is shared by a model is shared by one field.
    const [model, most] = names.includes('model') ? [{ model: 'linear' }, 1] : [{}, 2]
    for (let i = 0; i < dimensions.length; i += most) {
      const groupBy = dimensions.slice(i, i + most)
      const found = await own('POST', `/v1/metrics/${name}`, {
        groupBy,
        ...interval,
        ...model,
        explain: true
      })
      t.equal(found.status, 200, `${name} by ${groupBy.join(' and ')}`)
    }
  }
  const { rows } = await execute(
    app.url,
    `select table_name from information_schema.columns where table_schema = 'public' and column_name = 'workspace_id'`
  )
  const tables = rows.map(r => String(r.table_name))
  t.ok(statements.texts.size > 20)
  for (const text of statements.texts) t.same(tablesWithoutWorkspace(text, tables), [], text)
})
