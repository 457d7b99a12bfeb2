import t, { type Test } from 'tap'
import { loadOpportunities } from '../scripts/load/crm-opportunities.js'
import { loadLoanOffers } from '../scripts/load/loan-offers.js'
import type { Send } from './helpers/http.js'
import { closeTo, figure, loaded, referenceSet } from './helpers/reference.js'
import { expectedOf, near } from './helpers/expected.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const day = 86_400_000
const iso = (ms: number) => new Date(ms).toISOString()
const byMethod = (methods: Json[]): Record<string, Json> =>
  Object.fromEntries(methods.map(m => [m.method as string, m]))

const offers = referenceSet('loan-offers')

t.test('loan-offers', { skip: typeof offers === 'string' && offers }, async t => {
  const { folder } = offers as Exclude<typeof offers, string>
  const expected = await expectedOf('loan-offers-forecast')
  const { send } = await loaded(t, loadLoanOffers, folder)
  const timeZone = expected.pipeline.time_zone as string
  const names: Record<string, string> = { win_rate: 'overall_win_rate' }

  for (const [cutoff, wanted] of Object.entries(expected.cutoffs as Record<string, Json>)) {
    const from = Date.parse(cutoff)
    const window = { from: iso(from), to: iso(from + wanted.horizon_days * day), timeZone, deals: 'open' }
    await t.test(cutoff, async t => {
      const { value } = await figure(send, 'forecast', { ...window, asOf: iso(from - 1), backtest: 0 })
      t.match(value, {
        horizonDays: wanted.horizon_days,
        openDeals: wanted.open_deals,
        deals: wanted.open_deals
      })
      for (const { stage, deals } of value.byStage as Json[])
        t.equal(deals, wanted.open_by_stage[stage.name] ?? 0, stage.name as string)
      const methods = byMethod(value.methods as Json[])
      for (const name of ['win_rate', 'stage_conversion', 'age_conditional', 'stage_age_conditional']) {
        const { won, value: amount } = wanted.expected[names[name] ?? name] as Json
        closeTo(t, methods[name]!.expectedWon, won as number, `${name}: won`)
        near(t, methods[name]!.value, amount as number, `${name}: value`)
        t.equal(methods[name]!.interval.kind, 'drawn')
        t.notOk(methods[name]!.fallback, `${name}: enough closed deals in every stage`)
      }
      near(t, methods.stage_age_conditional!.expectedWonSd, wanted.count_sd_stage_age as number, 'deviation')
      t.equal(methods.run_rate!.expectedWon, wanted.run_rate_previous_window.won)
      near(t, methods.run_rate!.value, wanted.run_rate_previous_window.value as number, 'run rate')
      t.equal(methods.weighted!.value, null, 'the stages have no probability')
    })
    await t.test(`${cutoff}, what was known`, t => knownThen(t, send, wanted, iso(from - 1)))
    await t.test(`${cutoff}, seen from later`, async t => {
      const to = from + 2 * wanted.horizon_days * day
      const { value } = await figure(send, 'forecast', {
        ...window,
        from: window.to,
        to: iso(to),
        asOf: iso(to),
        backtest: 1
      })
      const [found] = value.backtest.windows as Json[]
      t.match(found, { from: window.from, to: window.to })
      for (const [name, of] of [
        ['actualFromOpen', 'actual_from_open'],
        ['actual', 'actual_all']
      ] as const) {
        t.equal(found![name].n, wanted[of].won, name)
        near(t, found![name].value, wanted[of].value as number, name)
      }
      const methods = byMethod(found!.methods as Json[])
      for (const name of ['win_rate', 'stage_conversion', 'age_conditional', 'stage_age_conditional']) {
        const of = wanted.expected[names[name] ?? name] as Json
        near(
          t,
          methods[name]!.won / found!.actualFromOpen.n - 1,
          of.error_won as number,
          `${name}: error of deals`
        )
        near(t, methods[name]!.error, of.error_value as number, `${name}: error`)
      }
      const accuracy = byMethod(value.backtest.methods as Json[])
      near(
        t,
        accuracy.age_conditional!.mape,
        Math.abs(methods.age_conditional!.error as number),
        'mean error'
      )
      const least = Math.min(...Object.values(accuracy).map(a => (a.mape as number | null) ?? Infinity))
      t.equal(accuracy[value.backtest.best as string]!.mape, least, 'the best')
    })
  }
})

const opportunities = referenceSet('crm-opportunities')

t.test('crm-opportunities', { skip: typeof opportunities === 'string' && opportunities }, async t => {
  const { folder, expected } = opportunities as Exclude<typeof opportunities, string>
  const { send } = await loaded(t, loadOpportunities, folder)
  await send('PATCH', '/v1/workspace', { baseCurrency: 'USD' })
  const wanted = expected.forecast_backtest['2017-06-30'] as Json
  const { body } = await send('GET', '/v1/stages?limit=10')
  const prospecting = (body.data as Json[]).find(s => s.name === 'Prospecting')!.id as string
  const window = {
    from: '2017-07-01',
    to: '2017-10-01',
    asOf: '2017-06-30T23:59:59.999Z',
    deals: 'open',
    durations: 'calendar',
    filter: { stageId: { ne: prospecting } },
    backtest: 0
  }

  await t.test('a quarter as it was ahead', async t => {
    const priced = await figure(send, 'forecast', {
      ...window,
      missingAmount: 'list_price',
      methods: ['win_rate']
    })
    t.match(priced.value, { openDeals: wanted.open_deals, horizonDays: wanted.horizon_days })
    near(t, priced.value.methods[0].value, wanted.naive_weighted_list_price as number, 'at list price')
    const { value } = await figure(send, 'forecast', {
      ...window,
      missingAmount: 'mean_won',
      amounts: 'drawn',
      quantiles: [0.05, 0.1, 0.5, 0.9, 0.95]
    })
    const methods = byMethod(value.methods as Json[])
    near(t, methods.win_rate!.value, wanted.weighted_mean_won_value as number, 'at mean won value')
    near(t, methods.age_conditional!.value, wanted.age_conditional_incidence as number, 'by age')
    near(t, methods.age_conditional!.sd, wanted.analytic_sd as number, 'deviation')
    near(t, methods.run_rate!.value, wanted.previous_window_total as number, 'run rate')
    near(t, value.newBusiness.value, wanted.previous_window_new_business as number, 'new business')
    for (const { p, total } of methods.age_conditional!.interval.quantiles as Json[])
      near(t, total, wanted.monte_carlo_open_only[`p${p * 100}`] as number, `p${p}`, 0.03)
  })

  await t.test('what was known, and what new deals brought', t => newBusiness(t, send, wanted, window))

  await t.test('and as it came', async t => {
    const { value } = await figure(send, 'forecast', {
      ...window,
      from: '2017-10-01',
      to: '2018-01-01',
      asOf: '2017-12-31T23:59:59.999Z',
      missingAmount: 'mean_won',
      backtest: 1
    })
    const [found] = value.backtest.windows as Json[]
    t.equal(found!.actualFromOpen.n, wanted.actual.won_count_from_open)
    near(
      t,
      found!.actualFromOpen.value,
      wanted.actual.won_value_from_deals_open_at_cutoff as number,
      'from open'
    )
    near(t, found!.actual.value, wanted.actual.won_value_total as number, 'all')
    const methods = byMethod(found!.methods as Json[])
    const errors = wanted.error_vs_open as Json
    near(t, methods.win_rate!.error, errors.weighted_mean_won_value as number, 'error of the win rate', 1e-5)
    near(t, methods.age_conditional!.error, errors.age_conditional_incidence as number, 'error by age', 1e-5)
    near(
      t,
      methods.run_rate!.error,
      wanted.error_vs_total.previous_window_total as number,
      'of the run rate',
      1e-5
    )
  })
})

/** The closed deals that a forecast rested on, in all and by the stage that they had reached. */
async function knownThen(t: Test, send: Send, wanted: Json, asOf: string): Promise<void> {
  const { value } = await figure(send, 'win-rate', { asOf })
  t.equal(value.all, wanted.closed_known)
  near(t, value.winRate.value, wanted.win_rate_known as number, 'win rate')
  for (const [name, { rate, closed }] of Object.entries(wanted.stage_win_rate as Record<string, Json>)) {
    const found = (value.byStage as Json[]).find(s => s.stage.name === name)!
    t.equal(found.closedReached, closed, name)
    near(t, found.rate.value, rate as number, `${name}: rate`)
  }
}

/** The rest of the back-test of a quarter: what it knew, deals that were yet to come, and the error of each total. */
async function newBusiness(t: Test, send: Send, wanted: Json, window: Json): Promise<void> {
  const known = await figure(send, 'win-rate', {
    asOf: window.asOf as string,
    filter: window.filter as object
  })
  t.equal(known.value.all, wanted.closed_known)
  near(t, known.value.winRate.value, wanted.win_rate_known as number, 'win rate')
  const deals = await figure(send, 'funnel', { asOf: window.asOf as string, filter: window.filter as object })
  t.equal(deals.value.deals, wanted.known_deals)
  const priced = await figure(send, 'forecast', {
    ...window,
    missingAmount: 'list_price',
    methods: ['win_rate']
  })
  const { value } = await figure(send, 'forecast', { ...window, missingAmount: 'mean_won', amounts: 'drawn', draws: 100_000 }) // prettier-ignore
  const methods = byMethod(value.methods as Json[])
  const age = Number(methods.age_conditional!.value)
  near(t, age, wanted.analytic_mean as number, 'mean')
  near(t, age, wanted.monte_carlo_open_only.mean as number, 'mean of draws', 0.03)
  near(t, methods.age_conditional!.sd, wanted.monte_carlo_open_only.sd as number, 'deviation of draws', 0.03)
  const all = age + Number(value.newBusiness.value)
  near(t, all, wanted.age_conditional_plus_new_business as number, 'with new deals')

  const then = { from: '2017-07-01', to: '2017-10-01', asOf: '2017-09-30T23:59:59.999Z' }
  const won = await figure(send, 'win-rate', then)
  const { actual } = wanted
  near(t, won.value.wonValue, actual.won_value_total as number, 'all that came')
  const later = { ...then, filter: { openedAt: { gte: '2017-07-01T00:00:00Z' } } }
  const fresh = await figure(send, 'win-rate', later)
  near(t, fresh.value.wonValue, actual.won_value_from_deals_engaged_after as number, 'of new deals')
  const errors = wanted.error_vs_total as Json
  const list = Number(priced.value.methods[0].value)
  near(t, list / actual.won_value_from_deals_open_at_cutoff - 1, wanted.error_vs_open.naive_weighted_list_price as number, 'error at list price', 1e-5) // prettier-ignore
  for (const [name, found] of Object.entries({
    naive_weighted_list_price: list,
    age_conditional_plus_new_business: all
  }))
    near(t, found / Number(won.value.wonValue) - 1, errors[name] as number, `error of ${name}`, 1e-5)
}
