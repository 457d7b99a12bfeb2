import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, makeDeal, makePipeline } from './helpers/funnel.js'
import { as, identity } from './helpers/identity.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

const app = await testApp(t, { RATE_LIMIT: '0' })
const { call, newKey, newWorkspace } = app
const { newUser, tokenOf } = identity(app)
const asOf = '2025-06-01T00:00:00.000Z'
const period = { from: '2025-01-01', to: '2025-04-01', asOf }

const own: Record<string, object[]> = {
  'lead-score': [{ method: 'rules', scores: true }],
  'acquisition-cost': [{ ltvMethod: 'historic' }],
  'lifetime-value': [
    {},
    { method: 'simple' },
    { method: 'bg_nbd', customers: true },
    { basis: 'subscriptions', customers: true },
    { basis: 'subscriptions', method: 'simple' }
  ]
}
const figures = ((await call('GET', '/v1/metrics')).body.data as Json[]).flatMap(m =>
  (own[m.name as string] ?? [{}]).map(parameters => ({
    name: m.name as string,
    parameters,
    takes: new Set((m.parameters as Json[]).map(p => p.name as string))
  }))
)

const made = (plural: string, body: object) => done(call('POST', `/v1/${plural}`, body))

/** What every figure answers, without the moment of asking. */
async function answers(headers: Record<string, string>): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {}
  for (const { name, parameters, takes } of figures) {
    const given = {
      ...period,
      ...parameters,
      explain: true,
      ...(takes.has('interval') && { interval: 'month' })
    }
    const { status, body } = await call('POST', `/v1/metrics/${name}`, given, headers)
    const { knownAt: _knownAt, instance: _instance, requestId: _requestId, ...rest } = body
    all[`${name} ${JSON.stringify(parameters)}`] = { status, ...rest }
  }
  return all
}

const pipeline = await makePipeline(call, ['New', 'Offer', 'won:won', 'lost:lost'])

t.test('who may see no record learns nothing of those of others from any figure', async t => {
  await made('scoring-rules', {
    field: 'industry',
    condition: { eq: 'steel' },
    points: 5,
    group: 'fit'
  })
  const [rep, boss] = [await newUser('rep'), await newUser('admin')]
  const limited = as(tokenOf(rep))
  const stranger = as(await newKey(['admin'], await newWorkspace('strangers')))
  const [before, beforeThere] = [await answers(limited), await answers(stranger)]
  t.same(
    Object.values(before).map(a => (a as Json).status as number),
    figures.map(() => 200),
    'each is answered'
  )
  t.ok(Object.values(beforeThere).every(a => (a as Json).status === 200))

  const ownerId = boss.id
  const company = await made('companies', { name: 'Acme', ownerId })
  const lead = await made('leads', {
    firstName: 'Ann',
    companyName: 'Acme',
    industry: 'steel',
    capturedAt: '2025-01-03T00:00:00Z',
    ownerId
  })
  await made('touches', { leadId: lead.id, channel: 'email', occurredAt: '2025-01-04T00:00:00Z' })
  for (const end of ['won', 'lost'] as const) {
    const history = [['New', '2025-01-05T00:00:00Z'], [end, '2025-02-05T00:00:00Z']] as const // prettier-ignore
    const fields = { ownerId, companyId: company.id, amount: '50', currency: 'EUR' }
    const dealId = await makeDeal(call, pipeline, history, { ...fields, openedAt: '2025-01-05T00:00:00Z' })
    await made('leads', {
      firstName: end,
      status: 'converted',
      capturedAt: '2025-01-02T00:00:00Z',
      dealId,
      ownerId
    })
  }
  await makeDeal(call, pipeline, [['New', '2025-01-09T00:00:00Z']], {
    ownerId,
    openedAt: '2025-01-09T00:00:00Z',
    expectedCloseDate: '2025-06-20',
    amount: '9',
    currency: 'EUR'
  })
  for (const day of ['2025-01-08', '2025-02-08'])
    await made('orders', { companyId: company.id, ownerId, orderedAt: `${day}T00:00:00Z`, amount: '7', currency: 'EUR' }) // prettier-ignore
  await made('subscriptions', {
    companyId: company.id,
    ownerId,
    plan: 'basic',
    startDate: '2025-01-01',
    endDate: '2025-03-01',
    recurringAmount: '5',
    currency: 'EUR'
  })
  const seen = await answers(as(tokenOf(boss)))
  const unseen = Object.keys(seen).filter(name => JSON.stringify(seen[name]) === JSON.stringify(before[name]))
  t.same(unseen, [], 'who sees all is told something new by each')
  t.same(await answers(limited), before, 'who sees none of it is told the same as before')
  t.same(await answers(stranger), beforeThere, 'as is another workspace')
})

t.test(
  'who sees a lead but not its deal learns from no figure that there is one, and that it was won',
  async t => {
    const [rep, boss] = [await newUser('rep'), await newUser('admin')]
    const limited = as(tokenOf(rep))
    const dealId = await makeDeal(call, pipeline, [['New', '2025-01-05T00:00:00Z']], {
      ownerId: boss.id,
      openedAt: '2025-01-05T00:00:00Z'
    })
    await made('leads', {
      lastName: 'Ann',
      status: 'unqualified',
      capturedAt: '2025-01-03T00:00:00Z',
      unqualifiedAt: '2025-01-20T00:00:00Z',
      dealId,
      ownerId: rep.id
    })
    const before = await answers(limited)
    const attribution = before['attribution {}'] as Json
    t.match(attribution.value, { nulls: 1, censored: 0 })
    await made(`deals/${dealId}/move`, { stageId: pipeline.stage.won, at: '2025-02-05T00:00:00Z' })
    t.same(await answers(limited), before)
  }
)
