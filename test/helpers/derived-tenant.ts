import type { Test } from 'tap'
import { buckets } from './derived.js'
import type { Send } from './http.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

/** What the figures of the small tenant hold and aggregates answer: leads by month and campaign, deals by owner. */
export async function derivedTenant(t: Test, send: Send, expected: Json): Promise<void> {
  const year = { capturedAt: { gte: '2025-01-01T05:00:00Z', lt: '2026-01-01T05:00:00Z' } }
  const reached = [
    { op: 'count', field: 'qualifiedAt', name: 'qualified' },
    { op: 'count', field: 'dealId', name: 'with_deal' }
  ]
  const leads = async (dimension: object) => {
    const by = { ...dimension, name: 'by' }
    const all = await buckets(send, 'leads', { filter: year, groupBy: [by], measures: reached })
    const won = await buckets(send, 'leads', {
      filter: { ...year, deal: { status: { eq: 'won' } } },
      groupBy: [by]
    })
    return all.map(({ group, count, values }) => ({
      by: group.by,
      found: { leads: count, ...values, won: won.find(b => b.group.by === group.by)?.count ?? 0 }
    }))
  }
  const months = await leads({ field: 'capturedAt', grain: 'month' })
  const byMonth = Object.entries<Json>(expected.lead_funnel_year.by_created_month)
  t.equal(months.length, byMonth.length)
  for (const [month, wanted] of byMonth)
    t.match(wanted, months.find(b => b.by === `${month}-01`)!.found, `leads of ${month}`)
  const campaigns = await leads({ field: 'campaign.name' })
  const byCampaign = Object.entries<Json>(expected.campaigns_year)
  const named = await send('GET', '/v1/campaigns?limit=200')
  for (const [id, wanted] of byCampaign) {
    const { name } = (named.body.data as Json[]).find(c => c.externalIds[0].id === id)!
    const found = campaigns.find(b => b.by === name)?.found
    t.match(wanted, found ?? { leads: 0 }, `leads of ${id}`)
  }
  const without = campaigns.find(b => b.by === null)!
  t.equal(without.found.leads, expected.leads_without_campaign_year)
  const deals = await buckets(send, 'deals', {
    groupBy: [{ field: 'owner.name', name: 'owner' }, { field: 'status' }],
    measures: [{ op: 'distinct', field: 'companyId', name: 'customers' }]
  })
  for (const [owner, { outcome }] of Object.entries<Json>(expected.pipeline_by_owner)) {
    const of = deals.filter(b => b.group.owner === owner)
    t.same(Object.fromEntries(of.map(b => [b.group.status, b.count])), outcome, `deals of ${owner}`)
  }
  const [customers] = await buckets(send, 'orders', {
    measures: [{ op: 'distinct', field: 'companyId', name: 'customers' }]
  })
  t.same(
    [customers!.count, customers!.values.customers],
    [expected.retention.orders, expected.retention.customers]
  )
  const costs = await buckets(send, 'costs', {
    filter: { date: { gte: '2025-01-01', lt: '2026-01-01' } },
    groupBy: [{ field: 'currency' }],
    measures: [{ op: 'sum', field: 'amount', name: 'sum' }]
  })
  t.ok(costs.length > 1 && costs.every(b => Number(b.values.sum) > 0), 'costs stay apart by currency')
}
