import t from 'tap'
import { Client } from '../scripts/load/client.js'
import { loadShop } from '../scripts/load/cdnow-sample.js'
import { testApp } from './helpers/app.js'
import { sender } from './helpers/http.js'
import { edgeCase, expectedOf, hasReference, near, referenceFolder, type Json } from './helpers/expected.js'

const app = await testApp(t)
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })

async function value(parameters: object, key = app.key): Promise<Json> {
  const answer = await sender(origin, key)('POST', '/v1/metrics/lifetime-value', parameters)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.body
}

t.test('the simple method, from given numbers', async t => {
  const { given, expect } = edgeCase('E22')
  const data = {
    averageOrderValue: String(given.avg_order_value),
    ordersPerMonth: given.orders_per_month,
    monthlyChurn: given.monthly_churn
  }
  const asked = { method: 'simple', margin: given.gross_margin, monthlyDiscount: given.monthly_discount }
  const answer = await value({ ...asked, data })
  t.equal(answer.value.undiscounted, String(expect.ltv_undiscounted))
  t.equal(answer.value.discounted, String(expect.ltv_discounted))
  const faithful = await value({ ...asked, data: { ...data, monthlyChurn: 0 } })
  t.match(faithful.value, { undiscounted: null, discounted: null })
  t.match(faithful.reasons, { '/value/undiscounted': 'no_churn' })
  const nobody = await value({ ...asked, data: {} })
  t.match(nobody.reasons, { '/value/discounted': 'nothing_valued', '/value/monthlyChurn': 'no_history' })
})

t.test('models, from given parameters', async t => {
  const { given, expect } = edgeCase('E26')
  const data = {
    bgNbd: { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 },
    gammaGamma: { p: 6.25, q: 3.74, gamma: 15.44 },
    customers: [{ x: given.x, tx: given.t_x, T: given.T, z: '22.345' }]
  }
  const answer = await value({
    method: 'bg_nbd',
    expectedDays: expect.horizon_weeks * 7,
    monthlyDiscount: 0.01,
    data
  })
  const [customer] = answer.customers as Json[]
  near(t, customer!.pAlive, expect.p_alive as number, 'P(alive)')
  near(t, customer!.expectedOrders, expect.expected_purchases as number, 'orders')
  near(t, answer.value.expectedOrders, expect.expected_purchases as number, 'orders of all')
  near(t, customer!.value, 36.3, 'value', 0.01)
  const alone = await value({ method: 'bg_nbd', data: { bgNbd: data.bgNbd, customers: data.customers } })
  t.match(alone.reasons, { '/value/total': 'nothing_valued' })
  const beyond = await value({
    method: 'bg_nbd',
    data: {
      ...data,
      bgNbd: { r: 1e6, alpha: 1e-6, a: 1, b: 1 },
      customers: [{ x: 1, tx: 1, T: 2, z: '5' }]
    }
  })
  t.match(beyond.value, { expectedOrders: null, total: null }, 'no finite number')
  t.match(beyond.reasons, { '/value/expectedOrders': 'not_finite', '/value/total': 'not_finite' })
})

t.test('what does not fit together', async t => {
  const send = sender(origin, app.key)
  const refused = async (body: object) => {
    const { status, body: problem } = await send('POST', '/v1/metrics/lifetime-value', body)
    return [status, problem.errors?.[0]?.pointer]
  }
  t.same(await refused({ unit: 'day' }), [400, '/unit'])
  t.same(await refused({ method: 'simple', months: 3 }), [400, '/months'])
  t.same(await refused({ method: 'bg_nbd', basis: 'subscriptions' }), [400, '/basis'])
  t.same(await refused({ method: 'simple', customers: true }), [400, '/customers'])
  t.same(await refused({ method: 'simple', groupBy: ['plan'] }), [400, '/groupBy'])
  t.same(await refused({ method: 'simple', interval: 'month', data: {} }), [400, '/interval'])
  t.same(await refused({ data: {} }), [400, '/method'])
  t.same(await refused({ method: 'bg_nbd', data: {} }), [400, '/data'])
  const bgNbd = { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 }
  const of = (x: number, tx: number, T: number, more = {}) =>
    refused({ method: 'bg_nbd', data: { bgNbd: { ...bgNbd, ...more }, customers: [{ x, tx, T }] } })
  t.same(await of(2, 30, 20), [400, '/data/customers/0/tx'])
  t.same(await of(0, 3, 20), [400, '/data/customers/0/tx'])
  t.same(await of(1, 1, 1e300), [400, '/data/customers/0/T'])
  t.same(await of(1, 1, 2, { r: 1e300 }), [400, '/data/bgNbd/r'])
  t.same(await of(1, 1, 2), [200, undefined])
  t.same(await refused({ method: 'bg_nbd', holdoutDays: 30 }), [422, '/holdoutDays'])
  t.same(await refused({ method: 'simple', calibrationEnd: '2999-01-01' }), [422, '/calibrationEnd'])
})

t.test('an empty workspace, and one with few customers', async t => {
  const key = await app.newKey(['admin'], await app.newWorkspace('few'))
  for (const method of ['simple', 'bg_nbd']) {
    const answer = await value({ method, customers: method === 'bg_nbd' || undefined }, key)
    t.match(answer.value, { customers: 0, orders: 0, undiscounted: null, discounted: null, total: null })
  }
  const send = sender(origin, key)
  const order = async (companyId: string, orderedAt: string, amount: string) =>
    send('POST', '/v1/orders', { companyId, orderedAt, amount, currency: 'EUR' })
  const [a, b] = await Promise.all(
    ['a', 'b'].map(async name => (await send('POST', '/v1/companies', { name })).body.id as string)
  )
  // Months of a: January, February, March; of b: January. March is over, but nobody knows what comes after it.
  for (const [who, day] of [
    [a, '01-10'],
    [a, '01-10'],
    [a, '01-20'],
    [a, '02-05'],
    [a, '03-03'],
    [b, '01-31']
  ] as const)
    await order(who!, `2025-${day}T10:00:00Z`, '30')
  const simple = await value({ method: 'simple', calibrationEnd: '2025-03-31', margin: 0.5 }, key)
  near(t, simple.value.ordersPerMonth, 5 / 4, 'order days in a month with any')
  near(t, simple.value.monthlyChurn, 1 / 3, 'one of three months was not followed')
  t.equal(simple.value.averageOrderValue, '36', 'two orders of a day are one')
  near(t, simple.value.undiscounted, (36 * 1.25 * 0.5) / (1 / 3), 'value')
  const models = await value({ method: 'bg_nbd', calibrationEnd: '2025-03-31', margin: 0.5 }, key)
  t.match(models.reasons, { '/value/bgNbd': 'too_few_customers', '/value/total': 'too_few_customers' })
  t.match(models.value, { bgNbd: null, gammaGamma: null, undiscounted: simple.value.undiscounted })

  const parts = { groupBy: ['companyId'], interval: 'month', explain: true, calibrationEnd: '2025-03-31' }
  const cut = await value({ method: 'simple', margin: 0.5, ...parts }, key)
  t.same(cut.value, simple.value, 'the whole is as without parts')
  const [ofA, ofB] = cut.groups as Json[]
  t.match(ofA, { key: { companyId: a }, value: { customers: 1, orders: 5, averageOrderValue: '37.5' } })
  near(t, ofA!.value.ordersPerMonth, 4 / 3, 'order days of a')
  t.match(ofA!.value, { monthlyChurn: 0, undiscounted: null })
  t.match(ofB!.value, { customers: 1, ordersPerMonth: 1, monthlyChurn: 1, undiscounted: '15' })
  t.match(cut.reasons, { '/groups/0/value/undiscounted': 'no_churn' })
  t.same(
    (cut.buckets as Json[]).map(bucket => bucket.value.customers as number).slice(0, 3),
    [2, 0, 0],
    'customers by their first order'
  )
  t.same(cut.explain.value.monthlyChurn.ids, [a, b].sort())
  t.same(cut.explain.groups[1].value.undiscounted.ids, [b])
  const few = await value({ method: 'bg_nbd', ...parts, margin: 0.5 }, key)
  t.match(few.groups[1], { value: { bgNbd: null, undiscounted: '15' } })
  t.match(few.reasons, { '/groups/1/value/bgNbd': 'too_few_customers' })
})

/** Tells customers apart by a field. */
async function inHalves(send: ReturnType<typeof sender>, contacts: [string, string][]): Promise<void> {
  for (let first = 0; first < contacts.length; first += 1000) {
    const operations = contacts
      .slice(first, first + 1000)
      .map(([id, half]) => ({ op: 'update', id, body: { customFields: { half } } }))
    const { status, body } = await send('POST', '/v1/contacts/batch', { operations })
    if (status !== 200 || body.data?.some((row: Json) => row.status === 'failed'))
      throw new Error(JSON.stringify(body))
  }
}

if (hasReference) {
  t.test('2,357 customers of a music shop', async t => {
    const expected = await expectedOf('cdnow-sample')
    const key = await app.newKey(['admin'], await app.newWorkspace('shop'))
    const send = sender(origin, key)
    await loadShop(
      { client: new Client(origin, key), tell: () => undefined },
      referenceFolder('cdnow-sample')
    )
    const asked = {
      method: 'bg_nbd',
      calibrationEnd: '1997-09-30',
      holdoutDays: 273,
      monthlyDiscount: 0.01,
      customers: true,
      limit: 200
    }
    const answer = await value(asked, key)
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
    for (let page = answer; ; page = await value({ ...asked, after: page.page.nextCursor }, key)) {
      pages.push(...(page.customers as Json[]))
      if (!page.page.hasMore) break
    }
    t.equal(new Set(pages.map(c => c.customerId)).size, expected.customers, 'every customer on one page')
    const unvalued = { ...asked, currency: 'XAF' }
    const first = await value(unvalued, key)
    const second = await value({ ...unvalued, after: first.page.nextCursor }, key)
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
    const single = await value({ method: 'bg_nbd', expectedDays: one.horizon_weeks * 7, data }, key)
    near(t, single.value.expectedOrders, one.expected as number, 'the customer of the note', 1e-3)

    const year = await value(
      { ...asked, customers: false, limit: undefined, expectedDays: 364, unit: 'day' },
      key
    )
    near(t, year.value.expectedNewCustomer, expected.E_X_new_customer_52w as number, 'a new customer', 1e-4)
    near(t, year.value.bgNbd.alpha, expected.bgnbd.alpha * 7, 'alpha in days', 1e-4)
    near(t, year.value.total, Number(found.total), 'the unit changes no value', 1e-5)

    const half = (name: string) => (/[0-4]$/.test(name) ? 'one' : 'other')
    const names = new Map([...ids].map(([external, id]) => [id, half(external)]))
    await inHalves(send, [...names])
    const halves = await value(
      { ...asked, customers: false, limit: undefined, groupBy: ['contact.customFields.half'], explain: true },
      key
    )
    t.same(halves.value, found, 'the whole is as without groups')
    for (const { key: of, value: part } of halves.groups as Json[]) {
      const which = of['contact.customFields.half'] as string
      const alone = await value(
        {
          ...asked,
          customers: false,
          limit: undefined,
          filter: { contact: { customFields: { half: { eq: which } } } }
        },
        key
      )
      t.same(part, alone.value, `the models of ${which} half are those of its customers alone`)
    }
    t.equal(halves.groups.length, 2)
    t.equal(halves.explain.groups[0].value.total.ids.length, 100)
    const cohorts = await value(
      {
        ...asked,
        customers: false,
        limit: undefined,
        interval: 'month',
        from: '1997-01-01',
        to: '1997-04-01'
      },
      key
    )
    t.equal(
      (cohorts.buckets as Json[]).reduce((n, b) => n + ((b.value.bgNbd?.n as number | undefined) ?? 0), 0),
      expected.customers
    )

    const historic = await value({}, key)
    const retention = expected.retention as Json
    t.match(historic.value, { customers: retention.customers, orderDays: retention.orders_same_day_merged })
    near(t, historic.value.mean, retention.historic_ltv_mean as number, 'historic')
    near(t, historic.value.averageOrderValue, retention.aov as number, 'order value')
    near(t, historic.value.total, retention.revenue as number, 'revenue')
    near(t, historic.value.ordersPerCustomer, retention.orders_per_customer as number, 'orders of a customer')
    t.equal(historic.value.orders, retention.rows)
    const free = await send('POST', '/v1/orders/aggregate', { filter: { amount: { eq: '0' } } })
    t.equal(free.body.data[0].count, retention.zero_value_orders)
    const simple = await value({ method: 'simple', calibrationEnd: '1998-06-30' }, key)
    t.ok(simple.value.monthlyChurn > 0 && simple.value.monthlyChurn < 1)
    t.ok(Number(simple.value.undiscounted) > 0)
  })
}
