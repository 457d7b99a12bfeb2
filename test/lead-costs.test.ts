import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { testApp } from './helpers/app.js'
import { edgeCase, near, type Json } from './helpers/expected.js'
import { sender, type Send } from './helpers/http.js'
import { loaded } from './helpers/reference.js'

const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
const expected = JSON.parse(await readFile(`${folder}/expected.json`, 'utf8')) as Json
const year = { asOf: expected.pipeline.as_of as string, from: '2025-01-01', to: '2026-01-01' }

const app = await testApp(t, { RATE_LIMIT: '0' })
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })

const newSender = async (): Promise<Send> =>
  sender(origin, await app.newKey(['admin'], await app.newWorkspace('leads')))

async function made(send: Send, path: string, body: object): Promise<Json> {
  const reply = await send('POST', path, body)
  if (reply.status >= 300) throw new Error(reply.text)
  return reply.body
}

t.test('tenant-a', async t => {
  const { send } = await loaded(t, loadTenant, folder)
  const figure = (name: string, parameters: object) => made(send, `/v1/metrics/${name}`, parameters)

  await t.test('what leads cost', async t => {
    const answer = await figure('cost-per-lead', { ...year, groupBy: ['campaignId'], interval: 'month' })
    const { total_cost: cost, cost_per_lead_blended: perLead, by_month: months } = expected.cac_year as Json
    near(t, answer.value.cost, cost as number, 'cost')
    near(t, answer.value.costPerLead, perLead as number, 'for each lead')
    const campaigns = (await send('GET', '/v1/campaigns?limit=200')).body.data as Json[]
    const groups = new Map(
      (answer.groups as Json[]).map(g => [g.key.campaignId as string | null, g.value as Json])
    )
    for (const { id, externalIds } of campaigns) {
      const name = externalIds[0].id as string
      const wanted = expected.campaigns_year[name] as Json
      const found = groups.get(id as string)!
      t.match(found, { leads: wanted.leads, qualified: wanted.qualified }, name)
      near(t, found.cost, wanted.cost as number | null, `${name}: cost`)
      near(t, found.costPerLead, wanted.cost_per_lead as number | null, `${name}: per lead`)
      near(
        t,
        found.costPerQualifiedLead,
        wanted.cost_per_qualified as number | null,
        `${name}: per qualified`
      )
    }
    near(t, answer.value.spendWithoutLeads, expected.campaigns_year.c12.cost as number, 'without leads')
    t.match(groups.get(null), { leads: expected.leads_without_campaign_year, cost: null, costPerLead: null })
    const buckets = new Map((answer.buckets as Json[]).map(b => [b.label, b.value as Json]))
    for (const [month, wanted] of Object.entries(months as Json))
      near(t, buckets.get(month)!.cost, wanted.cost as number, month)
    const byChannel = await figure('cost-per-lead', { ...year, groupBy: ['campaign.channel'] })
    const channels = new Map((byChannel.groups as Json[]).map(g => [g.label, g.value as Json]))
    for (const [channel, { cost: wanted }] of Object.entries<Json>(
      expected.attribution_year.channel.roi.first
    )) {
      if (channel !== 'direct') near(t, channels.get(channel)!.cost, wanted as number | null, channel)
    }
    const query = new URLSearchParams({ ...year, groupBy: 'campaign.channel' }).toString()
    t.same((await send('GET', `/v1/metrics/cost-per-lead?${query}`)).body.groups, byChannel.groups)
    const one = campaigns.find(c => c.externalIds[0].id === 'c03')!.id as string
    const picked = await figure('cost-per-lead', { ...year, filter: { campaignId: { eq: one } } })
    t.match(picked, { value: groups.get(one), warnings: [] })
    const graph = await made(send, '/graphql', {
      query: 'query($asOf: DateTime, $filter: JSON) { metrics { costPerLead(asOf: $asOf, from: "2025-01-01", to: "2026-01-01", filter: $filter) { value { cost leads costPerLead spendWithoutLeads } } } }',
      variables: { asOf: year.asOf, filter: { campaignId: { eq: one } } }
    }) // prettier-ignore
    t.match(picked.value, graph.data.metrics.costPerLead.value)
  })

  await t.test('what new customers cost', async t => {
    const wanted = expected.cac_year as Json
    const answer = await figure('acquisition-cost', {
      ...year,
      interval: 'month',
      ltvMethod: 'historic',
      explain: true
    })
    const { value } = answer
    t.equal(value.newCustomers, wanted.new_customers)
    near(t, value.cost, wanted.total_cost as number, 'cost')
    near(t, value.cac, wanted.blended_cac as number, 'cac')
    t.equal(answer.explain.value.newCustomers.ids.length, wanted.new_customers)
    const buckets = new Map((answer.buckets as Json[]).map(b => [b.label, b.value as Json]))
    for (const [month, of] of Object.entries<Json>(wanted.by_month as Json)) {
      const found = buckets.get(month)!
      t.equal(found.newCustomers, of.new_customers, month)
      near(t, found.cost, of.cost as number, `${month}: cost`)
      near(t, found.cac, of.cac as number | null, `${month}: cac`)
    }
    const simple = (await figure('lifetime-value', { asOf: year.asOf, method: 'simple' })).value as Json
    const historic = (await figure('lifetime-value', { asOf: year.asOf })).value as Json
    const monthly = Number(simple.averageOrderValue) * (simple.ordersPerMonth as number)
    near(t, value.monthlyMarginPerCustomer, monthly, 'monthly margin')
    near(t, value.paybackMonths, Number(value.cac) / monthly, 'payback')
    t.match(value, { ltv: historic.mean, ltvMethod: 'historic' })
    near(t, value.ltvToCac, Number(historic.mean) / Number(value.cac), 'ltv to cac')
    const unnamed = await figure('acquisition-cost', { ...year })
    t.match(unnamed, {
      value: { ltv: null, ltvToCac: null, ltvMethod: null },
      reasons: { '/value/ltv': 'no_method_named' }
    })
    const lagged = await figure('acquisition-cost', {
      ...year,
      from: '2025-02-01',
      to: '2025-03-01',
      lagDays: 31
    })
    near(t, lagged.value.cost, Number((await figure('cost-per-lead', { ...year, from: '2025-01-01', to: '2025-01-29' })).value.cost), 'the lag') // prettier-ignore
    t.equal(lagged.value.newCustomers, wanted.by_month['2025-02'].new_customers)
    const orders = await figure('acquisition-cost', { ...year, new: 'order' })
    t.equal(orders.value.newCustomers, expected.retention.customers)
    const graph = await made(send, '/graphql', {
      query: 'query($asOf: DateTime) { metrics { acquisitionCost(asOf: $asOf, from: "2025-01-01", to: "2026-01-01", ltvMethod: HISTORIC) { value { cost newCustomers cac paybackMonths ltv } } } }',
      variables: { asOf: year.asOf }
    }) // prettier-ignore
    t.match(value, graph.data.metrics.acquisitionCost.value)
  })

  await t.test('new customers credited to channels', async t => {
    const { roi } = expected.attribution_year.channel as Json
    const [low, high] = [expected.attribution_year.channel.attributed_deals, expected.cac_year.new_customers] as number[] // prettier-ignore
    for (const model of ['linear', 'first', 'markov'] as const) {
      const { groups, value } = await figure('acquisition-cost', { ...year, interval: 'quarter', groupBy: ['channel'], model }) // prettier-ignore
      const all = (groups as Json[]).reduce((n, g) => n + (g.value.newCustomers as number), 0)
      near(t, all, high!, `${model}: the customers add up`)
      t.equal(value.newCustomers, high)
      const touched = (groups as Json[]).filter(g => g.key.channel !== null)
      const credited = touched.reduce((n, g) => n + (g.value.newCustomers as number), 0)
      t.ok(credited <= low! + 1e-9, `${credited} of customers with touches`)
      for (const { key, value: found, buckets } of groups as Json[]) {
        if (key.channel === null) continue
        near(
          t,
          found.cost,
          (roi.first[key.channel] as Json).cost as number | null,
          `${key.channel as string}: cost`
        )
        if (found.cost !== null && found.newCustomers > 0)
          near(t, found.cac, Number(found.cost) / (found.newCustomers as number), 'cac')
        const sum = (buckets as Json[]).reduce((n, b) => n + Number(b.value.cost ?? 0), 0)
        near(t, sum, Number(found.cost ?? 0), 'its quarters')
      }
    }
    const wrong: [object, string][] = [
      [{ groupBy: ['channel'] }, '/model'],
      [{ model: 'linear' }, '/model'],
      [{ groupBy: ['ownerId'], model: 'linear' }, '/groupBy'],
      [{ groupBy: ['channel'], model: 'linear', new: 'order' }, '/groupBy']
    ]
    for (const [body, pointer] of wrong) {
      const refused = await send('POST', '/v1/metrics/acquisition-cost', body)
      t.match(refused, { status: 400, body: { errors: [{ pointer }] } }, JSON.stringify(body))
    }
  })
})

t.test('costs of given rows (E14)', async t => {
  const send = await newSender()
  const { given, expect } = edgeCase('E14')
  const rows = (given.campaigns as Json[]).map(c => ({
    key: c.id as string,
    cost: c.cost === null ? null : String(c.cost),
    leads: c.leads as number,
    newCustomers: c.new_customers as number
  }))
  const { value, groups, reasons } = await made(send, '/v1/metrics/cost-per-lead', { data: { rows } })
  near(t, value.costPerLead, expect.blended_cost_per_lead as number, 'blended')
  near(t, value.spendWithoutLeads, expect.spend_without_leads as number, 'without leads')
  for (const { key, value } of groups as Json[])
    near(t, value.costPerLead, expect.cost_per_lead[key.key] as number | null, key.key as string)
  t.match(reasons, {
    '/groups/1/value/costPerLead': 'no_cost_recorded',
    '/groups/2/value/costPerLead': 'no_leads',
    '/value/qualified': 'not_given',
    '/value/costPerQualifiedLead': 'not_given'
  })
  t.match(value, { qualified: null, costPerQualifiedLead: null })
  const told = rows.slice(0, 2).map((row, i) => ({ ...row, qualified: i * 5 }))
  const known = await made(send, '/v1/metrics/cost-per-lead', { data: { rows: told } })
  t.match(known.value, { qualified: 5, costPerQualifiedLead: '200' })
  t.match(known.groups, [
    { value: { qualified: 0, costPerQualifiedLead: null } },
    { value: { qualified: 5 } }
  ])
  t.equal(known.reasons['/groups/0/value/costPerQualifiedLead'], 'no_qualified_leads')
})

t.test('costs of spans, of no campaign, and in no known currency', async t => {
  const send = await newSender()
  const cost = (more: object) => made(send, '/v1/costs', { currency: 'EUR', ...more })
  const asOf = '2025-02-10T12:00:00Z'
  const of = async (parameters: object = {}) => {
    const { value } = await made(send, '/v1/metrics/cost-per-lead', { asOf, timeZone: 'UTC', ...parameters })
    return value as Json
  }
  t.match(await of(), { cost: null, leads: 0, costPerLead: null, spendWithoutLeads: null })
  await cost({ date: '2025-01-05', amount: '0' })
  t.match(await of(), { cost: '0', costPerLead: null })
  await made(send, '/v1/leads', { lastName: 'x', capturedAt: '2025-02-01T00:00:00Z' })
  t.match(await of(), { cost: '0', costPerLead: '0', spendWithoutLeads: '0' })
  await cost({ from: '2025-01-30', to: '2025-02-01', amount: '100' })
  t.match(await of(), { cost: '100', costPerLead: '100' }, 'thirds add up')
  t.match(await of({ from: '2025-02-01' }), { cost: '33.3333333333' })
  await cost({ from: '2025-02-10', to: '2025-02-13', amount: '8', category: 'sales' })
  t.match(await of(), { cost: '102' }, 'a day counts once it has begun')
  t.match(await of({ include: 'marketing' }), { cost: '100' })
  const { id: campaignId } = await made(send, '/v1/campaigns', { name: 'Nobody came', channel: 'fair' })
  await cost({ date: '2025-02-02', amount: '50', campaignId })
  t.match(await of(), { cost: '152', costPerLead: '152', spendWithoutLeads: '50' })
  await cost({ date: '2025-02-02', amount: '9', currency: 'XTS' })
  const answer = await made(send, '/v1/metrics/cost-per-lead', { asOf, filter: { lastName: { eq: 'x' } } })
  t.match(answer, { value: { cost: '152', leads: 1 }, excluded: { noFxRate: 1 } })
  t.same(answer.warnings.map((w: Json) => w.code), ['no_fx_rate', 'cost_of_all']) // prettier-ignore
  const refused = await send('POST', '/v1/metrics/cost-per-lead', { groupBy: ['ownerId'] })
  t.match(refused, { status: 400, body: { errors: [{ pointer: '/groupBy' }] } })
})

t.test('an empty workspace', async t => {
  const send = await newSender()
  for (const name of ['lead-funnel', 'cost-per-lead', 'acquisition-cost', 'retention', 'churn']) {
    const cut = name === 'retention' ? {} : { interval: 'month' }
    const { value, reasons } = await made(send, `/v1/metrics/${name}`, {
      ...cut,
      from: '2025-01-01',
      to: '2025-03-01'
    })
    t.type(value, 'object', name)
    t.ok(Object.keys(reasons as Json).length > 0, `${name} says why numbers are null`)
    t.notMatch(JSON.stringify(value), /NaN|Infinity/)
  }
})

t.test('what given customers cost (E14)', async t => {
  const send = await newSender()
  const { given, expect } = edgeCase('E14')
  const rows = (given.campaigns as Json[]).map(c => ({
    key: c.id as string,
    cost: c.cost === null ? null : String(c.cost),
    newCustomers: c.new_customers as number
  }))
  const { value, groups } = await made(send, '/v1/metrics/acquisition-cost', { data: { rows } })
  near(t, value.cac, expect.blended_cac as number, 'blended')
  t.equal(groups.length, rows.length)
  for (const { key, value: found } of groups as Json[])
    near(t, found.cac, expect.cac[key.key] as number | null, key.key as string)
})
