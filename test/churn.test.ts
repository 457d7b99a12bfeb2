import t, { type Test } from 'tap'
import { Client } from '../scripts/load/client.js'
import { churnDay, loadSubscriptionChurn } from '../scripts/load/subscription-churn.js'
import { testApp } from './helpers/app.js'
import { sender, type Send } from './helpers/http.js'
import { as, identity } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'
import { expectedOf, hasReference, near, referenceFolder, type Json } from './helpers/expected.js'

const app = await testApp(t, { RATE_LIMIT: '0' })
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })

interface Club {
  send: Send
  churn(parameters?: object): Promise<Json>
  /** A subscription of a customer by name. */
  subscribe(customer: string, startDate: string, endDate: string | null, amount?: string | null, more?: object): Promise<string> // prettier-ignore
}

async function newClub(): Promise<Club> {
  const key = await app.newKey(['admin'], await app.newWorkspace('club'))
  const send = sender(origin, key)
  const made = async (path: string, body: object): Promise<Json> => {
    const reply = await send('POST', path, body)
    if (reply.status >= 300) throw new Error(reply.text)
    return reply.body
  }
  const known = new Map<string, string>()
  return {
    send,
    churn: parameters => made('/v1/metrics/churn', parameters ?? {}),
    async subscribe(name, startDate, endDate, amount = '10', more = {}) {
      if (!known.has(name)) known.set(name, (await made('/v1/companies', { name })).id as string)
      const body = { companyId: known.get(name), startDate, endDate, recurringAmount: amount, currency: 'EUR', ...more } // prettier-ignore
      return (await made('/v1/subscriptions', body)).id as string
    }
  }
}

t.test('7,043 subscribers', { skip: !hasReference && 'the reference data is not there' }, async t => {
  const key = await app.newKey(['admin'], await app.newWorkspace('telephone'))
  const send = sender(origin, key)
  const loading = { client: new Client(origin, key), tell: () => undefined }
  await loadSubscriptionChurn(loading, referenceFolder('subscription-churn'))
  const expected = await expectedOf('subscription-churn')
  const tenures = Object.keys(expected.km_survival_months as Json).map(Number)
  const parameters = { asOf: `${churnDay}T00:00:00Z`, tenures, horizon: 72 }
  const { body } = await send('POST', '/v1/metrics/churn', { ...parameters, groupBy: ['term'] })
  const { value, groups, warnings } = body
  t.match(value, { subscriptions: expected.customers, ended: expected.churned, kmMedian: expected.km_median })
  near(t, value.share.value, expected.churn_rate, 'share')
  for (const { tenure, share } of value.survival as Json[])
    near(t, share, expected.km_survival_months[String(tenure)], `S(${tenure})`)
  t.equal(value.survival.length, tenures.length)
  near(t, value.restrictedMean, expected.restricted_mean_tenure_72, 'restricted mean')
  near(t, value.recurring.total, expected.mrr_total, 'recurring')
  near(t, value.recurring.ended, expected.mrr_churned, 'recurring that ended')
  near(t, value.recurring.churn, expected.revenue_churn_rate_monthly_charges, 'recurring churn')
  t.same(warnings, [])
  t.equal((groups as Json[]).length, 3)
  t.equal(
    (groups as Json[]).reduce((n, g) => n + (g.value.ended as number), 0),
    expected.churned
  )
  // Nobody has been charged in total before the first month is over: those are the blank totals of the file.
  const young = { filter: { startDate: { eq: churnDay } } }
  const count = (await send('POST', '/v1/subscriptions/aggregate', young)).body.data[0].count as number
  t.same([count, count], [expected.zero_tenure, expected.blank_total_charges])
  const query = new URLSearchParams({ asOf: parameters.asOf, tenures: tenures.join(), groupBy: 'term' })
  const get = await send('GET', `/v1/metrics/churn?${query.toString()}`)
  t.same(get.body.value, value, 'GET answers as POST')
  const graph = await send('POST', '/graphql', {
    query: 'query($asOf: DateTime) { metrics { churn(asOf: $asOf) { value { subscriptions ended kmMedian restrictedMean monthlyChurn { value numerator denominator } } } } }',
    variables: { asOf: parameters.asOf }
  }) // prettier-ignore
  t.match(value, graph.body.data.metrics.churn.value, 'and so does GraphQL')

  const worth = async (method: string) =>
    (
      await send(
        'GET',
        `/v1/metrics/lifetime-value?method=${method}&basis=subscriptions&asOf=${parameters.asOf}`
      )
    ).body.value as Json
  const simple = await worth('simple')
  t.match(simple, {
    customers: expected.customers,
    ordersPerMonth: 1,
    monthlyChurn: value.monthlyChurn.value
  })
  const monthly = expected.mrr_total / expected.customers
  near(t, simple.averageOrderValue, monthly, 'a month of a subscriber')
  near(t, simple.undiscounted, monthly / value.monthlyChurn.value, 'lifetime value of a subscriber')
  const historic = await worth('historic')
  const running = expected.customers - expected.churned
  t.equal(
    historic.orders,
    value.monthlyChurn.denominator + running,
    'each completed month was paid, and one begins'
  )
})

const curve = ({ value }: Json) => (value.survival as Json[]).map(s => s.share as number | null)

t.test('tenure in completed calendar months', async t => {
  const { churn, subscribe } = await newClub()
  await subscribe('a', '2025-01-31', '2025-02-28')
  await subscribe('b', '2025-01-15', '2025-02-14')
  await subscribe('c', '2024-02-29', '2025-02-28')
  await subscribe('d', '2025-01-01', null)
  const found = await churn({ asOf: '2025-03-01T00:00:00Z', tenures: [0, 1, 2, 11, 12] })
  t.match(found.value, {
    subscriptions: 4,
    ended: 3,
    monthlyChurn: { numerator: 3, denominator: 15, value: 0.2 }
  })
  t.same(curve(found), [0.75, 0.5, 0.5, 0.5, 0])
  t.equal(found.value.kmMedian, 1)
  const before = await churn({ asOf: '2025-02-14T00:00:00Z' })
  t.match(before.value, { subscriptions: 4, ended: 1 }, 'what ends later still runs')
  const earlier = await churn({ asOf: '2025-01-10T00:00:00Z', tenures: [0, 1, 24] })
  t.match(earlier.value, { subscriptions: 2, ended: 0, share: { value: 0 }, kmMedian: null })
  t.same(curve(earlier), [1, 1, null])
  t.match(earlier.reasons, { '/value/survival/2/share': 'not_observed', '/value/kmMedian': 'none_ended' })
  t.match(earlier.warnings, [{ code: 'horizon_not_observed' }])
})

t.test('a period', async t => {
  const { churn, subscribe, send } = await newClub()
  await subscribe('stays', '2024-01-01', null, '100')
  await subscribe('leaves', '2024-10-01', '2025-02-01', '50')
  await subscribe('changes', '2024-01-01', '2025-03-01', '40')
  await subscribe('changes', '2025-03-01', null, '120', { interval: 'quarter' })
  await subscribe('grows', '2024-06-01', null, '10')
  await subscribe('grows', '2025-02-10', null, '30')
  await subscribe('new', '2025-02-01', null, '1000')
  await subscribe('gone before', '2023-01-01', '2024-12-31', '70')
  const asOf = '2025-06-01T00:00:00Z'
  const quarter = { from: '2025-01-01', to: '2025-04-01', asOf }
  const found = await churn({ ...quarter, interval: 'month', explain: true, groupBy: ['interval'] })
  t.match(found.value, { subscriptions: 7, ended: 2, recurring: { total: '1270', ended: '90' } })
  near(t, found.value.grossRevenueRetention, 150 / 200, 'gross')
  near(t, found.value.netRevenueRetention, 180 / 200, 'net')
  const buckets = found.buckets as Json[]
  t.same(
    buckets.map(b => [b.label, b.value.subscriptions, b.value.ended, b.value.monthlyChurn.denominator]),
    [['2025-01', 4, 0, 4], ['2025-02', 6, 1, 4], ['2025-03', 6, 1, 5]] // prettier-ignore
  )
  t.match(buckets[1]!.value, { grossRevenueRetention: 0.75, netRevenueRetention: 0.9 })
  t.equal(found.value.monthlyChurn.denominator, 13, 'the months of the buckets add up')
  t.same((found.groups as Json[]).map(g => [g.key.interval, g.value.subscriptions, g.buckets.length]), [
    ['month', 6, 3],
    ['quarter', 1, 3]
  ]) // prettier-ignore
  t.equal(found.explain.value.ended.ids.length, 2)
  const { body } = await send('POST', '/v1/metrics/churn', { asOf })
  t.match(body.value, { subscriptions: 8, ended: 3, grossRevenueRetention: null })
  t.equal(body.reasons['/value/netRevenueRetention'], 'no_start')
})

t.test('one that began before the period is at risk from the tenure that it had', async t => {
  const { churn, subscribe } = await newClub()
  await subscribe('a', '2024-01-01', '2024-03-01')
  await subscribe('b', '2024-01-01', '2024-12-01')
  await subscribe('c', '2024-12-01', '2025-01-01')
  await subscribe('d', '2024-09-01', null)
  const asOf = '2025-04-01T00:00:00Z'
  const found = await churn({ from: '2024-10-01', asOf, tenures: [1, 3, 11] })
  t.same(curve(found), [0.5, 0.5, 0])
  t.match(found.value, { subscriptions: 3, ended: 2, monthlyChurn: { denominator: 2 + 1 + 6 } })
})

t.test('amounts that are unknown or cannot be converted are in no sum', async t => {
  const { churn, subscribe, send } = await newClub()
  await send('POST', '/v1/exchange-rates', { date: '2025-01-01', currency: 'USD', rateToBase: '0.5' })
  await subscribe('a', '2025-01-01', '2025-02-01', '100', { currency: 'USD' })
  await subscribe('b', '2025-01-01', null, null)
  await subscribe('c', '2025-01-01', '2025-02-01', '7', { currency: 'XTS' })
  await subscribe('d', '2025-01-01', null, '12', { interval: 'year' })
  const found = await churn({ asOf: '2025-03-01T00:00:00Z' })
  t.match(found, {
    currency: 'EUR',
    value: { subscriptions: 4, ended: 2, recurring: { total: '51', ended: '50' } },
    excluded: { missingAmount: 1, noFxRate: 1 }
  })
  const empty = await churn({ asOf: '2020-01-01T00:00:00Z' })
  t.match(empty, {
    value: {
      subscriptions: 0,
      share: { value: null },
      restrictedMean: null,
      recurring: { total: null, churn: null }
    },
    reasons: { '/value/share': 'no_subscriptions', '/value/recurring/total': 'nothing_valued' }
  })
})

t.test('an end that was recorded later is not known before', async t => {
  const { churn, subscribe, send } = await newClub()
  const id = await subscribe('a', '2024-01-01', null)
  const before = await churn()
  t.equal((await send('PATCH', `/v1/subscriptions/${id}`, { endDate: '2024-06-01' })).status, 200)
  t.equal((await churn()).value.ended, 1)
  const { asOf, knownAt } = before as { asOf: string; knownAt: string }
  t.same((await churn({ asOf, knownAt })).value, before.value)
  t.equal((await send('DELETE', `/v1/subscriptions/${id}`)).status, 204)
  t.equal((await churn()).value.subscriptions, 0, 'in the bin')
})

t.test('whose subscriptions', async t => {
  const { newUser, tokenOf } = identity(app)
  const rep = await newUser('rep')
  const { id } = (await app.call('POST', '/v1/companies', { name: 'Shared' })).body
  const body = { companyId: id, startDate: '2024-01-01', recurringAmount: '10', currency: 'EUR' }
  for (const ownerId of [rep.id, null, null])
    await app.call('POST', '/v1/subscriptions', { ...body, ownerId })
  const of = async (headers?: Record<string, string>) =>
    (await app.call('GET', '/v1/metrics/churn', undefined, headers)).body.value.subscriptions as number
  t.same([await of(), await of(as(tokenOf(rep)))], [3, 1])
  const { key } = await identity(app).makeKey({ scopes: ['metrics:read'] })
  const refused = await app.call('GET', '/v1/metrics/churn', undefined, as(key))
  isProblem(t, refused, { status: 403, code: 'forbidden' })
})

t.test('rules of the records', async t => {
  const { send, subscribe } = await newClub()
  const id = await subscribe('a', '2025-01-01', '2025-01-01')
  const wrong: [object, number, string][] = [
    [{ endDate: '2024-12-31' }, 422, '/endDate'],
    [{ companyId: null }, 422, '/companyId'],
    [{ recurringAmount: '-1' }, 422, '/recurringAmount'],
    [{ currency: null }, 422, '/currency'],
    [{ interval: 'day' }, 400, '/interval'],
    [{ startDate: null }, 400, '/startDate']
  ]
  const check = (t: Test, { status, body }: { status: number; body: Json }, [patch, wanted, pointer]: (typeof wrong)[0]) =>
    t.match({ status, body }, { status: wanted, body: { errors: [{ pointer }] } }, JSON.stringify(patch)) // prettier-ignore
  for (const row of wrong) check(t, await send('PATCH', `/v1/subscriptions/${id}`, row[0]), row)
})
