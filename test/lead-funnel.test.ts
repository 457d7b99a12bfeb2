import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { testApp } from './helpers/app.js'
import { near, type Json } from './helpers/expected.js'
import { sender, type Send } from './helpers/http.js'
import { as, identity } from './helpers/identity.js'
import { loaded } from './helpers/reference.js'

const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
const expected = JSON.parse(await readFile(`${folder}/expected.json`, 'utf8')) as Json
const year = { asOf: expected.pipeline.as_of as string, from: '2025-01-01', to: '2026-01-01' }

const app = await testApp(t, { RATE_LIMIT: '0' })
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })

async function made(send: Send, path: string, body: object): Promise<Json> {
  const reply = await send('POST', path, body)
  if (reply.status >= 300) throw new Error(reply.text)
  return reply.body
}

t.test('tenant-a: leads that became customers', async t => {
  const { send } = await loaded(t, loadTenant, folder)
  const figure = (name: string, parameters: object) => made(send, `/v1/metrics/${name}`, parameters)
  const same = (value: Json, wanted: Json, name: string) => {
    const { leads, qualified, with_deal: withDeal, won: customers } = wanted
    t.match(value, { leads, qualified, withDeal, customers }, name)
    near(t, value.toQualified.value, wanted.lead_to_qualified as number, `${name}: to qualified`)
    near(t, value.toCustomer.value, wanted.lead_to_customer as number, `${name}: to customer`)
  }
  const answer = await figure('lead-funnel', { ...year, interval: 'month', groupBy: ['campaignId'] })
  const { overall, by_created_month: months } = expected.lead_funnel_year as Json
  same(answer.value as Json, overall as Json, 'the year')
  const buckets = new Map((answer.buckets as Json[]).map(b => [b.label, b.value as Json]))
  for (const [month, wanted] of Object.entries(months as Json))
    same(buckets.get(month)!, wanted as Json, month)
  const groups = new Map(
    (answer.groups as Json[]).map(g => [g.key.campaignId as string | null, g.value as Json])
  )
  t.equal(groups.get(null)!.leads, expected.leads_without_campaign_year)
  const campaigns = (await send('GET', '/v1/campaigns?limit=200')).body.data as Json[]
  for (const { id, externalIds } of campaigns) {
    const wanted = expected.campaigns_year[externalIds[0].id] as Json
    if (wanted.leads > 0) same(groups.get(id as string)!, wanted, externalIds[0].id as string)
  }
  const explained = await figure('lead-funnel', { ...year, explain: true })
  t.equal(explained.explain.value.customers.ids.length, overall.won)
  const query = new URLSearchParams({ ...year, maturedDays: '30,60' }).toString()
  const { value } = (await send('GET', `/v1/metrics/lead-funnel?${query}`)).body
  t.match(value.matured, [{ days: 30 }, { days: 60 }])
  t.ok(value.matured[0].leads > value.matured[1].leads)
  const graph = await made(send, '/graphql', {
    query: 'query($asOf: DateTime) { metrics { leadFunnel(asOf: $asOf, from: "2025-01-01", to: "2026-01-01", maturedDays: [30, 60]) { value { leads customers matured { days leads wonWithin rate { value } } } } } }',
    variables: { asOf: year.asOf }
  }) // prettier-ignore
  t.match(value, graph.data.metrics.leadFunnel.value, 'the same over GraphQL')
})

interface Desk {
  send: Send
  stage: Record<string, string>
  lead(capturedAt: string, more?: object): Promise<Json>
  deal(openedAt: string, ...history: [stage: string, at: string][]): Promise<string>
  funnel(parameters?: object): Promise<Json>
}

async function newDesk(): Promise<Desk> {
  const send = sender(origin, await app.newKey(['admin'], await app.newWorkspace('leads')))
  const { id: pipelineId } = await made(send, '/v1/pipelines', { name: 'Sales' })
  const stage: Record<string, string> = {}
  for (const [i, kind] of ['open', 'won', 'lost'].entries())
    stage[kind] = (await made(send, '/v1/stages', { pipelineId, name: kind, kind, position: i + 1 }))
      .id as string
  return {
    send,
    stage,
    lead: (capturedAt, more = {}) => made(send, '/v1/leads', { lastName: 'x', capturedAt, ...more }),
    deal: async (openedAt, ...history) => {
      const all = [['open', openedAt] as const, ...history].map(([s, at]) => ({ stageId: stage[s], at }))
      return (await made(send, '/v1/deals', { name: 'x', openedAt, history: all })).id as string
    },
    funnel: (parameters = {}) => made(send, '/v1/metrics/lead-funnel', parameters)
  }
}

const counts = ({ value }: Json) =>
  [value.leads, value.qualified, value.withDeal, value.customers] as number[]

t.test('as of a moment', async t => {
  const { lead, deal, funnel } = await newDesk()
  const dealId = await deal('2025-01-20T00:00:00Z', ['won', '2025-02-10T00:00:00Z'], ['open', '2025-03-05T00:00:00Z'], ['won', '2025-03-20T00:00:00Z']) // prettier-ignore
  await lead('2025-01-01T00:00:00Z', { status: 'qualified', qualifiedAt: '2025-01-15T00:00:00Z', dealId })
  await lead('2025-02-01T00:00:00Z', { status: 'new' })
  const at = async (asOf: string) => counts(await funnel({ asOf }))
  t.same(await at('2024-12-31T00:00:00Z'), [0, 0, 0, 0])
  t.same(await at('2025-01-10T00:00:00Z'), [1, 0, 0, 0])
  t.same(await at('2025-01-16T00:00:00Z'), [1, 1, 0, 0])
  t.same(await at('2025-02-01T00:00:00Z'), [2, 1, 1, 0])
  t.same(await at('2025-02-10T00:00:00Z'), [2, 1, 1, 1])
  t.same(await at('2025-03-10T00:00:00Z'), [2, 1, 1, 0], 'reopened')
  t.same(await at('2025-03-20T00:00:00Z'), [2, 1, 1, 1])
  const { value } = await funnel({ asOf: '2025-04-01T00:00:00Z', maturedDays: [45, 78, 60] })
  t.same(value.matured.map((m: Json) => [m.days, m.leads, m.wonWithin]), [[45, 2, 0], [60, 1, 0], [78, 1, 1]]) // prettier-ignore
  const empty = await funnel({ asOf: '2020-01-01T00:00:00Z' })
  t.match(empty, { value: { toCustomer: { value: null } }, reasons: { '/value/toCustomer': 'no_leads' } })
})

t.test('a lead that was qualified again was qualified before', async t => {
  const { send, lead, funnel } = await newDesk()
  const { id } = await lead('2025-01-01T00:00:00Z', {
    status: 'qualified',
    qualifiedAt: '2025-01-15T00:00:00Z'
  })
  const asOf = '2025-02-01T00:00:00Z'
  const before = await funnel({ asOf })
  for (const status of ['unqualified', 'working', 'qualified'])
    t.equal((await send('PATCH', `/v1/leads/${id as string}`, { status })).status, 200)
  t.same((await funnel({ asOf })).value, before.value, 'what comes later changes no past figure')
  t.same(counts(await funnel({ asOf: '2025-01-10T00:00:00Z' })), [1, 0, 0, 0])
})

t.test('a flow counts what happened in the period', async t => {
  const { lead, deal, funnel, send } = await newDesk()
  for (const day of ['05', '06']) {
    const dealId = await deal(`2025-01-${day}T00:00:00Z`, ['won', `2025-02-${day}T00:00:00Z`])
    await lead('2025-01-01T00:00:00Z', { dealId })
  }
  await lead('2025-02-01T00:00:00Z')
  const asOf = '2025-04-01T00:00:00Z'
  const february = { from: '2025-02-01', to: '2025-03-01', timeZone: 'UTC', asOf }
  t.same(counts(await funnel(february)), [1, 0, 0, 0])
  const flow = await funnel({ ...february, flow: true })
  t.same(counts(flow), [1, 0, 0, 2])
  t.match(flow, { value: { toCustomer: { value: 2, low: null, high: null } }, warnings: [{ code: 'flow' }] })
  const months = await funnel({ asOf, timeZone: 'UTC', flow: true, interval: 'month' })
  t.same((months.buckets as Json[]).slice(0, 2).map(counts), [[2, 0, 2, 0], [1, 0, 0, 2]]) // prettier-ignore
  const both = await send('POST', '/v1/metrics/lead-funnel', { flow: true, maturedDays: [3] })
  t.match(both, { status: 400, body: { errors: [{ pointer: '/maturedDays' }] } })
})

const leadsSeen = async (headers?: Record<string, string>) => {
  const { body } = await app.call('GET', '/v1/metrics/lead-funnel', undefined, headers)
  return body.value.leads as number
}

t.test('whose leads', async (t: Test) => {
  const { newUser, tokenOf } = identity(app)
  const rep = await newUser('rep')
  for (const ownerId of [rep.id, null]) await app.call('POST', '/v1/leads', { lastName: 'x', ownerId })
  t.same([await leadsSeen(), await leadsSeen(as(tokenOf(rep)))], [2, 1])
})
