import t from 'tap'
import { testApp } from './helpers/app.js'
import { sender } from './helpers/http.js'
import { near, type Json } from './helpers/expected.js'

const app = await testApp(t)
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })

type Value = (parameters: object) => Promise<Json>

async function newClub() {
  const send = sender(origin, await app.newKey(['admin'], await app.newWorkspace('club')))
  const made = async (method: string, path: string, body: object): Promise<Json> => {
    const reply = await send(method, path, body)
    if (reply.status >= 300) throw new Error(reply.text)
    return reply.body
  }
  const known = new Map<string, string>()
  const value: Value = parameters =>
    made('POST', '/v1/metrics/lifetime-value', { basis: 'subscriptions', ...parameters })
  return {
    send,
    made,
    known,
    value,
    simple: (parameters: object) => value({ method: 'simple', ...parameters }),
    /** A subscription of a customer by name. */
    async subscribe(name: string, startDate: string, endDate: string | null, more: object = {}) {
      if (!known.has(name)) known.set(name, (await made('POST', '/v1/companies', { name })).id as string)
      const amount = { recurringAmount: '10', currency: 'EUR' }
      const body = { companyId: known.get(name), startDate, endDate, ...amount, ...more }
      return (await made('POST', '/v1/subscriptions', body)).id as string
    }
  }
}

const noon = (day: string) => `${day}T12:00:00Z`

t.test('nobody has subscribed', async t => {
  const { value, simple } = await newClub()
  t.match(await value({}), {
    value: { customers: 0, orders: 0, total: '0', mean: null },
    reasons: { '/value/mean': 'nothing_valued' }
  })
  t.match(await simple({ interval: 'month', groupBy: ['plan'] }), {
    value: { customers: 0, ordersPerMonth: null, monthlyChurn: null, undiscounted: null },
    reasons: { '/value/undiscounted': 'nothing_valued', '/value/monthlyChurn': 'no_history' },
    groups: []
  })
})

t.test('each interval is paid at its beginning', async t => {
  const paid = async (
    startDate: string,
    endDate: string | null,
    interval: string,
    asOf: string
  ): Promise<unknown> => {
    const { subscribe, value } = await newClub()
    await subscribe('a', startDate, endDate, { interval })
    const { value: found } = await value({ asOf: noon(asOf) })
    return [found.orders, found.total]
  }
  t.same(await paid('2025-01-31', null, 'month', '2025-02-27'), [1, '10'])
  t.same(await paid('2025-01-31', null, 'month', '2025-02-28'), [2, '20'], 'a short month has a last day')
  t.same(await paid('2025-01-31', null, 'month', '2025-03-30'), [2, '20'], 'and the next one another')
  t.same(await paid('2025-01-31', null, 'month', '2025-03-31'), [3, '30'])
  t.same(await paid('2025-01-15', '2025-03-15', 'month', '2025-12-31'), [2, '20'], 'not on the last day')
  t.same(await paid('2025-01-15', '2025-03-16', 'month', '2025-12-31'), [3, '30'])
  t.same(await paid('2025-01-15', '2025-01-15', 'month', '2025-12-31'), [0, '0'], 'what never ran')
  t.same(await paid('2025-06-01', null, 'month', '2025-05-31'), [0, '0'], 'what has not begun')
  t.same(await paid('2024-11-30', null, 'quarter', '2025-03-01'), [2, '20'])
  t.same(await paid('2024-02-29', null, 'year', '2025-02-28'), [2, '20'])
  t.same(await paid('2025-01-01', null, 'week', '2025-01-15'), [3, '30'])
})

t.test('what customers brought, by plan, month and customer', async t => {
  const { subscribe, value, made, known, send } = await newClub()
  await subscribe('a', '2025-01-10', '2025-03-10', { plan: 'small' })
  await subscribe('a', '2025-03-10', null, { plan: 'large', recurringAmount: '30' })
  await subscribe('b', '2025-02-01', null, { plan: 'small', recurringAmount: null })
  const dollars = await subscribe('c', '2025-02-01', null, { plan: 'small', currency: 'USD' })
  const asOf = noon('2025-04-01')
  const whole = await value({ asOf, margin: 0.5, customers: true, explain: true })
  t.match(whole.value, { customers: 3, customersWithValue: 1, orders: 9, total: '25', mean: '25' })
  t.same(whole.excluded, { missingAmount: 3, noFxRate: 3 })
  t.match(whole.warnings, [{ message: /^Payments/, count: 3 }, { count: 3 }])
  t.same(
    whole.customers.map((c: Json) => [c.customerId, c.orders, c.value]),
    [
      [known.get('a'), 3, '25'],
      ...[known.get('b'), known.get('c')]
        .sort()
        .reverse()
        .map(id => [id, 3, null])
    ]
  )
  t.same(whole.explain.value.total.ids, [known.get('a')])
  await made('POST', '/v1/exchange-rates', { date: '2025-03-01', currency: 'USD', rateToBase: '0.5' })
  const cut = await value({ asOf, groupBy: ['plan'], interval: 'month' })
  t.match(cut.value, { total: '60' }, 'by the rate of the day of each payment')
  t.same(cut.excluded, { missingAmount: 3, noFxRate: 1 })
  t.match(cut.groups, [{ key: { plan: 'small' }, value: { customers: 3, total: '60' } }])
  t.same(cut.buckets.map((b: Json) => [b.label, b.value.customers, b.value.total]).slice(0, 2), [
    ['2025-01', 1, '50'],
    ['2025-02', 2, '10']
  ])
  const last = await value({ asOf, groupBy: ['plan'], groupAt: 'last' })
  t.match(last.groups, [
    { key: { plan: 'large' }, value: { customers: 1, total: '50' } },
    { key: { plan: 'small' }, value: { customers: 2, total: '10' } }
  ])
  const large = await value({ asOf, filter: { plan: { eq: 'large' } } })
  t.match(large.value, { customers: 1, orders: 1, total: '30' })

  await made('PATCH', `/v1/subscriptions/${dollars}`, { endDate: '2025-02-02' })
  t.match((await value({ asOf })).value, { orders: 7 })
  t.match((await value({ asOf, knownAt: whole.knownAt })).value, { orders: 9 }, 'as it was known then')
  await send('DELETE', `/v1/companies/${known.get('c')!}`)
  t.match((await value({ asOf })).value, { customers: 2, orders: 6 }, 'who is in the bin brought nothing')
})

t.test('what customers will bring, at the pace at which they leave', async t => {
  const { subscribe, simple, made } = await newClub()
  await subscribe('a', '2025-01-01', null, { recurringAmount: '30', plan: 'month' })
  await subscribe('b', '2025-01-01', '2025-05-01', {
    recurringAmount: '1200',
    interval: 'year',
    plan: 'year'
  })
  const asOf = noon('2025-07-01')
  const two = await simple({ asOf, monthlyDiscount: 0.01, margin: 0.5 })
  near(t, two.value.monthlyChurn, 1 / 10, 'one of ten months')
  near(t, Number(two.value.averageOrderValue) * two.value.ordersPerMonth, 65, 'of both in a month')
  near(t, two.value.undiscounted, 325, 'undiscounted')
  near(t, two.value.discounted, (32.5 * 1.01) / 0.11, 'discounted')

  const cut = await simple({ asOf, groupBy: ['plan'], explain: true })
  t.match(cut.groups, [
    { key: { plan: 'month' }, value: { monthlyChurn: 0, undiscounted: null, averageOrderValue: '30' } },
    { key: { plan: 'year' }, value: { monthlyChurn: 0.25, undiscounted: '400', averageOrderValue: '1200' } }
  ])
  t.equal(cut.explain.value.monthlyChurn.ids.length, 2)
  t.match(cut.reasons, { '/groups/0/value/discounted': 'no_churn' })
  const before = await simple({ asOf, calibrationEnd: '2025-04-30' })
  t.match(before.value, { monthlyChurn: 0 })
  t.match(before.parameters, { calibrationEnd: '2025-04-30' })

  await subscribe('c', '2025-01-01', '2025-03-01', { recurringAmount: '5' })
  await subscribe('c', '2025-03-01', null, { recurringAmount: '20' })
  const changed = await simple({ asOf })
  near(t, changed.value.monthlyChurn, 1 / 16, 'a changed plan is no loss')
  near(
    t,
    Number(changed.value.averageOrderValue) * changed.value.ordersPerMonth,
    50,
    'and what it is now counts'
  )
  await subscribe('d', '2025-01-01', '2025-02-01', { recurringAmount: null })
  await subscribe('d', '2025-02-02', '2025-03-02', { recurringAmount: null })
  const back = await simple({ asOf })
  near(t, back.value.monthlyChurn, 3 / 18, 'who came back after a day had left')
  near(t, back.value.undiscounted, 50 / (3 / 18), 'whose amount is unknown is no divisor')
  t.same(back.excluded, { missingAmount: 2, noFxRate: 0 })

  await made('POST', '/v1/exchange-rates', { date: '2025-01-01', currency: 'USD', rateToBase: '0.5' })
  await made('POST', '/v1/exchange-rates', { date: '2025-06-01', currency: 'USD', rateToBase: '0.25' })
  const dollars = await simple({ asOf, currency: 'USD', filter: { plan: { eq: 'month' } } })
  t.match(dollars, { currency: 'USD', value: { averageOrderValue: '120' } }, 'by the rate of the last day')
})

t.test('another time zone moves nothing but buckets', async t => {
  const { subscribe, value, simple, made } = await newClub()
  await made('PATCH', '/v1/workspace', { timeZone: 'Asia/Dhaka' })
  await subscribe('a', '2025-01-01', null)
  await subscribe('b', '2025-01-01', '2025-03-01')
  // It is the first of April in Dhaka already.
  const asOf = '2025-03-31T20:00:00Z'
  for (const timeZone of ['Asia/Dhaka', 'America/New_York', 'UTC']) {
    t.match((await value({ asOf, timeZone })).value, { orders: 6, total: '60' }, timeZone)
    near(t, (await simple({ asOf, timeZone })).value.monthlyChurn, 1 / 5, timeZone)
    const months = await value({ asOf, timeZone, interval: 'month' })
    t.match(months.buckets[0], { label: '2025-01', value: { customers: 2 } })
  }
})

t.test('rights, and GraphQL', async t => {
  const poor = sender(origin, await app.newKey(['metrics:read', 'orders:read']))
  const refused = await poor('GET', '/v1/metrics/lifetime-value?basis=subscriptions')
  t.match([refused.status, refused.body.scope], [403, 'subscriptions:read'])
  const { subscribe, send, value } = await newClub()
  await subscribe('a', '2025-01-01', null)
  const asOf = '2025-03-31T20:00:00.000Z'
  const { body } = await send('POST', '/graphql', {
    query: `{ metrics { lifetimeValue(basis: SUBSCRIPTIONS, method: HISTORIC, groupBy: ["plan"], asOf: "${asOf}") {
      value { orders total } groups { key value { total } } } } }`
  })
  t.match(await value({ asOf, groupBy: ['plan'] }), body.data.metrics.lifetimeValue as object)
  t.same(body.data.metrics.lifetimeValue.value, { orders: 3, total: '30' })
})
