import t from 'tap'
import { testApp } from './helpers/app.js'
import { edgeCase, near, type Json } from './helpers/expected.js'
import { sender } from './helpers/http.js'

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
