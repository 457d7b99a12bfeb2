import t from 'tap'
import { loadShop } from '../scripts/load/cdnow-sample.js'
import { expectedOf, hasReference, near, referenceFolder, type Json } from './helpers/expected.js'
import type { Send } from './helpers/http.js'
import { figure, loaded } from './helpers/reference.js'

/** Tells customers apart by a field. */
async function inHalves(send: Send, contacts: [string, string][]): Promise<void> {
  for (let first = 0; first < contacts.length; first += 1000) {
    const operations = contacts
      .slice(first, first + 1000)
      .map(([id, half]) => ({ op: 'update', id, body: { customFields: { half } } }))
    const { status, body } = await send('POST', '/v1/contacts/batch', { operations })
    if (status !== 200 || body.data?.some((row: Json) => row.status === 'failed'))
      throw new Error(JSON.stringify(body))
  }
}

const skip = !hasReference && 'the reference data is not there'

t.test('2,357 customers of a music shop', { skip }, async t => {
  const expected = await expectedOf('cdnow-sample')
  const { send } = await loaded(t, loadShop, referenceFolder('cdnow-sample'))
  const value = (parameters: object) => figure(send, 'lifetime-value', parameters)
  const asked = {
    method: 'bg_nbd',
    calibrationEnd: '1997-09-30',
    holdoutDays: 273,
    monthlyDiscount: 0.01,
    customers: true,
    limit: 200
  }
  const answer = await value(asked)
  const found = answer.value as Json
  t.match(found, { customers: expected.customers, unit: 'week' })
  t.match(found.bgNbd, { converged: true, n: expected.customers, repeaters: expected.repeat_customers })
  for (const name of ['r', 'alpha', 'a', 'b'])
    near(t, found.bgNbd[name], expected.bgnbd[name] as number, name, 1e-4)
  for (const name of ['p', 'q', 'gamma'])
    near(t, found.gammaGamma[name], expected.gammagamma[name] as number, name, 1e-4)
  near(t, found.bgNbd.logLikelihood, expected.bgnbd.loglik as number, 'log-likelihood')
  near(t, found.meanPAlive, expected.mean_palive as number, 'mean P(alive)', 1e-4)
  near(t, found.meanExpectedValue, expected.mean_expected_avg_value as number, 'order value', 1e-4)
  near(t, found.total, expected.clv12_total as number, 'total', 1e-4)
  near(t, found.mean, expected.clv12_mean as number, 'mean', 1e-4)
  near(t, found.expectedOrders, expected.expected_repeat_39w_total as number, 'orders', 1e-4)
  const { holdout } = found
  t.match(holdout, {
    days: 273,
    orders: expected.actual_holdout_39w_total,
    spend: String(expected.holdout_spend)
  })
  near(t, holdout.constantRate, expected.baseline_constant_rate_39w_total as number, 'constant rate')
  near(t, holdout.meanAbsoluteError, expected.mae_customer_holdout as number, 'error', 1e-4)
  near(t, holdout.correlation, expected.corr_customer_holdout as number, 'correlation', 1e-4)
  const share = expected.holdout_spend_share_of_top_decile_by_clv as number
  near(t, holdout.topDecileSpendShare, share, 'top tenth', 1e-4)
  const frequencies = Object.values(
    expected.conditional_expectation_by_calibration_frequency as Json
  ) as Json[]
  t.equal(holdout.byFrequency.length, frequencies.length)
  for (const [i, { n, actual_mean, expected_mean }] of frequencies.entries()) {
    t.equal(holdout.byFrequency[i].n, n)
    near(t, holdout.byFrequency[i].actual, actual_mean as number, `${i}: came`)
    near(t, holdout.byFrequency[i].expected, expected_mean as number, `${i}: expected`, 1e-4)
  }

  const pages: Json[] = []
  for (let page = answer; ; page = await value({ ...asked, after: page.page.nextCursor })) {
    pages.push(...(page.customers as Json[]))
    if (!page.page.hasMore) break
  }
  t.equal(new Set(pages.map(c => c.customerId)).size, expected.customers, 'every customer on one page')
  const unvalued = { ...asked, currency: 'XAF' }
  const first = await value(unvalued)
  const second = await value({ ...unvalued, after: first.page.nextCursor })
  t.equal(first.customers[0].value, null)
  t.ok(second.customers[0].customerId < first.customers.at(-1).customerId, 'pages go on without a value')
  const ids = new Map<string, string>()
  for (let after = ''; ;) {
    const { body } = await send('GET', `/v1/contacts?limit=200${after}`)
    for (const c of body.data as Json[]) ids.set(c.externalIds[0].id as string, c.id as string)
    if (!body.page.hasMore) break
    after = `&after=${body.page.nextCursor}`
  }
  for (const [id, wanted] of Object.entries(expected.customers_detail as Record<string, Json>)) {
    const customer = pages.find(c => c.customerId === ids.get(id))!
    t.match(customer, { x: wanted.x, customerType: 'contact', holdoutOrders: wanted.actual_holdout_tx })
    near(t, customer.tx, wanted.t_x as number, `${id} tx`)
    near(t, customer.T, wanted.T as number, `${id} T`)
    near(t, customer.z ?? 0, wanted.zbar as number, `${id} z`)
    near(t, customer.pAlive, wanted.p_alive as number, `${id} P(alive)`, 1e-4)
    near(t, customer.expectedOrders, wanted.exp_39w as number, `${id} orders`, 1e-4)
    near(t, customer.expectedValue, wanted.exp_avg_value as number, `${id} order value`, 1e-4)
    near(t, customer.value, wanted.clv_12m as number, `${id} value`, 1e-4)
    near(t, customer.holdoutSpend, wanted.actual_holdout_spend as number, `${id} spend`)
  }

  t.equal(found.gammaGamma.n, expected.gg_customers)
  near(t, found.gammaGamma.logLikelihood, expected.gammagamma.loglik as number, 'log-likelihood of values')
  t.equal(holdout.orders, expected.holdout_transactions)
  const repeats = pages.reduce((n, c) => n + (c.x as number), 0)
  t.equal(repeats, expected.repeat_transactions_calibration)
  const valued = pages.filter(c => c.x > 0 && Number(c.z) > 0)
  const meanValue = valued.reduce((sum, c) => sum + Number(c.z), 0) / valued.length
  near(t, meanValue, expected.mean_observed_avg_value_repeaters as number, 'order value of repeaters')
  const { published } = expected
  for (const [name, wanted] of Object.entries(published.bgnbd as Record<string, number>))
    t.ok(Math.abs((found.bgNbd[name] ?? found.bgNbd.logLikelihood) - wanted) <= (name === 'loglik' ? 0.05 : 0.0005), `${name} as published`) // prettier-ignore
  for (const [name, wanted] of Object.entries(published.gammagamma as Record<string, number>))
    t.ok(Math.abs(found.gammaGamma[name] - wanted) <= 0.005, `${name} as published`)
  const one = published.E_one_customer as Json
  const { bgnbd } = published
  const given = {
    r: bgnbd.r as number,
    alpha: bgnbd.alpha as number,
    a: bgnbd.a as number,
    b: bgnbd.b as number
  }
  const data = {
    bgNbd: given,
    customers: [{ x: one.x as number, tx: one.t_x as number, T: one.T as number }]
  }
  const single = await value({ method: 'bg_nbd', expectedDays: one.horizon_weeks * 7, data })
  near(t, single.value.expectedOrders, one.expected as number, 'the customer of the note', 1e-3)

  const year = await value({ ...asked, customers: false, limit: undefined, expectedDays: 364, unit: 'day' })
  near(t, year.value.expectedNewCustomer, expected.E_X_new_customer_52w as number, 'a new customer', 1e-4)
  near(t, year.value.bgNbd.alpha, expected.bgnbd.alpha * 7, 'alpha in days', 1e-4)
  near(t, year.value.total, Number(found.total), 'the unit changes no value', 1e-5)

  const half = (name: string) => (/[0-4]$/.test(name) ? 'one' : 'other')
  const names = new Map([...ids].map(([external, id]) => [id, half(external)]))
  await inHalves(send, [...names])
  const halves = await value({
    ...asked,
    customers: false,
    limit: undefined,
    groupBy: ['contact.customFields.half'],
    explain: true
  })
  t.same(halves.value, found, 'the whole is as without groups')
  for (const { key: of, value: part } of halves.groups as Json[]) {
    const which = of['contact.customFields.half'] as string
    const alone = await value({
      ...asked,
      customers: false,
      limit: undefined,
      filter: { contact: { customFields: { half: { eq: which } } } }
    })
    t.same(part, alone.value, `the models of ${which} half are those of its customers alone`)
  }
  t.equal(halves.groups.length, 2)
  t.equal(halves.explain.groups[0].value.total.ids.length, 100)
  const cohorts = await value({
    ...asked,
    customers: false,
    limit: undefined,
    interval: 'month',
    from: '1997-01-01',
    to: '1997-04-01'
  })
  t.equal(
    (cohorts.buckets as Json[]).reduce((n, b) => n + ((b.value.bgNbd?.n as number | undefined) ?? 0), 0),
    expected.customers
  )

  const historic = await value({})
  const retention = expected.retention as Json
  t.match(historic.value, { customers: retention.customers, orderDays: retention.orders_same_day_merged })
  near(t, historic.value.mean, retention.historic_ltv_mean as number, 'historic')
  near(t, historic.value.averageOrderValue, retention.aov as number, 'order value')
  near(t, historic.value.total, retention.revenue as number, 'revenue')
  near(t, historic.value.ordersPerCustomer, retention.orders_per_customer as number, 'orders of a customer')
  t.equal(historic.value.orders, retention.rows)
  const free = await send('POST', '/v1/orders/aggregate', { filter: { amount: { eq: '0' } } })
  t.equal(free.body.data[0].count, retention.zero_value_orders)
  const simple = await value({ method: 'simple', calibrationEnd: '1998-06-30' })
  t.ok(simple.value.monthlyChurn > 0 && simple.value.monthlyChurn < 1)
  t.ok(Number(simple.value.undiscounted) > 0)
})
