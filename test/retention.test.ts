import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { loadShop } from '../scripts/load/cdnow-sample.js'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { testApp } from './helpers/app.js'
import { sender, type Send } from './helpers/http.js'
import { as, identity } from './helpers/identity.js'
import { loaded } from './helpers/reference.js'
import { edgeCase, expectedOf, hasReference, near, referenceFolder, type Json } from './helpers/expected.js'

const app = await testApp(t, { RATE_LIMIT: '0' })
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })

async function newShop(settings: object = {}): Promise<{ send: Send; key: string }> {
  const key = await app.newKey(['admin'], await app.newWorkspace('shop'))
  const send = sender(origin, key)
  await send('PATCH', '/v1/workspace', settings)
  return { send, key }
}

async function made(send: Send, path: string, body: object): Promise<Json> {
  const reply = await send('POST', path, body)
  if (reply.status >= 300) throw new Error(reply.text)
  return reply.body
}

const retention = (send: Send, parameters: object) => made(send, '/v1/metrics/retention', parameters)

interface Order {
  c: string
  at: string
  amount?: string | null
}

/** Orders of customers by name. */
async function order(send: Send, orders: readonly Order[], more: object = {}): Promise<void> {
  const known = new Map<string, string>()
  for (const { c, at, amount = '1' } of orders) {
    if (!known.has(c)) known.set(c, (await made(send, '/v1/companies', { name: c, ...more })).id as string)
    const orderedAt = at.length === 10 ? `${at}T00:00:00Z` : at
    await made(send, '/v1/orders', { companyId: known.get(c), orderedAt, amount, currency: 'EUR', ...more })
  }
}

const monthOf = (cohort: Json) => (cohort.from as string).slice(0, 7)

function sameCohorts(t: Test, cohorts: Json[], wanted: Json): void {
  for (const [month, { size, months }] of Object.entries(wanted) as [string, Json][]) {
    const found = cohorts.find(c => monthOf(c) === month)!
    t.equal(found.size, size, month)
    t.equal(found.cells.length, months.length, `${month}: all periods that have begun`)
    for (const [i, cell] of (months as Json[]).entries()) {
      const { period, active, retention, complete } = found.cells[i] as Json
      t.same([period, active], [cell.month, cell.active], `${month} after ${cell.month}`)
      near(t, retention, cell.retention, 'retention')
      if (cell.complete !== undefined) t.equal(complete, cell.complete)
      near(t, found.cells[i].cumulativeRevenuePerCustomer, cell.cumulative_revenue_per_customer, 'cumulative')
      if (cell.unbounded_retention !== undefined) {
        near(t, found.cells[i].unbounded, cell.unbounded_retention, 'unbounded')
        near(t, found.cells[i].revenue, cell.revenue, 'revenue')
      }
    }
  }
}

t.test('a running period is shown as it is so far, a later one is absent (E20)', async t => {
  const { given, expect } = edgeCase('E20')
  const { send } = await newShop({ timeZone: given.time_zone })
  await order(send, given.orders as Order[])
  const { value, reasons } = await retention(send, { asOf: given.as_of })
  t.same(
    (value.cohorts as Json[]).map(c => [
      monthOf(c),
      {
        size: c.size,
        retention: (c.cells as Json[]).map(x => x.retention),
        complete: (c.cells as Json[]).map(x => x.complete)
      }
    ]),
    Object.entries(expect.cohorts as Json)
  )
  t.match(value, { customers: 3, orders: 6, orderDays: 6, repeatRate: { numerator: 2, denominator: 3 } })
  t.match(value.periods, [
    { from: '2025-01-01', activeBefore: 0, retained: 0, retention: null, churn: null, complete: true },
    { from: '2025-02-01', activeBefore: 2, retained: 1, retention: 0.5, churn: 0.5, revenueBefore: '2', revenueRetained: '2', revenueRetention: 1 },
    { from: '2025-03-01', to: '2025-04-01', activeBefore: 2, retained: 0, retention: 0, revenueRetained: '0', complete: false }
  ]) // prettier-ignore
  t.equal(reasons['/value/periods/0/retention'], 'nobody_before')
})

t.test('of given numbers (E21)', async t => {
  const { given, expect } = edgeCase('E21')
  const { send } = await newShop()
  const of = (activeBefore: number, lost: number) =>
    retention(send, { data: { activeBefore, lost, new: given.new_in_period } })
  const { value } = await of(given.active_at_start as number, given.lost_of_those as number)
  t.match(value.periods, [{ activeBefore: 200, retained: 190, ...expect }])
  const nobody = await of(0, 0)
  t.match(nobody.value.periods, [{ churn: null, retention: null }])
  t.match(nobody.reasons, { '/value/periods/0/churn': 'nobody_before' })
  const wrong = await send('POST', '/v1/metrics/retention', { data: { activeBefore: 1, lost: 2, new: 0 } })
  t.match(wrong, { status: 400, body: { errors: [{ pointer: '/data' }] } })
})

t.test('tenant-a', async t => {
  const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
  const { send } = await loaded(t, loadTenant, folder)
  const { retention: wanted, pipeline } = JSON.parse(
    await readFile(`${folder}/expected.json`, 'utf8')
  ) as Json
  const answer = await retention(send, { asOf: pipeline.as_of })
  const { customers, orders } = wanted
  t.match(answer, {
    currency: 'EUR',
    value: { customers, orders },
    excluded: { missingAmount: 0 },
    warnings: []
  })
  sameCohorts(t, answer.value.cohorts as Json[], wanted.cohorts as Json)
  t.equal(answer.value.cohorts.length, Object.keys(wanted.cohorts as Json).length)
  const graph = await send('POST', '/graphql', {
    query: `query($asOf: DateTime) { metrics { retention(asOf: $asOf, groupBy: ["currency"]) {
      value { customers cohorts { from size cells { period active retention revenue } } } groups { key value { customers } } } } }`,
    variables: { asOf: pipeline.as_of }
  })
  const { value, groups } = graph.body.data.metrics.retention as Json
  t.match(answer.value, value, 'the same over GraphQL')
  t.equal(
    (groups as Json[]).reduce((n, g) => n + (g.value.customers as number), 0),
    customers
  )
  t.ok(groups.length > 1)
  await sameQuarters(t, send, wanted as Json, pipeline.as_of as string)
  const explained = await retention(send, { asOf: pipeline.as_of, explain: true })
  const cells = explained.explain.value.cohorts[1].cells as Json
  t.equal(
    cells[3].active.ids.length,
    wanted.cohorts['2025-02'].months[3].active,
    'the customers behind a cell'
  )
})

t.test('orders of an online shop', { skip: !hasReference && 'the reference data is not there' }, async t => {
  const { send } = await loaded(t, loadShop, referenceFolder('cdnow-sample'))
  const { retention: wanted } = await expectedOf('cdnow-sample')
  const asOf = '1998-06-30T23:59:59Z'
  const { value, counts } = await retention(send, { asOf, unbounded: true })
  t.match(value, {
    customers: wanted.customers,
    orders: wanted.rows,
    orderDays: wanted.orders_same_day_merged
  })
  t.equal(counts.orders, wanted.rows)
  near(t, value.repeatRate.value, wanted.repeat_customer_rate, 'repeat rate')
  near(t, value.inactive.share, wanted.inactive_90d_share_asof_1998_06_30, 'inactive')
  near(t, value.daysBetweenOrders.median, wanted.median_days_between_orders, 'days between orders')
  sameCohorts(t, value.cohorts as Json[], wanted.cohorts as Json)
  const quarters = await retention(send, { asOf, interval: 'quarter', from: '1998-04-01', to: '1998-07-01' })
  t.equal(quarters.value.periods.length, 1)
  const [second] = quarters.value.periods as Json[]
  t.match(second, { activeBefore: wanted.q1_1998_active, retained: wanted.q1_to_q2_1998_retained })
  near(t, second!.retention, wanted.q1_to_q2_1998_retention, 'retention')
  near(t, second!.churn, wanted.q1_to_q2_1998_churn, 'churn')
})

t.test('whose orders, and of which customers', async t => {
  const { newUser, tokenOf } = identity(app)
  const rep = await newUser('rep')
  const of = async (headers?: Record<string, string>) =>
    (await app.call('GET', '/v1/metrics/retention?asOf=2026-01-01T00:00:00Z', undefined, headers)).body
      .value as Json
  const { id } = (await app.call('POST', '/v1/companies', { name: 'Shared' })).body
  const body = { companyId: id, orderedAt: '2025-01-05T00:00:00Z', amount: '5', currency: 'EUR' }
  for (const ownerId of [rep.id, null]) await app.call('POST', '/v1/orders', { ...body, ownerId })
  t.match(await of(), { customers: 1, orders: 2, orderDays: 1 })
  t.match(await of(as(tokenOf(rep))), { customers: 1, orders: 1 }, 'own orders alone')
  t.equal((await app.call('DELETE', `/v1/companies/${id as string}`)).status, 204)
  t.match(await of(), { customers: 0, orders: 0, cohorts: [], periods: [], repeatRate: { value: null } })
})

t.test('amounts that are unknown, and cells that would be too many', async t => {
  const { send } = await newShop()
  const orders = [
    { c: 'a', at: '2025-01-05', amount: null },
    { c: 'a', at: '2025-02-05', amount: '7' },
    { c: 'b', at: '2025-01-20', amount: '5' }
  ]
  await order(send, orders)
  const { value, excluded, warnings } = await retention(send, { asOf: '2025-02-28T12:00:00Z' })
  t.match(value.cohorts, [{ size: 2, cells: [{ revenue: '5', cumulativeRevenuePerCustomer: '2.5' }, { revenue: '7', cumulativeRevenuePerCustomer: '6' }] }]) // prettier-ignore
  t.match(value.periods[1], { revenueBefore: '5', revenueRetained: '7', revenueRetention: 1.4 })
  t.match([excluded, warnings], [{ missingAmount: 1, noFxRate: 0 }, [{ code: 'missing_amount', count: 1 }]])
  const daily = await send('POST', '/v1/metrics/retention', { interval: 'day', asOf: '2026-01-01T00:00:00Z' })
  t.match(daily, { status: 400, body: { errors: [{ pointer: '/interval', code: 'too_many' }] } })
})

/** Quarters of a tenant, and what its customers were worth. */
async function sameQuarters(t: Test, send: Send, wanted: Json, asOf: string): Promise<void> {
  const { value } = await retention(send, { asOf, interval: 'quarter' })
  for (const [quarter, of] of Object.entries<Json>(wanted.quarterly)) {
    const month = 3 * Number(quarter.at(-1)) - 2
    const from = `${quarter.slice(0, 4)}-${String(month).padStart(2, '0')}-01`
    const found = (value.periods as Json[]).find(p => p.from === from)!
    t.match(found, { activeBefore: of.active_previous, retained: of.retained }, quarter)
    near(t, found.retention, of.retention, `${quarter}: retention`)
    near(t, found.churn, of.churn, `${quarter}: churn`)
  }
  const worth = await made(send, '/v1/metrics/lifetime-value', { asOf })
  t.equal(worth.value.customersWithValue, wanted.customers_with_value)
  near(t, worth.value.mean, wanted.historic_ltv_mean, 'historic value')
}
