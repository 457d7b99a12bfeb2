import { Big } from 'big.js'
import fc from 'fast-check'
import { done, makePipeline, together, type Pipeline } from './funnel.js'
import type { workspaceOf } from './workspace.js'

/** Calls with the key of one workspace. */
export type Request = Awaited<ReturnType<typeof workspaceOf>>['request']

const hour = 3_600_000
const day = 24 * hour

/** The first instant of generated histories; they cover `days` days, and a change of clocks. */
export const start = Date.parse('2025-01-10T00:00:00Z')
const days = 120

/** That many days after the start, as an instant. */
export const instant = (n: number): string => new Date(start + n * day).toISOString()

/** That many days after the start, as a date. */
export const date = (n: number): string => instant(n).slice(0, 10)

// Whole days as well as hours, so that several facts fall on one instant.
const time = fc.oneof(
  fc.integer({ min: 0, max: days }),
  fc.integer({ min: 0, max: days * 24 }).map(h => h / 24)
)
const dayOf = fc.integer({ min: 0, max: days })
const cents = (max: number) =>
  fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0, max }) }, fc.constant(null))
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 3, arbitrary }, fc.constant(null))
const currency = fc.constantFrom('EUR', 'EUR', 'USD', 'GBP')
const owner = maybe(fc.integer({ min: 0, max: 2 }))
const company = fc.integer({ min: 0, max: 7 })
const campaign = maybe(fc.integer({ min: 0, max: 3 }))
const channel = fc.constantFrom('web', 'fair', 'mail', 'direct')

const row = fc.record({
  at: time,
  stage: fc.constantFrom('a', 'a', 'b', 'b', 'c', 'won', 'won', 'lost', 'x'),
  amount: cents(500_000),
  currency,
  owner,
  expected: maybe(fc.integer({ min: 0, max: days + 60 })),
  probability: maybe(fc.integer({ min: 0, max: 10 }).map(n => n / 10))
})
const deal = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 6 }),
  earlier: fc.constantFrom(0, 0, 2.5),
  company: maybe(company),
  campaign,
  channel: maybe(channel)
})
const lead = fc.record({
  at: time,
  qualifiedAfter: maybe(fc.integer({ min: 0, max: 30 })),
  givenUpAfter: fc.option(fc.integer({ min: 0, max: 40 }), { freq: 2 }),
  campaign,
  channel: maybe(channel),
  owner,
  industry: maybe(fc.constantFrom('steel', 'toys')),
  // The first leads have the first deals, but for some.
  withDeal: fc.boolean()
})
const touch = fc.record({ lead: fc.nat(1000), at: time, channel, campaign })
const order = fc.record({ company, at: time, amount: cents(100_000), currency, owner })
const subscription = fc.record({
  company,
  start: dayOf,
  length: maybe(fc.integer({ min: 0, max: 90 })),
  amount: cents(20_000),
  currency,
  owner,
  plan: maybe(fc.constantFrom('basic', 'pro')),
  interval: fc.constantFrom('month', 'quarter', 'year')
})
const cost = fc.record({
  from: dayOf,
  length: fc.constantFrom(0, 0, 6),
  amount: fc.integer({ min: 0, max: 100_000 }),
  currency,
  campaign,
  category: fc.constantFrom('marketing', 'sales')
})
const many = <T>(arbitrary: fc.Arbitrary<T>, minLength: number, maxLength: number) =>
  fc.array(arbitrary, { minLength, maxLength })

/** What may have happened in a small company: deals, leads and what touched them, orders, subscriptions and costs. */
export const history = fc.record({
  deals: many(deal, 18, 30),
  leads: many(lead, 18, 30),
  touches: many(touch, 40, 70),
  orders: many(order, 25, 40),
  subscriptions: many(subscription, 12, 20),
  costs: many(cost, 8, 14)
})

/** A generated history. */
export type History = typeof history extends fc.Arbitrary<infer H> ? H : never

/** How a history is told: in which currencies, and how much of each amount. */
export interface Told {
  /** The currency that stands for another one. */
  currencyOf?: (currency: string) => string
  /** What every amount is multiplied by. */
  by?: number
}

/** A workspace that a history was written to. */
export interface Place {
  request: Request
  pipeline: Pipeline
  companies: string[]
  people: string[]
  campaigns: string[]
  /** What an id is of, as `deal 3`, for what is compared between workspaces. */
  names: Map<string, string>
}

async function createAll(
  { request, names }: Pick<Place, 'request' | 'names'>,
  resource: string,
  bodies: readonly object[]
): Promise<string[]> {
  if (bodies.length === 0) return []
  const operations = bodies.map(body => ({ op: 'create', body }))
  const { results } = await done(request('POST', `/v1/${resource}/batch`, { atomic: true, operations }))
  const ids = (results as { id: string }[]).map(r => r.id)
  const from = [...names.values()].filter(n => n.startsWith(`${resource} `)).length
  ids.forEach((id, i) => names.set(id, `${resource} ${from + i}`))
  return ids
}

/** A workspace in Berlin and euros with people, customers, campaigns and a pipeline, where nothing has happened yet. */
export async function emptyPlace(request: Request): Promise<Place> {
  await done(request('PATCH', '/v1/workspace', { baseCurrency: 'EUR', timeZone: 'Europe/Berlin' }))
  const names = new Map<string, string>()
  const place = { request, names }
  const make = (resource: string, bodies: object[]) => createAll(place, resource, bodies)
  const people = await make(
    'users',
    ['Ann', 'Ben', 'Cleo'].map(name => ({ name, email: `${name.toLowerCase()}@example.com`, role: 'rep' }))
  )
  const industries = ['steel', 'toys', null]
  const companies = await make(
    'companies',
    Array.from({ length: 8 }, (_, i) => ({ name: `Company ${i}`, industry: industries[i % 3] }))
  )
  const campaigns = await make(
    'campaigns',
    ['web', 'fair', 'mail', 'web'].map((channel, i) => ({ name: `Campaign ${i}`, channel }))
  )
  const condition = { eq: 'steel' }
  await make('scoring-rules', [
    { field: 'industry', condition, points: 7, group: 'fit' },
    { field: 'touches.channel', condition: { eq: 'web' }, points: 8, group: 'activity', halfLifeDays: 10 }
  ])
  const here = await makePipeline(request, ['a', 'b', 'c', 'won:won', 'lost:lost'], 'Here')
  const there = await makePipeline(request, ['x'], 'There')
  const pipeline = together(here, there)
  names.set(here.id, 'pipeline')
  for (const [name, id] of Object.entries(pipeline.stage)) names.set(id, `stage ${name}`)
  return { request, pipeline, people, companies, campaigns, names }
}

const of = (ids: readonly string[], i: number | null): string | null => (i === null ? null : ids[i]!)

/** Writes a history into a workspace through its API; answers the ids of the deals and leads. */
export async function tell(
  place: Place,
  { deals, leads, touches, orders, subscriptions, costs }: History,
  { currencyOf = c => c, by = 1 }: Told = {}
): Promise<{ deals: string[]; leads: string[] }> {
  const { people, companies, campaigns, pipeline } = place
  const money = (amount: number | null, currency: string) => ({
    amount: amount === null ? null : new Big(amount).div(100).times(by).toFixed(),
    currency: currencyOf(currency)
  })
  const make = (resource: string, bodies: object[]) => createAll(place, resource, bodies)
  const dealIds = await make(
    'deals',
    deals.map(({ rows, earlier, company, campaign, channel }) => ({
      name: 'Deal',
      openedAt: instant(Math.min(...rows.map(r => r.at)) - earlier),
      companyId: of(companies, company),
      campaignId: of(campaigns, campaign),
      sourceChannel: channel,
      history: rows.map(({ at, stage, amount, currency, owner, expected, probability }) => ({
        at: instant(at),
        stageId: pipeline.stage[stage],
        ...money(amount, currency),
        ownerId: of(people, owner),
        expectedCloseDate: expected === null ? null : date(expected),
        probability
      }))
    }))
  )
  const leadIds = await make(
    'leads',
    leads.map(({ at, qualifiedAfter, givenUpAfter, campaign, channel, owner, industry, withDeal }, i) => ({
      lastName: `Lead ${i}`,
      capturedAt: instant(at),
      ...(qualifiedAfter !== null && { status: 'qualified', qualifiedAt: instant(at + qualifiedAfter) }),
      ...(givenUpAfter !== null && { status: 'unqualified', unqualifiedAt: instant(at + givenUpAfter) }),
      campaignId: of(campaigns, campaign),
      sourceChannel: channel,
      ownerId: of(people, owner),
      industry,
      ...(withDeal && i < dealIds.length && { dealId: dealIds[i] })
    }))
  )
  await make(
    'touches',
    touches.map(({ lead, at, channel, campaign }) => ({
      leadId: leadIds[lead % leadIds.length],
      occurredAt: instant(at),
      channel,
      campaignId: of(campaigns, campaign)
    }))
  )
  await make(
    'orders',
    orders.map(({ company, at, amount, currency, owner }) => ({
      companyId: companies[company],
      orderedAt: instant(at),
      ...money(amount, currency),
      ownerId: of(people, owner)
    }))
  )
  await make(
    'subscriptions',
    subscriptions.map(({ company, start, length, amount, currency, owner, plan, interval }) => {
      const { amount: recurringAmount, currency: inCurrency } = money(amount, currency)
      const endDate = length === null ? null : date(start + length)
      const own = { companyId: companies[company], ownerId: of(people, owner) }
      return {
        ...own,
        startDate: date(start),
        endDate,
        recurringAmount,
        currency: inCurrency,
        plan,
        interval
      }
    })
  )
  await make(
    'costs',
    costs.map(({ from, length, amount, currency, campaign, category }) => ({
      ...(length === 0 ? { date: date(from) } : { from: date(from), to: date(from + length) }),
      ...money(amount, currency),
      campaignId: of(campaigns, campaign),
      category
    }))
  )
  return { deals: dealIds, leads: leadIds }
}

/** Exchange rates of a workspace, by currency and day. */
export async function rates(request: Request, rates: Record<string, Record<number, string>>): Promise<void> {
  const bodies = Object.entries(rates).flatMap(([currency, of]) =>
    Object.entries(of).map(([n, rateToBase]) => ({ currency, date: date(Number(n)), rateToBase }))
  )
  await createAll({ request, names: new Map() }, 'exchange-rates', bodies)
}
