import t from 'tap'
import { Statements, tablesWithoutWorkspace } from './conformance/statements.js'
import { testApp } from './helpers/app.js'
import { execute } from './helpers/database.js'
import { done, funnel, makeDeal, makePipeline, type Visit } from './helpers/funnel.js'
import { as, identity, type Person } from './helpers/identity.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

const app = await testApp(t)
const { call } = app
const day = (n: number) => `2025-01-${String(n).padStart(2, '0')}T12:00:00Z`
const won: Visit[] = [
  ['a', day(1)],
  ['won', day(5)]
]
const lost: Visit[] = [
  ['a', day(2)],
  ['lost', day(6)]
]
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
      ['open', 2],
      ['open', 1]
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
      call('GET', `/v1/metrics/funnel?pipelineId=${pipeline.id}&groupBy=${groupBy}`, undefined, as(token))
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

t.test('every figure takes every dimension that its entry names, and keeps to its workspace', async t => {
  const statements = new Statements(app)
  const workspaceId = await app.newWorkspace('dimensions')
  const headers = as(await app.newKey(['admin'], workspaceId))
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
