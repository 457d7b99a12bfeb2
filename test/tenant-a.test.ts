import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Client, type Counts } from '../scripts/load/client.js'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { testApp } from './helpers/app.js'
import { execute } from './helpers/database.js'
import { derivedTenant } from './helpers/derived-tenant.js'
import { sameFunnel, sameMonths, sameOrder } from './helpers/funnel-expected.js'
import { sender } from './helpers/http.js'
import { closeTo, figure } from './helpers/reference.js'
import { runLoad } from './helpers/run-load.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
const expected = JSON.parse(await readFile(`${folder}/expected.json`, 'utf8')) as Json
const asOf = expected.pipeline.as_of as string

/** The first local day of the month that many months later. */
function monthAfter(month: string, months: number): string {
  const day = new Date(`${month}-01T00:00:00Z`)
  day.setUTCMonth(day.getUTCMonth() + months)
  return day.toISOString().slice(0, 10)
}

t.test('tenant-a', async t => {
  const app = await testApp(t, { RATE_LIMIT: '0' })
  const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })
  const send = sender(origin, app.key)
  const counts = await loadTenant({ client: new Client(origin, app.key), tell: () => undefined }, folder)
  const count = async (resource: string, filter: object) =>
    (await send('POST', `/v1/${resource}/search`, { filter, limit: 1, count: true })).body.page
      .totalCount as number

  t.test('every record is there', async t => {
    const made = (name: string) => (counts[name] as Counts).created
    const { campaigns, campaign_costs, fx_rates, leads, touches, deals, orders } = expected.counts
    t.same(['campaigns', 'costs', 'exchange-rates', 'leads', 'touches', 'deals', 'orders'].map(made), [
      campaigns,
      campaign_costs,
      fx_rates,
      leads,
      touches,
      deals,
      orders
    ])
    const { rows } = await execute(
      app.url,
      'select count(*)::int as n from deal_history where stage_id is not null'
    )
    t.equal(rows[0]!.n, expected.counts.stage_events)
    t.match((await send('GET', '/v1/workspace')).body, { timeZone: 'America/New_York', baseCurrency: 'EUR' })
    t.equal(await count('deals', { amount: { isNull: true } }), expected.missing_amount)
    t.equal(await count('deals', { currency: { eq: 'XTS' } }), expected.no_fx_rate)
    const stages = (await send('GET', '/v1/stages?sort=position')).body.data as Json[]
    t.same(
      stages.map(s => [s.name, s.probability]),
      [
        // prettier-ignore
        ['discovery', 0.1],
        ['qualification', 0.25],
        ['proposal', 0.5],
        ['negotiation', 0.75],
        ['won', 1],
        ['lost', 0] // prettier-ignore
      ]
    )
  })

  t.test('what aggregates answer', t => derivedTenant(t, send, expected))

  t.test('leads of the year, and what became of them', async t => {
    const year = { capturedAt: { gte: '2025-01-01T05:00:00Z', lt: '2026-01-01T05:00:00Z' } }
    const { leads, qualified, with_deal, won } = expected.lead_funnel_year.overall
    t.equal(await count('leads', year), leads)
    t.equal(await count('leads', { ...year, qualifiedAt: { isNull: false } }), qualified)
    t.equal(await count('leads', { ...year, deal: {} }), with_deal)
    t.equal(await count('leads', { ...year, deal: { status: { eq: 'won' } } }), won)
    t.equal(
      await count('leads', { ...year, campaignId: { isNull: true } }),
      expected.leads_without_campaign_year
    )
  })

  t.test('the funnel, ordered and matured', async t => {
    const { ordered_within_window: windows, matured_conversion_days: ages } = expected.pipeline
    const all = await figure(send, 'funnel', {
      asOf,
      order: 'ordered',
      windowDays: Object.keys(windows as Json).map(Number),
      maturedDays: Object.keys(ages as Json).map(Number)
    })
    sameFunnel(t, all, expected.pipeline)
    sameOrder(t, all, windows as Record<string, Json>)
    const { outcome, wonValue } = all.value
    closeTo(t, Number(wonValue) / outcome.won, expected.pipeline.avg_won_value as number, 'mean won value')
    t.same(all.excluded, { handedOver: 0, missingAmount: 0, noFxRate: 0 })
  })

  t.test('the funnel by owner and by first touch', async t => {
    const cuts = {
      'owner.name': 'pipeline_by_owner',
      'firstTouch.channel': 'pipeline_by_first_touch_channel'
    }
    for (const [field, wanted] of Object.entries(cuts)) {
      const { groups, value } = await figure(send, 'funnel', { asOf, groupBy: [field] })
      const found = new Map((groups as Json[]).map(g => [String(g.key[field]), g]))
      t.same([...found.keys()].sort(), Object.keys(expected[wanted] as Json).sort())
      for (const [key, group] of found) sameFunnel(t, group, expected[wanted][key] as Json)
      const outcomes = (groups as Json[]).map(g => g.value.outcome.won as number)
      t.equal(
        outcomes.reduce((a, b) => a + b),
        value.outcome.won
      )
    }
    const filter = { owner: { name: { eq: Object.keys(expected.pipeline_by_owner as Json)[0] } } }
    sameFunnel(
      t,
      await figure(send, 'funnel', { asOf, filter }),
      Object.values(expected.pipeline_by_owner as Json)[0] as Json
    )
  })

  t.test('the funnel by month', async t => {
    const { cohort_by_created_month: created, closed_by_month: closed } = expected.pipeline
    for (const timeZone of Object.keys(created as Json)) {
      const months = { asOf, timeZone, interval: 'month' }
      sameMonths(t, await figure(send, 'funnel', months), created[timeZone] as Record<string, Json>)
      const byClose = await figure(send, 'funnel', { ...months, cohort: 'closed' })
      sameMonths(t, byClose, closed[timeZone] as Record<string, Json>)
    }
  })

  t.test('lifetime value', async t => {
    const { value, buckets, counts, excluded, warnings, currency } = await figure(send, 'lifetime-value', {
      asOf,
      interval: 'month'
    })
    const { customers, customers_with_value, orders, cohorts } = expected.retention
    t.match(value, { customers, customersWithValue: customers_with_value, orders })
    t.same(
      [counts, excluded, warnings, currency],
      [{ orders, customers }, { missingAmount: 0, noFxRate: 0 }, [], 'EUR']
    )
    const sizes = (buckets as Json[])
      .filter(b => b.value.customers > 0)
      .map(b => [b.label, b.value.customers])
    t.same(
      Object.fromEntries(sizes),
      Object.fromEntries(Object.entries<Json>(cohorts).map(([m, c]) => [m, c.size]))
    )
    t.equal((buckets as Json[]).at(-1)!.complete, false, 'the month runs for another second')
    t.ok((buckets as Json[]).slice(0, -1).every(b => b.complete === true))
  })

  t.test('cumulative value of every cohort, month by month', async t => {
    let cells = 0
    for (let month = '2025-01'; month < '2026-01'; month = monthAfter(month, 1).slice(0, 7)) {
      const next = monthAfter(month, 1)
      const offset = next >= '2025-04' && next < '2025-11-02' ? '-04:00' : '-05:00'
      const end = new Date(`${next}T00:00:00${offset}`).toISOString()
      const { buckets } = await figure(send, 'lifetime-value', {
        asOf: end < asOf ? end : asOf,
        interval: 'month'
      })
      for (const { label, value } of buckets as Json[]) {
        const cohort = expected.retention.cohorts[label] as Json | undefined
        const cell = (cohort?.months as Json[] | undefined)?.find(c => monthAfter(label as string, c.month as number).startsWith(month)) // prettier-ignore
        if (!cell) continue
        cells++
        closeTo(
          t,
          value.totalPerCustomer,
          cell.cumulative_revenue_per_customer as number,
          `${label} after ${cell.month}`
        )
      }
    }
    const all = Object.values<Json>(expected.retention.cohorts).reduce(
      (n, c) => n + (c.months as Json[]).length,
      0
    )
    t.equal(cells, all)
  })

  t.test('customers add up to the total', async t => {
    const { value, customers, page } = await figure(send, 'lifetime-value', {
      asOf,
      customers: true,
      limit: 200
    })
    t.equal(page.hasMore, false)
    t.equal((customers as Json[]).length, expected.retention.customers)
    closeTo(
      t,
      value.total,
      (customers as Json[]).reduce((sum, c) => sum + Number(c.value), 0),
      'total'
    )
    const cohorts = Object.values<Json>(expected.retention.cohorts)
    const total = cohorts.reduce(
      (sum, c) => sum + c.size * c.months.at(-1).cumulative_revenue_per_customer,
      0
    )
    t.ok(Math.abs(Number(value.total) - total) < 1e-4, 'and to that of the cohorts')
  })

  t.test('a second load changes nothing', async t => {
    const events = async () => Number((await execute(app.url, 'select count(*) from events')).rows[0]!.count)
    const before = await events()
    const { code, out, err } = await runLoad('tenant-a', folder, '--url', origin, '--key', app.key)
    t.equal(code, 0, err)
    const { set, seconds: _seconds, ...again } = JSON.parse(out) as Record<string, Counts>
    t.equal(set, 'tenant-a')
    t.ok(Object.values(again).every(c => c.created === 0 && c.updated === 0 && c.unchanged > 0))
    t.equal(await events(), before)
  })
})
