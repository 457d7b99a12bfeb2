import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, makeDeal, makePipeline } from './helpers/funnel.js'
import { workspaceOf, type Json } from './helpers/workspace.js'

const app = await testApp(t)

let places = 0

async function newPlace() {
  const { request, make } = await workspaceOf(app, `place ${places++}`)
  await done(request('PATCH', '/v1/workspace', { baseCurrency: 'EUR', timeZone: 'UTC' }))
  const pipeline = await makePipeline(request, ['a', 'won:won', 'lost:lost'])
  const figure = async (name: string, given: object = {}): Promise<Json> =>
    await done(request('POST', `/v1/metrics/${name}`, given))
  return { request, make, pipeline, figure }
}

type Place = Awaited<ReturnType<typeof newPlace>>

/** The database's clock: what is recorded from here on was not known then. */
const now = async ({ figure }: Place) => (await figure('churn')).asOf as string

const at = (day: string) => `${day}T00:00:00Z`

const touch = ({ make }: Place, whose: object, channel: string, day: string) =>
  make('touches', { ...whose, channel, occurredAt: at(day) })

const wonDeal = async ({ request, pipeline }: Place, more: object = {}) => {
  const history = [
    { stageId: pipeline.stage.a, at: at('2025-01-10') },
    { stageId: pipeline.stage.won, at: at('2025-02-01') }
  ]
  const deal = await done(request('POST', '/v1/deals', { name: 'Won', amount: '10', currency: 'EUR', history, ...more })) // prettier-ignore
  return deal.id as string
}

t.test('who is in the bin costs nobody else a customer', async t => {
  const place = await newPlace()
  const { request, make, figure } = place
  const companyId = await make('companies', { name: 'Customer' })
  await wonDeal(place, { companyId })
  await make('orders', { companyId, amount: '10', currency: 'EUR', orderedAt: at('2025-02-01') })
  const found = async () => {
    const asked = await Promise.all(['deal', 'order'].map(n => figure('acquisition-cost', { new: n })))
    return asked.map(({ value }) => value.newCustomers as number)
  }
  t.same(await found(), [1, 1])
  for (const resource of ['contacts', 'companies']) {
    const id = await make(resource, resource === 'contacts' ? { firstName: 'Else' } : { name: 'Else' })
    await done(request('DELETE', `/v1/${resource}/${id}`))
    t.same(await found(), [1, 1], `of ${resource}`)
  }
  await done(request('DELETE', `/v1/companies/${companyId}`))
  t.same(await found(), [0, 0], 'but who is in the bin is no customer')
})

t.test('an earlier move that is recorded later was not known', async t => {
  const place = await newPlace()
  const { request, make, pipeline, figure } = place
  const dealId = await makeDeal(request, pipeline, [['a', at('2025-03-10')]])
  await make('leads', { firstName: 'L', capturedAt: at('2025-01-01'), dealId, status: 'working' })
  const knownAt = await now(place)
  const told = async () => {
    const march = { from: '2025-03-01', to: '2025-04-01', flow: true, knownAt }
    const january = { from: '2025-01-10', to: '2025-02-01', models: ['first'], knownAt }
    return [
      (await figure('lead-funnel', march)).value.withDeal,
      (await figure('lead-funnel', { asOf: at('2025-02-15'), knownAt })).value.withDeal,
      (await figure('attribution', january)).value.censored
    ] as number[]
  }
  t.same(await told(), [1, 0, 0])
  await done(request('POST', `/v1/deals/${dealId}/move`, { stageId: pipeline.stage.a, at: at('2025-01-15') }))
  t.same(await told(), [1, 0, 0])
  const { value } = await figure('lead-funnel', { asOf: at('2025-02-15') })
  t.equal(value.withDeal, 1, 'now it is known')
})

t.test('a lead that is recorded later is no milestone of a journey before', async t => {
  const place = await newPlace()
  const { make, figure } = place
  const contactId = await make('contacts', { firstName: 'C' })
  const dealId = await wonDeal(place, { primaryContactId: contactId })
  for (const [channel, day] of [
    ['ads', '2025-01-01'],
    ['mail', '2025-01-05'],
    ['seo', '2025-01-08']
  ] as const)
    // prettier-ignore
    await touch(place, { contactId }, channel, day)
  const knownAt = await now(place)
  const shares = async () => {
    const { value } = await figure('attribution', { models: ['w_shaped'], scope: 'deal', knownAt })
    return (value.models[0].credits as Json[]).map(c => c.conversions as number)
  }
  const before = await shares()
  await make('leads', { firstName: 'L', capturedAt: at('2025-01-06'), dealId })
  t.same(await shares(), before)
  const { value } = await figure('attribution', { models: ['w_shaped'], scope: 'deal' })
  t.not((value.models[0].credits as Json[])[0]!.conversions, before[0], 'now it is')
})

t.test('a lead that is converted into another deal had the one before', async t => {
  const place = await newPlace()
  const { request, make, pipeline, figure } = place
  const dealId = await wonDeal(place)
  const lead = { firstName: 'L', companyName: 'C', capturedAt: at('2025-01-01'), dealId, status: 'working' }
  const leadId = await make('leads', lead)
  const knownAt = await now(place)
  const told = async () => {
    const answers = [
      await figure('lead-funnel', { knownAt }),
      await figure('lead-funnel', { asOf: at('2025-06-01') })
    ]
    return answers.map(({ value }) => [value.withDeal as number, value.customers as number])
  }
  const before = await told()
  t.same(before[0], [1, 1])
  const create = { name: 'Other', stageId: pipeline.stage.a }
  await done(request('POST', `/v1/leads/${leadId}/convert`, { deal: { create } }))
  t.same(await told(), before)
  const { value } = await figure('lead-funnel')
  t.match(value, { withDeal: 1, customers: 0 }, 'now it has the other one')
})

t.test('what was corrected since is as it was known', async t => {
  const place = await newPlace()
  const { request, make, figure } = place
  const companyId = await make('companies', { name: 'Customer' })
  const id = await make('orders', { companyId, amount: '10', currency: 'EUR', orderedAt: at('2025-02-01') })
  const knownAt = await now(place)
  const totals = async () =>
    (await Promise.all([figure('lifetime-value', { knownAt }), figure('lifetime-value')])).map(a => a.value.total as string) // prettier-ignore
  t.same(await totals(), ['10', '10'])
  await done(request('PATCH', `/v1/orders/${id}`, { amount: '12' }))
  await done(request('PATCH', `/v1/orders/${id}`, { amount: '15', orderedAt: at('2025-03-01') }))
  t.same(await totals(), ['10', '15'])
  await make('orders', { companyId, amount: '100', currency: 'EUR', orderedAt: at('2020-01-01') })
  t.same(await totals(), ['10', '115'], 'what was recorded later')
  t.equal((await figure('retention', { interval: 'month', knownAt })).value.cohorts.length, 1)
  const march = { from: '2025-03-01', to: '2025-04-01' }
  t.equal((await figure('lifetime-value', { ...march, knownAt })).value.customers, 0, 'it came in February')
  t.equal((await figure('lifetime-value', march)).value.customers, 0, 'of 2020 by now')
  await done(request('DELETE', `/v1/orders/${id}`))
  t.same(await totals(), ['0', '100'], 'the bin is as it is now')
})

t.test('a period that has not begun holds no months, and each year has its own rate', async t => {
  const place = await newPlace()
  const { make, figure } = place
  for (const [date, rateToBase] of [
    ['2025-01-01', '1'],
    ['2026-02-01', '2']
  ])
    // prettier-ignore
    await make('exchange-rates', { currency: 'USD', date, rateToBase })
  const companyId = await make('companies', { name: 'Customer' })
  await make('subscriptions', { companyId, startDate: '2025-01-01', recurringAmount: '10', currency: 'USD' })
  const asOf = at('2026-06-01')
  const ahead = await figure('churn', { from: '2027-06-01', to: '2027-07-01', asOf })
  t.match(ahead.value, { subscriptions: 0, monthlyChurn: { denominator: 0, value: null } })
  const alone = await figure('churn', { from: '2025-01-01', to: '2026-01-01', asOf })
  const { buckets } = await figure('churn', { from: '2025-01-01', to: '2026-06-01', interval: 'year', asOf })
  const years = (buckets as Json[]).map(b => b.value.recurring.total as string)
  t.same(years, [alone.value.recurring.total, '20'])
  t.equal(alone.value.recurring.total, '10')
})
