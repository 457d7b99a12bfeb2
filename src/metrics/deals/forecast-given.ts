import { Big } from 'big.js'
import { intervalOf } from '../models/forecast-interval.js'
import { estimate } from './forecast-methods.js'
import { amountOf, categoriesOf } from './forecast-parts.js'
import type { OpenDeal } from './forecast-snapshot.js'
import type { Settings, Value } from './forecast-value.js'

/** A deal to forecast instead of the workspace's. */
export interface GivenDeal {
  amount: string
  p: number
}

const nothing = { deals: 0, dealsWithValue: 0, amount: '0', weighted: '0', sd: '0' }
const notGiven = { n: 0, value: null }

const asOpen = ({ amount, p }: GivenDeal): OpenDeal => ({
  stage: 0,
  position: 0,
  days: 0,
  stageDays: 0,
  amount: new Big(amount),
  size: Number(amount),
  lack: null,
  probability: p,
  place: 'expected',
  category: null
})

/** The weighted forecast of given deals, with its distribution where they are few. */
export function forecastOfGiven(given: readonly GivenDeal[], settings: Settings): Value {
  const deals = given.map(asOpen)
  const { chances, expectedWon, expectedWonSd, value, sd } = estimate(deals, deal => ({
    p: deal.probability,
    fellBack: false
  }))
  const { distribution, ...interval } = intervalOf({ ...settings, deals: chances, distribution: true })
  return {
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
        value,
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
}
