import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, makeDeal, makePipeline } from './helpers/funnel.js'
import { workspaceOf, type Json } from './helpers/workspace.js'

const app = await testApp(t, { RATE_LIMIT: '0' })
const asOf = '2025-06-01T00:00:00Z'
const euros = (amount: string) => ({ amount, currency: 'EUR' })

/** A workspace of its own, and what its figures answer with the ids behind their numbers. */
async function newWorld(name: string) {
  const { request, make } = await workspaceOf(app, name)
  const figure = (name: string, more: object = {}): Promise<Json> =>
    done(request('POST', `/v1/metrics/${name}`, { asOf, explain: true, ...more }))
  const company = (name: string) => make('companies', { name })
  return { request, make, figure, company }
}

type World = Awaited<ReturnType<typeof newWorld>>

/** Makes deals that are won, each of a lead that was touched by channels day by day before. */
async function sellerIn({ request, make }: World) {
  const pipeline = await makePipeline(request, ['New', 'won:won', 'lost:lost'])
  return async (channels: string[], fields: object, end = 'won') => {
    const history = [['New', '2025-01-20T00:00:00Z'], [end, '2025-02-01T00:00:00Z']] as const // prettier-ignore
    const dealId = await makeDeal(request, pipeline, history, { openedAt: history[0][1], ...fields })
    const leadId = await make('leads', { lastName: 'Lead', capturedAt: '2025-01-01T00:00:00Z', status: 'converted', dealId }) // prettier-ignore
    for (const [i, channel] of channels.entries())
      await make('touches', { leadId, channel, occurredAt: `2025-01-0${i + 1}T00:00:00Z` })
    return dealId
  }
}

t.test('behind a credit are the deals that its model gives the key a part of', async t => {
  const world = await newWorld('journeys')
  const sell = await sellerIn(world)
  const first = await sell(['ads', 'mail'], euros('100'))
  const second = await sell(['mail', 'fair', 'web', 'direct'], euros('50'))
  const third = await sell(['web', 'web'], euros('7'))
  await sell(['radio', 'web'], euros('9'), 'lost')
  await world.make('costs', { channel: 'direct', category: 'marketing', date: '2025-01-05', ...euros('3') })
  const { value, explain } = await world.figure('attribution')
  const behind = (model: string): Json => {
    const m = (value.models as Json[]).findIndex(found => found.model === model)
    const of = value.models[m].credits as Json[]
    return Object.fromEntries(
      of.map(({ key }, i) => {
        const { conversions, value: worth } = explain.value.models[m].credits[i]
        t.same(worth, conversions, 'the same behind deals and value')
        return [key, conversions.ids as string[]]
      })
    )
  }
  const mail = [first, second].sort()
  const web = [second, third].sort()
  t.same(
    behind('first'),
    { ads: [first], mail: [second], web: [third], direct: [] },
    'a cost alone is no credit'
  )
  t.same(behind('last'), { mail: [first], direct: [second], web: [third] })
  t.same(behind('last_non_direct'), { mail: [first], web, direct: [] })
  const all = { ads: [first], mail, fair: [second], direct: [second], web }
  for (const model of ['linear', 'position', 'w_shaped', 'time_decay', 'shapley']) t.same(behind(model), all, model) // prettier-ignore
  t.same(behind('markov'), { ...all, radio: [] }, 'a key of lost journeys alone has credit and no deal')

  const cut = { models: ['first'], interval: 'month', groupBy: ['amount'] }
  const parts = await world.figure('attribution', cut)
  const group = (parts.groups as Json[]).findIndex(g => Number(g.key.amount) === 100)
  const month = (parts.groups[group].buckets as Json[]).findIndex(b => b.label === '2025-02')
  t.match(parts.groups[group].buckets[month].value.models, [{ credits: [{ key: 'ads', conversions: 1 }] }])
  t.same(parts.explain.groups[group].buckets[month].value.models[0].credits[0].value.ids, [first])
})

t.test('customers are behind lifetime values, and no number of orders has their ids', async t => {
  const { figure, company, make } = await newWorld('orders')
  const [often, once] = [await company('often'), await company('once')]
  for (const [companyId, day] of [
    [often, '01-10'],
    [often, '01-10'],
    [often, '02-03'],
    [once, '01-31']
  ])
    // prettier-ignore
    await make('orders', { companyId, orderedAt: `2025-${day}T10:00:00Z`, ...euros('30') })
  const both = [often, once].sort()
  const parts = { groupBy: ['companyId'], interval: 'month' }
  for (const method of ['historic', 'simple', 'bg_nbd']) {
    const { value, explain, groups } = await figure('lifetime-value', { ...parts, method })
    t.match(value, { customers: 2, orders: 4, orderDays: 3 }, method)
    t.same(explain.value.customers.ids, both)
    t.same(explain.value.averageOrderValue.ids, both)
    const oftens = (groups as Json[]).findIndex(g => g.key.companyId === often)
    t.same(explain.groups[oftens].value.customers.ids, [often])
    for (const of of [explain, explain.buckets[0], explain.groups[oftens], explain.groups[oftens].buckets[0]])
      t.notOk('orders' in of.value || 'orderDays' in of.value, method)
  }
})

t.test('only months that are over as of the figure tell of rates', async t => {
  const { figure, company, make } = await newWorld('months')
  const [stays, leaves] = [await company('stays'), await company('leaves')]
  for (const [companyId, day] of [
    [stays, '03-10'],
    [leaves, '03-10'],
    [stays, '04-05'],
    [stays, '04-06'],
    [stays, '04-07'],
    [stays, '05-02']
  ])
    // prettier-ignore
    await make('orders', { companyId, orderedAt: `2025-${day}T10:00:00Z`, ...euros('30') })
  const rates = async (asOf: string, more: object = {}) => {
    const { value, parameters } = await figure('lifetime-value', { method: 'simple', asOf, ...more })
    return [value.ordersPerMonth, value.monthlyChurn, parameters.calibrationEnd] as unknown[]
  }
  const marchOnly = [1, null, '2025-04-30']
  t.same(await rates('2025-04-30T00:00:01Z'), marchOnly)
  t.same(await rates('2025-04-30T23:59:59.999Z'), marchOnly)
  t.same(await rates('2025-04-30T12:00:00Z', { calibrationEnd: '2025-04-30' }), marchOnly, 'as was answered')
  const april = [5 / 3, 0.5]
  t.same(await rates('2025-05-01T00:00:00Z'), [...april, '2025-05-01'])
  t.same(await rates('2025-05-01T00:00:00Z', { calibrationEnd: '2025-04-30' }), [...april, '2025-04-30'])
  const east = { timeZone: 'Asia/Tokyo' }
  t.same(await rates('2025-04-30T15:00:00Z', east), [...april, '2025-05-01'], 'where it is over already')
  t.same(await rates('2025-04-30T14:59:59Z', east), marchOnly)
})

t.test('churn tells the ids of the buckets of its groups', async t => {
  const { figure, company, make } = await newWorld('club')
  const companyId = await company('member')
  const subscribe = (plan: string, endDate: string | null, recurringAmount: string | null = '10') =>
    make('subscriptions', { companyId, plan, startDate: '2025-01-01', endDate, recurringAmount, ...(recurringAmount && { currency: 'EUR' }) }) // prettier-ignore
  const [gone, stays, other] = [await subscribe('a', '2025-02-10'), await subscribe('a', null), await subscribe('b', '2025-01-20')] // prettier-ignore
  const asked = { from: '2025-01-01', to: '2025-04-01', interval: 'month', groupBy: ['plan'] }
  const { explain, buckets, knownAt } = await figure('churn', asked)
  const behind = (part: Json) => [part.value.subscriptions.ids, part.value.ended.ids] as unknown[]
  const ofA = [gone, stays].sort()
  t.same(behind(explain.groups[0] as Json), [ofA, [gone]])
  t.same([0, 1, 2].map(i => behind(explain.groups[0].buckets[i] as Json)), [[ofA, []], [ofA, [gone]], [[stays], []]]) // prettier-ignore
  t.same(behind(explain.groups[1] as Json), [[other], [other]])
  t.same(behind(explain.groups[1].buckets[0] as Json), [[other], [other]])
  t.same(behind(explain.groups[1].buckets[2] as Json), [[], []])
  t.equal(buckets.length, 3)
  t.same(behind(explain.buckets[1] as Json), [ofA, [gone]])
  for (const pointer of [
    '/groups/0/value/ended',
    '/groups/0/buckets/1/value/ended',
    '/buckets/1/value/ended'
  ]) {
    // prettier-ignore
    const before = JSON.stringify([pointer, '00000000-0000-7000-8000-000000000000'])
    const explainAfter = Buffer.from(before).toString('base64url')
    const { formula: _formula, ...rest } = (await figure('churn', { ...asked, explainAfter, knownAt }))
      .explain as Json
    const wanted = pointer.slice(1).split('/').reduceRight<unknown>((of, name) => ({ [name]: of }), { ids: [gone], nextCursor: null }) // prettier-ignore
    t.same(rest, wanted, 'only the number of the cursor')
  }
})

t.test('costs and customers are behind what new customers cost, in groups too', async t => {
  const world = await newWorld('customers')
  const { figure, company, make } = world
  const sell = await sellerIn(world)
  const [steel, paper, wood] = [await company('Steel'), await company('Paper'), await company('Wood')]
  await sell(['ads', 'mail'], { companyId: steel, ...euros('100') })
  await sell(['mail'], { companyId: paper, ...euros('50') })
  await sell([], { companyId: wood })
  const spend = (channel: string | null, date: string) =>
    make('costs', { channel, category: 'marketing', date, ...euros('30') })
  const [early, ads, radio, office] = [await spend('ads', '2024-12-10'), await spend('ads', '2025-02-01'), await spend('radio', '2025-02-03'), await spend(null, '2025-02-04')] // prettier-ignore
  const asked = { groupBy: ['channel'], model: 'first', interval: 'month' }
  const { value, groups, explain, knownAt } = await figure('acquisition-cost', asked)
  const behind = (part: Json) => [part.value.cost.ids, part.value.newCustomers.ids, part.value.cac.ids] as unknown[] // prettier-ignore
  t.match(value, { cost: '120', newCustomers: 3 })
  const everybody = [steel, paper, wood].sort()
  t.same(behind(explain as Json), [[early, ads, radio, office].sort(), everybody, everybody])
  const place = (channel: string | null) => (groups as Json[]).findIndex(g => g.key.channel === channel)
  const group = (channel: string | null) => behind(explain.groups[place(channel)] as Json)
  t.same(group('ads'), [[early, ads].sort(), [steel], [steel]])
  t.same(group('mail'), [[], [paper], [paper]])
  t.same(group('radio'), [[radio], [], []])
  t.same(group(null), [[office], [wood], [wood]])
  const month = (label: string) => (groups[0].buckets as Json[]).findIndex(b => b.label === label)
  const cell = (label: string) => behind(explain.groups[place('ads')].buckets[month(label)] as Json)
  t.same(cell('2024-12'), [[early], [], []], 'before there was a lead')
  t.equal(groups[place('ads')].buckets[month('2024-12')].value.cost, '30')
  t.same(cell('2025-02'), [[ads], [steel], [steel]])

  const pointer = `/groups/${place('ads')}/value/cost`
  const explainAfter = Buffer.from(JSON.stringify([pointer, [early, ads].sort()[0]])).toString('base64url')
  const rest = await figure('acquisition-cost', { ...asked, explainAfter, knownAt })
  const { formula: _formula, ...left } = rest.explain as Json
  const second = { ids: [[early, ads].sort()[1]], nextCursor: null }
  t.same(left, { groups: { [place('ads')]: { value: { cost: second } } } }, 'a page of it')
  const linear = await figure('acquisition-cost', { ...asked, model: 'linear' })
  const mail = (linear.groups as Json[]).findIndex(g => g.key.channel === 'mail')
  t.same(linear.explain.groups[mail].value.newCustomers.ids, [steel, paper].sort())
})

t.test('what was spent without a lead', async t => {
  const { figure, make } = await newWorld('campaigns')
  const [good, idle] = [await make('campaigns', { name: 'Good', channel: 'ads' }), await make('campaigns', { name: 'Idle', channel: 'ads' })] // prettier-ignore
  await make('leads', { lastName: 'Lead', campaignId: good, capturedAt: '2025-01-10T00:00:00Z' })
  const spend = (campaignId: string | null, from: string, to: string) =>
    make('costs', { campaignId, category: 'marketing', from, to, ...euros('40'), ...(!campaignId && { channel: 'tv' }) }) // prettier-ignore
  const [used, wasted, nobodys] = [await spend(good, '2025-01-30', '2025-02-02'), await spend(idle, '2025-01-01', '2025-01-04'), await spend(null, '2025-01-01', '2025-01-02')] // prettier-ignore
  const asked = { interval: 'month', groupBy: ['campaignId'] }
  const { value, explain, buckets, groups } = await figure('cost-per-lead', asked)
  t.equal(value.spendWithoutLeads, '80')
  const behind = (part: Json) => part.value.spendWithoutLeads.ids as string[]
  t.same(behind(explain as Json), [wasted, nobodys].sort())
  t.same([0, 1].map(i => behind(explain.buckets[i] as Json)), [[wasted, nobodys].sort(), [used]], 'no lead came in February') // prettier-ignore
  t.same(
    (buckets as Json[]).slice(0, 2).map(b => b.value.spendWithoutLeads as string),
    ['80', '20']
  )
  const group = (id: string | null) => explain.groups[(groups as Json[]).findIndex(g => g.key.campaignId === id)] as Json // prettier-ignore
  t.same(
    [good, idle, null].map(id => behind(group(id))),
    [[], [wasted], [nobodys]]
  )
  t.same(
    [0, 1].map(i => behind(group(good).buckets[i] as Json)),
    [[], [used]]
  )
  t.notOk('costPerLead' in explain.value, 'what is worked out of them has none')
})

t.test('sums and shares tell whose they are', async t => {
  const { figure, company, make } = await newWorld('sums')
  const [often, once, poor] = [await company('often'), await company('once'), await company('poor')]
  const order = (companyId: string, day: string, worth: object = euros('30')) =>
    make('orders', { companyId, orderedAt: `2025-${day}T10:00:00Z`, ...worth })
  await order(often, '01-10')
  await order(often, '02-03')
  await order(once, '01-31')
  await order(poor, '01-05', {})
  await order(poor, '05-30', {})
  const retention = await figure('retention')
  const { value } = retention.explain
  t.same([value.inactive.share, value.inactive.n].map(n => n.ids as string[]), [[often, once].sort(), [often, once].sort()]) // prettier-ignore
  t.equal(retention.value.inactive.share, 2 / 3)
  const [cohort] = retention.value.cohorts as Json[]
  t.match(cohort!.cells, [{ active: 3, revenue: '60' }, { active: 1, revenue: '30' }, { active: 0, revenue: '0' }]) // prettier-ignore
  const cells = [0, 1, 2, 4].map(i => value.cohorts[0].cells[i].revenue.ids as string[])
  t.same(cells, [[often, once].sort(), [often], [], []])
  t.same(value.periods[1].revenueBefore.ids, [often, once].sort())
  t.same(value.periods[1].revenueRetained.ids, [often])

  const subscribe = (endDate: string | null, recurringAmount: string | null) =>
    make('subscriptions', { companyId: once, plan: 'a', startDate: '2025-01-01', endDate, recurringAmount, ...(recurringAmount && { currency: 'EUR' }) }) // prettier-ignore
  const [runs, ended, unknown] = [await subscribe(null, '10'), await subscribe('2025-02-10', '5'), await subscribe('2025-02-10', null)] // prettier-ignore
  const churn = await figure('churn')
  t.match(churn.value.recurring, { total: '15', ended: '5' })
  const { recurring } = churn.explain.value
  t.same([recurring.total.ids, recurring.ended.ids, recurring.churn.ids], [[runs, ended].sort(), [ended], [ended]]) // prettier-ignore
  t.same(churn.explain.value.ended.ids, [ended, unknown].sort())

  const world = await newWorld('leads')
  const sell = await sellerIn(world)
  await sell([], euros('1'))
  const leads = (await done(world.request('GET', '/v1/leads'))).data as Json[]
  await world.make('leads', { lastName: 'Other', capturedAt: '2025-01-01T00:00:00Z' })
  const funnel = await world.figure('lead-funnel', { maturedDays: [10, 60] })
  t.match(funnel.value.matured, [{ wonWithin: 0 }, { wonWithin: 1, rate: { value: 0.5 } }])
  t.same(
    [0, 1].map(i => funnel.explain.value.matured[i].rate.ids as string[]),
    [[], [leads[0]!.id]]
  )
})
