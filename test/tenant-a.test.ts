import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Client, type Counts } from '../scripts/load/client.js'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { testApp } from './helpers/app.js'
import { execute } from './helpers/database.js'
import { derivedTenant } from './helpers/derived-tenant.js'
import { sender, type Send } from './helpers/http.js'
import { runLoad } from './helpers/run-load.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
const expected = JSON.parse(await readFile(`${folder}/expected.json`, 'utf8')) as Json
const tolerance = expected.tolerance.rates_and_money as number
const asOf = expected.pipeline.as_of as string

function closeTo(t: Test, found: unknown, wanted: number | null, name: string): void {
  if (wanted === null) return void t.equal(found ?? null, null, name)
  const near = found !== null && Math.abs(Number(found) - wanted) <= tolerance
  t.ok(near, `${name}: ${String(found)} is ${wanted}`)
}

async function figure(send: Send, name: string, parameters: object): Promise<Json> {
  const answer = await send('POST', `/v1/metrics/${name}`, parameters)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.body
}

const byName = (steps: Json[], figure: string) =>
  Object.fromEntries(steps.filter(s => s[figure] > 0).map(s => [s.stage.name, s[figure]]))

function sameFunnel(t: Test, { value }: Json, wanted: Json): void {
  t.equal(value.deals, wanted.deals)
  t.same(value.outcome, { won: 0, lost: 0, open: 0, ...wanted.outcome })
  closeTo(t, value.winRate.value, wanted.win_rate as number, 'win rate')
  for (const [i, step] of (wanted.funnel as Json[]).entries()) {
    const found = value.stages[i] as Json
    t.match(found, { stage: { name: step.stage }, reached: step.reached, entered: step.entered })
    closeTo(
      t,
      found.conversionFromPrevious.value,
      step.conversion_from_previous as number,
      `${step.stage} from before`
    )
    closeTo(
      t,
      found.conversionFromFirst.value,
      step.conversion_from_first as number,
      `${step.stage} from first`
    )
  }
}

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

  t.test('the funnel', async t => {
    const all = await figure(send, 'funnel', { asOf })
    sameFunnel(t, all, expected.pipeline)
    const { stages, moves, transitions, everWon } = all.value
    t.equal(everWon, expected.pipeline.ever_won)
    t.same(byName(stages, 'lostFrom'), expected.pipeline.lost_from)
    t.same(byName(stages, 'openNow'), expected.pipeline.open_by_stage)
    const { forward_one: forward, skip, backward, reopen, deals_reopened, deals_backward, deals_skipped } = expected.pipeline.moves // prettier-ignore
    t.same(moves, {
      forward,
      skip,
      backward,
      reopen,
      handedOver: 0,
      dealsReopened: deals_reopened,
      dealsBackward: deals_backward,
      dealsSkipped: deals_skipped
    })
    const pairs = (transitions as Json[]).map(p => [`${p.from.name} -> ${p.to.name}`, p.count])
    t.same(Object.fromEntries(pairs), expected.pipeline.transitions)
  })

  t.test('the funnel by owner', async t => {
    for (const [owner, wanted] of Object.entries<Json>(expected.pipeline_by_owner)) {
      sameFunnel(
        t,
        await figure(send, 'funnel', { asOf, filter: { owner: { name: { eq: owner } } } }),
        wanted
      )
    }
  })

  t.test('the funnel by month of opening', async t => {
    for (const [timeZone, months] of Object.entries<Json>(expected.pipeline.cohort_by_created_month)) {
      for (const [month, { created, won, lost, open }] of Object.entries<Json>(months)) {
        const period = { from: `${month}-01`, to: monthAfter(month, 1) }
        const { value } = await figure(send, 'funnel', { asOf, timeZone, ...period })
        t.same(
          { deals: value.deals, ...value.outcome },
          { deals: created, won, lost, open },
          `${timeZone} ${month}`
        )
      }
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
