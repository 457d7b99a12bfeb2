import t, { type Test } from 'tap'
import { loadOpportunities } from '../scripts/load/crm-opportunities.js'
import { loadLoanOffers } from '../scripts/load/loan-offers.js'
import { sameDealFigures, sameStats } from './helpers/deal-figures-expected.js'
import { sameFunnel, sameMonths, sameOrder, sameSteps } from './helpers/funnel-expected.js'
import type { Send } from './helpers/http.js'
import { closeTo, figure, loaded, referenceSet } from './helpers/reference.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const days = (of: object) => Object.keys(of).map(Number)

const offers = referenceSet('loan-offers')

t.test('loan-offers', { skip: typeof offers === 'string' && offers }, async t => {
  const { folder, expected } = offers as Exclude<typeof offers, string>
  const { app, send } = await loaded(t, loadLoanOffers, folder)
  const asOf = expected.as_of as string
  const zones = Object.keys(expected.cohort_by_created_month as Json)

  t.test('the funnel, ordered and matured', async t => {
    const answer = await figure(send, 'funnel', {
      asOf,
      order: 'ordered',
      windowDays: days(expected.ordered_within_window as Json),
      maturedDays: days(expected.matured_conversion_days as Json)
    })
    sameFunnel(t, answer, expected)
    sameOrder(t, answer, expected.ordered_within_window as Record<string, Json>)
    closeTo(
      t,
      Number(answer.value.wonValue) / answer.value.outcome.won,
      expected.avg_won_value as number,
      'mean'
    )
  })

  t.test('win rate, times and flow', t => sameDealFigures(t, send, { asOf }, expected))

  t.test('by the month of opening and of closing', async t => {
    for (const timeZone of zones) {
      const created = await figure(send, 'funnel', { asOf, timeZone, interval: 'month' })
      sameMonths(t, created, expected.cohort_by_created_month[timeZone] as Record<string, Json>)
      const closed = await figure(send, 'funnel', { asOf, timeZone, interval: 'month', cohort: 'closed' })
      sameMonths(t, closed, expected.closed_by_month[timeZone] as Record<string, Json>)
    }
  })

  t.test('every number is as many deals as are behind it', async t => {
    const { body } = await app.call('GET', `/v1/metrics/funnel?asOf=${encodeURIComponent(asOf)}&explain=true`)
    const last = body.value.stages.length - 1
    const wanted: [pointer: string, number: number][] = [
      ['/value/outcome/open', body.value.outcome.open as number],
      [`/value/stages/${last}/reached`, body.value.stages[last].reached as number],
      ['/value/moves/dealsBackward', body.value.moves.dealsBackward as number]
    ]
    const { knownAt } = body
    for (const [pointer, n] of wanted) {
      const at = (found: Json) =>
        pointer
          .split('/')
          .slice(1)
          .reduce((v, name) => v[name] as Json, found.explain as Json)
      const first = at(body)
      const ids = new Set<string>(first.ids as string[])
      for (let explainAfter = first.nextCursor as string | null; explainAfter !== null;) {
        const page = at(await figure(send, 'funnel', { asOf, knownAt, explain: true, explainAfter }))
        for (const id of page.ids as string[]) ids.add(id)
        explainAfter = page.nextCursor as string | null
      }
      t.equal(ids.size, n, pointer)
    }
  })
})

const opportunities = referenceSet('crm-opportunities')

t.test('crm-opportunities', { skip: typeof opportunities === 'string' && opportunities }, async t => {
  const { folder, expected } = opportunities as Exclude<typeof opportunities, string>
  const { send } = await loaded(t, loadOpportunities, folder)
  await send('PATCH', '/v1/workspace', { baseCurrency: 'USD' })
  const ask = (parameters: object) => figure(send, 'funnel', { durations: 'calendar', ...parameters })

  t.test('the funnel', async t => {
    const { value, excluded } = await ask({})
    const { Won: won, Lost: lost, Engaging, Prospecting } = expected.by_stage
    t.same([value.deals, value.outcome], [expected.rows, { won, lost, open: Engaging + Prospecting }])
    sameSteps(t, value.stages as Json[], expected.funnel_reached as Json[])
    const openNow = (value.stages as Json[]).slice(0, 2).map(s => s.openNow)
    t.same(openNow, [expected.funnel_still_open.Prospecting, expected.funnel_still_open.Engaging])
    t.equal(value.stages[1].lostFrom, expected.funnel_lost_from_engaging)
    closeTo(t, value.winRate.value, expected.win_rate as number, 'win rate')
    closeTo(t, value.winRate.low, expected.win_rate_wilson95[0] as number, 'low')
    closeTo(t, value.winRate.high, expected.win_rate_wilson95[1] as number, 'high')
    closeTo(t, value.wonValue, expected.won_value as number, 'won value')
    t.same(excluded, { handedOver: 0, missingAmount: 0, noFxRate: 0 })
  })

  t.test('by region, product and quarter of closing', async t => {
    const cuts: [wanted: Record<string, Json>, parts: Json[]][] = [
      [expected.by_region, (await ask({ groupBy: ['owner.region'] })).groups],
      [expected.by_product, (await ask({ groupBy: ['customFields.product'] })).groups],
      [expected.by_close_quarter, (await ask({ cohort: 'closed', interval: 'quarter' })).buckets]
    ]
    for (const [wanted, parts] of cuts) {
      const used = parts.filter(p => p.value.deals > 0)
      t.same(used.map(p => p.label as string).sort(), Object.keys(wanted).sort())
      for (const { label, value } of used) sameFunnel(t, { value }, outcomeOf(wanted[label as string]!))
    }
  })

  t.test('groups and buckets of one request fit together', async t => {
    const answer = await ask({ groupBy: ['owner.region', 'company.industry'], interval: 'quarter' })
    const groups = answer.groups as Json[]
    t.ok(
      groups.some(g => g.key['company.industry'] === null),
      'deals without a company are a group'
    )
    const sum = (parts: Json[]) => parts.reduce((n, p) => n + (p.value.deals as number), 0)
    t.equal(sum(groups), answer.value.deals)
    t.equal(sum(answer.buckets as Json[]), answer.value.deals)
    for (const [i, bucket] of (answer.buckets as Json[]).entries())
      t.equal(sum(groups.map(g => g.buckets[i] as Json)), bucket.value.deals)
  })

  t.test('win rate and days to close', t => rateAndDays(t, send, expected))
})

const outcomeOf = ({ deals, won, lost, open, win_rate, won_value }: Json) => ({
  deals,
  outcome: { won, lost, open },
  win_rate,
  won_value
})

/** Won amounts and days from open to close, of all and of each region and product. */
async function rateAndDays(t: Test, send: Send, expected: Json): Promise<void> {
  const rate = await figure(send, 'win-rate', {})
  t.equal(rate.value.medianWonValue, String(expected.median_won_value))
  t.equal(rate.value.lostValue, String(expected.lost_value_sum))
  closeTo(t, rate.value.averageWonValue, expected.avg_won_value as number, 'mean won value')
  const { value } = await figure(send, 'time-to-close', { durations: 'calendar' })
  for (const [state, wanted] of Object.entries<Json>(expected.days_to_close))
    sameStats(t, value[state] as Json, wanted, state)
  const quarters = await figure(send, 'win-rate', { interval: 'quarter' })
  const cuts: [field: string, wanted: Record<string, Json>][] = [
    ['owner.region', expected.by_region],
    ['customFields.product', expected.by_product]
  ]
  const averages = [[quarters.buckets, expected.by_close_quarter]] as [Json[], Record<string, Json>][]
  for (const [field, wanted] of cuts) {
    averages.push([(await figure(send, 'win-rate', { groupBy: [field] })).groups as Json[], wanted])
    const { groups } = await figure(send, 'time-to-close', { durations: 'calendar', groupBy: [field] })
    for (const { label, value } of groups as Json[]) {
      const { mean_days_won: mean, median_days_won: median } = wanted[label as string]!
      closeTo(t, value.won.mean, mean as number, `${label as string}: mean days`)
      closeTo(t, value.won.median, median as number, `${label as string}: median days`)
    }
  }
  for (const [parts, wanted] of averages) {
    for (const [label, { avg_won_value, win_rate }] of Object.entries(wanted)) {
      const found = parts.find(p => p.label === label)!.value as Json
      closeTo(t, found.averageWonValue, avg_won_value as number, `${label}: mean won value`)
      closeTo(t, found.winRate.value, win_rate as number, `${label}: win rate`)
    }
  }
}
