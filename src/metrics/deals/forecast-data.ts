import { Big } from 'big.js'
import { Closed, GivenAmount, Share, Type, type Static } from '../../kernel/schema.js'
import { inBackground } from '../background.js'
import type { Answered } from '../figure.js'
import { described } from '../parameters.js'
import { estimate } from './forecast-methods.js'
import { amountOf, categoriesOf } from './forecast-parts.js'
import type { OpenDeal } from './forecast-snapshot.js'
import { intervalTask, type Settings, type Value } from './forecast-value.js'

/** Deals to forecast instead of the workspace's. */
export const data = Closed({
  deals: Type.Array(
    Closed({
      amount: described(GivenAmount(), 'What the deal would bring.'),
      p: described(Share(), 'How likely it is won.')
    }),
    { maxItems: 1000, description: 'Open deals.' }
  )
})

const nothing = { deals: 0, dealsWithValue: 0, amount: '0', weighted: '0', sd: '0' }
const notGiven = { n: 0, value: null }

/** The weighted forecast of given deals, with its distribution where they are few. */
export async function forecastOfData(
  given: Static<typeof data>,
  settings: Settings,
  stop: AbortSignal | undefined
): Promise<Answered<Value>> {
  const deals = given.deals.map(({ amount, p }): OpenDeal => ({
    stage: 0,
    position: 0,
    days: 0,
    stageDays: 0,
    amount: new Big(amount),
    lack: null,
    probability: p,
    place: 'expected',
    category: null
  }))
  const {
    weighed,
    expectedWon,
    expectedWonSd,
    value: weighted,
    sd
  } = estimate(deals, deal => ({ p: deal.probability, fellBack: false }))
  const task = { ...intervalTask(weighed, settings), distribution: true }
  const [{ distribution, ...interval }] = (await inBackground('forecastIntervals', [task], stop)) as [
    Awaited<ReturnType<typeof inBackground<'forecastIntervals'>>>[number]
  ]
  const value: Value = {
    horizonDays: null,
    openDeals: deals.length,
    deals: deals.length,
    dealsWithValue: deals.length,
    amount: amountOf(deals),
    closedWon: notGiven,
    methods: [
      {
        method: 'weighted',
        expectedWon,
        expectedWonSd,
        value: weighted,
        sd,
        interval,
        ...(distribution && { distribution })
      }
    ],
    byStage: [],
    overdue: nothing,
    undated: nothing,
    outside: nothing,
    newBusiness: notGiven,
    categories: categoriesOf(deals, notGiven, settings.categories === 'cumulative')
  }
  const unknown = ['/horizonDays', '/closedWon/value', '/newBusiness/value']
  const reasons = Object.fromEntries(unknown.map(pointer => [`/value${pointer}`, 'not_given']))
  return {
    value,
    parameters: {},
    counts: { deals: deals.length },
    excluded: {},
    reasons: { ...reasons, ...(!distribution && { '/value/methods/0/distribution': 'too_many_totals' }) }
  }
}
