import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Counts, Loading, Upsert } from './client.js'
import { readCsv } from './csv.js'
import { loadPipeline, type NewPipeline } from './pipeline.js'

const source = 'tenant-a'

interface Tenant {
  time_zone: string
  base_currency: string
  stages: { key: string; type: 'open' | 'won' | 'lost'; probability: number }[]
}

type Campaign = Record<'campaign_id' | 'name' | 'channel', string>
type Cost = Record<'campaign_id' | 'date' | 'amount' | 'currency', string>
type Rate = Record<'date' | 'currency' | 'rate_to_base', string>
type Lead = Record<'lead_id' | 'created_at' | 'qualified_at' | 'status' | 'source_campaign_id', string>
type Touch = Record<'lead_id' | 'at' | 'channel' | 'campaign_id', string>
type Deal = Record<
  | 'deal_id'
  | 'lead_id'
  | 'customer_id'
  | 'owner'
  | 'created_at'
  | 'amount'
  | 'currency'
  | 'expected_close_date',
  string
>
type StageEvent = Record<'deal_id' | 'seq' | 'at' | 'stage', string>
type Order = Record<'order_id' | 'customer_id' | 'at' | 'amount' | 'currency', string>

type Ids = Map<string, string>

const orNull = (text: string) => (text === '' ? null : text)

/** Our id of something of the data set; null for nothing. */
function idOf(ids: Ids, name: string): string | null {
  if (name === '') return null
  const id = ids.get(name)
  if (id === undefined) throw new Error(`${name} is in no table of the data set.`)
  return id
}

function grouped<R>(rows: readonly R[], key: (row: R) => string): Map<string, R[]> {
  const groups = new Map<string, R[]>()
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row])
  return groups
}

const pipelineOf = (tenant: Tenant): NewPipeline => ({
  externalId: 'sales',
  name: 'Sales',
  stages: tenant.stages.map(({ key, type, probability }) => ({ name: key, kind: type, probability }))
})

const toUser = (owner: string): Upsert => ({
  externalId: owner,
  body: { name: owner, email: `${owner}@example.com`, role: 'rep' }
})

const toCampaign = ({ campaign_id, name, channel }: Campaign): Upsert => ({
  externalId: campaign_id,
  body: { name, channel }
})

// Rows of costs have no id of their own; their place in the file stands for one.
const toCost = ({ campaign_id, date, amount, currency }: Cost, place: number, campaigns: Ids): Upsert => ({
  externalId: String(place + 1),
  body: { campaignId: idOf(campaigns, campaign_id), date, amount, currency }
})

const toRate = ({ date, currency, rate_to_base }: Rate): Upsert => ({
  externalId: `${currency} ${date}`,
  body: { date, currency, rateToBase: rate_to_base }
})

const toCompany = (customer: string): Upsert => ({
  externalId: customer,
  body: { name: `Customer ${customer}` }
})

interface DealParts {
  companies: Ids
  users: Ids
  events: Map<string, StageEvent[]>
  stageId(name: string): string
}

// Entries of one moment keep the order of their seq.
const toDeal = (deal: Deal, { companies, users, events, stageId }: DealParts): Upsert => ({
  externalId: deal.deal_id,
  body: {
    name: `Deal ${deal.deal_id}`,
    companyId: idOf(companies, deal.customer_id),
    ownerId: idOf(users, deal.owner),
    openedAt: deal.created_at,
    amount: orNull(deal.amount),
    currency: deal.currency,
    expectedCloseDate: orNull(deal.expected_close_date),
    history: events
      .get(deal.deal_id)!
      .sort((a, b) => Number(a.seq) - Number(b.seq))
      .map(({ at, stage }) => ({ at, stageId: stageId(stage) }))
  }
})

const statuses: Record<string, string> = { disqualified: 'unqualified' }

// What a lead became is known, when it was converted is not: it keeps the status of the file.
function toLead(lead: Lead, campaigns: Ids, deal: Deal | undefined, deals: Ids, companies: Ids): Upsert {
  return {
    externalId: lead.lead_id,
    body: {
      lastName: lead.lead_id,
      capturedAt: lead.created_at,
      status: statuses[lead.status] ?? lead.status,
      campaignId: idOf(campaigns, lead.source_campaign_id),
      qualifiedAt: orNull(lead.qualified_at),
      ...(deal && { dealId: idOf(deals, deal.deal_id), companyId: idOf(companies, deal.customer_id) })
    }
  }
}

const toTouches = (touches: readonly Touch[], leads: Ids, campaigns: Ids): Upsert[] =>
  touches.map(({ lead_id, at, channel, campaign_id }, seq) => ({
    externalId: `${lead_id} ${seq}`,
    body: {
      leadId: idOf(leads, lead_id),
      campaignId: idOf(campaigns, campaign_id),
      occurredAt: at,
      channel,
      seq
    }
  }))

const toOrder = (order: Order, companies: Ids): Upsert => ({
  externalId: order.order_id,
  body: {
    companyId: idOf(companies, order.customer_id),
    orderedAt: order.at,
    amount: orNull(order.amount),
    currency: order.currency
  }
})

interface Tables {
  tenant: Tenant
  campaigns: Campaign[]
  costs: Cost[]
  rates: Rate[]
  leads: Lead[]
  touches: Touch[]
  deals: Deal[]
  events: StageEvent[]
  orders: Order[]
}

const readTables = async (folder: string): Promise<Tables> => ({
  tenant: JSON.parse(await readFile(join(folder, 'tenant.json'), 'utf8')) as Tenant,
  campaigns: await readCsv(folder, 'campaigns.csv'),
  costs: await readCsv(folder, 'campaign_costs.csv'),
  rates: await readCsv(folder, 'fx_rates.csv'),
  leads: await readCsv(folder, 'leads.csv'),
  touches: await readCsv(folder, 'touches.csv'),
  deals: await readCsv(folder, 'deals.csv'),
  events: await readCsv(folder, 'stage_events.csv'),
  orders: await readCsv(folder, 'orders.csv')
})

const names = (...lists: string[][]) => [...new Set(lists.flat())].sort()

/**
 * Loads a whole small tenant into a workspace of its own: its settings, users, pipeline, campaigns with costs, exchange
 * rates, customers as companies, deals with their histories, leads with their touches, and orders.
 */
export async function loadTenant({ client, tell }: Loading, folder: string): Promise<Record<string, Counts>> {
  const tables = await readTables(folder)
  const { tenant, deals, orders, leads } = tables
  const counts: Record<string, Counts> = {}
  const upsert = async (resource: string, rows: readonly Upsert[]): Promise<Ids> => {
    tell(`${rows.length} ${resource} …`)
    const done = await client.upsert(resource, source, rows)
    counts[resource] = done.counts
    return done.ids
  }
  await client.call('PATCH', '/v1/workspace', {
    timeZone: tenant.time_zone,
    baseCurrency: tenant.base_currency
  })
  const users = await upsert('users', names(deals.map(d => d.owner)).map(toUser))
  const { stageId, counts: pipelines } = await loadPipeline({ client, tell }, source, pipelineOf(tenant))
  const campaigns = await upsert('campaigns', tables.campaigns.map(toCampaign))
  await upsert(
    'costs',
    tables.costs.map((cost, i) => toCost(cost, i, campaigns))
  )
  await upsert('exchange-rates', tables.rates.map(toRate))
  const customers = names(
    deals.map(d => d.customer_id),
    orders.map(o => o.customer_id)
  )
  const companies = await upsert('companies', customers.map(toCompany))
  const events = grouped(tables.events, e => e.deal_id)
  const dealIds = await upsert(
    'deals',
    deals.map(deal => toDeal(deal, { companies, users, events, stageId }))
  )
  const dealOf = new Map(deals.map(deal => [deal.lead_id, deal]))
  const leadIds = await upsert(
    'leads',
    leads.map(lead => toLead(lead, campaigns, dealOf.get(lead.lead_id), dealIds, companies))
  )
  const touches = [...grouped(tables.touches, touch => touch.lead_id).values()]
  await upsert(
    'touches',
    touches.flatMap(of => toTouches(of, leadIds, campaigns))
  )
  await upsert(
    'orders',
    orders.map(order => toOrder(order, companies))
  )
  return { ...counts, pipelines }
}
