import t from 'tap'
import { testApp } from './helpers/app.js'
import type { Json } from './helpers/expected.js'
import { done } from './helpers/funnel.js'
import { sender } from './helpers/http.js'
import { figure } from './helpers/reference.js'
import { workspaceOf } from './helpers/workspace.js'

const app = await testApp(t)
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })

const attribution = (parameters: object, key: string) =>
  figure(sender(origin, key), 'attribution', parameters)

t.test('an empty workspace', async t => {
  const key = await app.newKey(['admin'], await app.newWorkspace('empty'))
  const { value } = await attribution({}, key)
  t.match(value, { conversions: 0, amount: '0', nulls: 0, censored: 0 })
  t.same(
    (value.models as Json[]).map(m => m.credits),
    (value.models as Json[]).map(() => [])
  )
})

t.test('whose touches, and whose deals', async t => {
  const workspaceId = await app.newWorkspace('small')
  const key = await app.newKey(['admin'], workspaceId)
  const small = sender(origin, key)
  const make = async (path: string, body: object): Promise<Json> => {
    const { status, body: made, text } = await small('POST', `/v1/${path}`, body)
    if (status !== 201) throw new Error(text)
    return made
  }
  const pipeline = await make('pipelines', { name: 'Sales' })
  const stage = (name: string, kind: string, position: number) =>
    make('stages', { pipelineId: pipeline.id, name, kind, position })
  const [open, won] = [await stage('open', 'open', 1), await stage('won', 'won', 2)]
  const people = await Promise.all(
    ['Ann', 'Ben'].map(name =>
      make('users', { name, email: `${name.toLowerCase()}@example.com`, role: 'rep' })
    )
  )
  const contact = await make('contacts', { firstName: 'Cleo', ownerId: people[0]!.id })
  const deal = (ownerId: string, amount: string, more: object = {}) =>
    make('deals', {
      name: amount,
      ownerId,
      amount,
      currency: 'EUR',
      history: [
        { stageId: open.id, at: '2025-01-05T00:00:00Z' },
        { stageId: won.id, at: '2025-01-20T00:00:00Z' }
      ],
      ...more
    })
  const first = await deal(people[0]!.id as string, '100', { primaryContactId: contact.id })
  await deal(people[1]!.id as string, '40')
  const lead = await make('leads', {
    lastName: 'L',
    ownerId: people[0]!.id,
    dealId: first.id,
    capturedAt: '2025-01-03T00:00:00Z'
  })
  const touch = (day: string, channel: string, whose: object) =>
    make('touches', { channel, occurredAt: `2025-01-${day}T00:00:00Z`, ...whose })
  await touch('02', 'tv', { leadId: lead.id })
  await touch('04', 'fair', { contactId: contact.id })
  await touch('10', 'Direct', { leadId: lead.id })
  await touch('21', 'late', { leadId: lead.id })

  const keysOf = async (parameters: object, by = key) => {
    const { value } = await attribution({ models: ['linear'], ...parameters }, by)
    return [value.amount, (value.models[0].credits as Json[]).map(c => [c.key, c.value])]
  }
  t.same(await keysOf({}), [
    '140',
    [
      ['Direct', '50'],
      ['tv', '50']
    ]
  ])
  t.same(
    await keysOf({ scope: 'deal' }),
    [
      '140',
      [
        ['Direct', '33.3333333333'],
        ['fair', '33.3333333333'],
        ['tv', '33.3333333334']
      ]
    ],
    'of everybody in the deal'
  )
  t.same(await keysOf({ models: ['last_non_direct'] }), ['140', [['tv', '100']]])
  t.same(
    await keysOf({ models: ['w_shaped'] }),
    [
      '140',
      [
        ['Direct', '10'],
        ['tv', '90']
      ]
    ],
    'before the lead: tv; before the deal: tv'
  )
  t.same(await keysOf({ filter: { amount: { lt: '50' } } }), ['40', []])
  t.same(await keysOf({ asOf: '2025-01-19T00:00:00Z' }), ['0', []], 'not won yet')
  t.same((await attribution({ asOf: '2025-01-19T00:00:00Z' }, key)).value.censored, 2)

  const role = {
    key: 'own_rep',
    name: 'Own',
    scopes: ['deals:read', 'leads:read', 'touches:read', 'costs:read', 'metrics:read']
  }
  await make('roles', { ...role, rowScope: 'own' })
  for (const person of people) await small('PATCH', `/v1/users/${person.id}`, { role: 'own_rep' })
  const bens = await make('api-keys', { name: 'ben', userId: people[1]!.id, scopes: ['admin'] })
  t.same(await keysOf({}, bens.key as string), ['40', []], 'of own deals alone')
  const poor = await app.newKey(['metrics:read', 'deals:read'], workspaceId)
  t.match(await sender(origin, poor)('POST', '/v1/metrics/attribution', {}), { status: 403 })
})

t.test('what becomes of a lead later does not change what had become of it', async t => {
  const { request } = await workspaceOf(app, 'again')
  const make = (path: string, body: object) => done(request('POST', `/v1/${path}`, body))
  const valueOf = async (name: string, parameters: object) =>
    (await make(`metrics/${name}`, parameters)).value as Json
  const { id: pipelineId } = await make('pipelines', { name: 'Sales' })
  const { id: stageId } = await make('stages', { pipelineId, name: 'open', kind: 'open', position: 1 })
  const lead = async (unqualifiedAt: string) =>
    (await make('leads', { lastName: 'x', capturedAt: '2025-01-01T00:00:00Z', status: 'unqualified', unqualifiedAt })).id as string // prettier-ignore
  const again = await lead('2025-01-10T00:00:00Z')
  const converted = await lead('2025-01-10T00:00:00Z')
  await lead('2025-03-01T00:00:00Z')
  const history = [{ stageId: stageId as string, at: '2025-01-05T00:00:00Z' }]
  const { id: dealId } = await make('deals', { name: 'Deal', openedAt: '2025-01-05T00:00:00Z', history })
  const at = { asOf: '2025-02-01T00:00:00Z' }
  const before = await valueOf('attribution', at)
  t.match(before, { nulls: 2, censored: 2 })
  for (const [id, statuses] of [
    [again, ['working', 'unqualified']],
    [converted, ['working']]
  ] as const)
    // prettier-ignore
    for (const status of statuses) await done(request('PATCH', `/v1/leads/${id}`, { status }))
  await make(`leads/${converted}/convert`, { deal: { id: dealId as string } })
  t.same(await valueOf('attribution', at), before)
  t.match(await valueOf('attribution', {}), { nulls: 2, censored: 1 }, 'today the one is its deal')
  t.match(await valueOf('lead-funnel', at), { withDeal: 0 })
  t.match(await valueOf('lead-funnel', {}), { withDeal: 1 })
})
