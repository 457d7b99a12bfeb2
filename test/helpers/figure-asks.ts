import { instant, type Place } from './history.js'

/** A question to a figure, and what must hold of its numbers. */
export interface Ask {
  /** The question in a failure. */
  title: string
  name: string
  given: Record<string, unknown>
  /** What it is grouped by, one after the other. */
  groupBy: string[][]
  /** The numbers that groups, and where there are some buckets, add up to. */
  adds: RegExp
  /** Of those the ones that buckets add up to; null where it takes no interval. */
  bucketsAdd?: RegExp | null
  /** Numbers that count a subject once or several times. */
  several?: RegExp
  /** Numbers that give a subject a share. */
  shares?: RegExp
  /** The numbers that do not depend on the time zone. */
  zoneless?: RegExp
}

const byDeal = [
  ['ownerId'],
  ['company.industry', 'sourceChannel'],
  ['firstTouch.channel'],
  ['stageId', 'status']
]
const byLead = [['campaignId'], ['owner.name'], ['industry', 'lastTouch.channel']]
const byOrder = [['company.industry'], ['ownerId']]
const never = /$^/

/** The end of what is known, at noon in London and on the same day from New York to Tokyo. */
export const end = new Date(Date.parse(instant(125)) + 12 * 3_600_000).toISOString()

/** Every figure that counts records, asked about all of them. */
export function asksOf({ pipeline: { id: pipelineId } }: Place): Ask[] {
  const ofDeals = { pipelineId, groupBy: undefined }
  const ask = (
    name: string,
    own: Record<string, unknown>,
    rest: Omit<Ask, 'name' | 'title' | 'given'>
  ): Ask => ({
    title: `${name} ${JSON.stringify(own)}`,
    name,
    given: own,
    ...rest
  })
  const deals = (name: string, own: Record<string, unknown>, rest: Partial<Ask> & { adds: RegExp }) =>
    ask(name, { ...ofDeals, ...own }, { groupBy: byDeal, ...rest })
  const funnel = {
    adds: /\/(deals|won|lost|open|everWon|reached|entered|openNow|lostFrom|forward|skip|backward|reopen|handedOver|deals\w+|count|wonValue|wonWithin|numerator|denominator)$/,
    several: /\/(forward|skip|backward|reopen|handedOver)$|transitions/
  }
  const window = { from: end, to: instant(155).replace('T00', 'T12'), seed: 3, backtest: 2 }
  const ahead = {
    adds: /^\/(openDeals|deals|dealsWithValue|amount)$|^\/(closedWon|newBusiness)|^\/(overdue|undated|outside)\/(deals|dealsWithValue|amount|weighted)$|^\/byStage.*\/(deals|dealsWithValue|amount|weighted)$|"weighted".*\/(expectedWon|value)$|^\/categories.*\/(deals|amount)$/,
    bucketsAdd: null,
    // Its windows of the past are cut by local days.
    zoneless: /^(?!\/backtest)/
  }
  const leads = {
    groupBy: byLead,
    adds: /\/(leads|qualified|withDeal|customers|wonWithin|numerator|denominator)$/
  }
  const credited = { adds: /^\/(cost|newCustomers)$/, zoneless: /^\/(cost|newCustomers|cac)$/ }
  return [
    deals('funnel', { order: 'ordered', windowDays: [7, 60], maturedDays: [20] }, funnel),
    deals('funnel', { cohort: 'closed', order: 'strict' }, funnel),
    deals('stage-flow', {}, { adds: /./, several: /./ }),
    deals(
      'time-in-stage',
      {},
      {
        adds: /\/(visits|n)$/,
        bucketsAdd: /\/visits$|\/(completed|openNow|ages)\/n$/,
        several: /visits|completed/
      }
    ),
    deals(
      'time-to-close',
      { maturedDays: [30] },
      {
        adds: /^\/(n|events)$|\/(won|lost|closed)\/n$|^\/within\/.*\/won$|^\/matured\/.*\/(n|wonWithin|numerator|denominator)$/
      }
    ),
    ask(
      'time-to-close',
      { subject: 'lead' },
      { groupBy: byLead, adds: /^\/(n|events)$|\/(won|lost|closed)\/n$/ }
    ),
    deals(
      'win-rate',
      {},
      {
        adds: /\/(won|lost|all|wonValue|lostValue|wonWithValue|closedReached|numerator|denominator)$/
      }
    ),
    deals(
      'win-rate',
      { cohort: 'created', currency: 'USD' },
      {
        adds: /\/(won|lost|all|wonValue|lostValue|wonWithValue|closedReached|numerator|denominator)$/
      }
    ),
    deals(
      'velocity',
      {},
      {
        adds: /\/(openDeals|won|lost|numerator|denominator)$/,
        bucketsAdd: /\/(won|lost|numerator|denominator)$/
      }
    ),
    deals('stalled-deals', {}, { adds: /^\/(count|amount)$/ }),
    deals('forecast', { ...window, deals: 'open' }, ahead),
    deals('forecast', { ...window, overdue: 'include', categories: 'cumulative' }, ahead),
    deals(
      'forecast-waterfall',
      { from: instant(40), to: instant(90), deals: 'open' },
      { adds: /./, bucketsAdd: null }
    ),
    ask('lead-funnel', { maturedDays: [30] }, leads),
    ask('lead-funnel', { flow: true, from: instant(0) }, { ...leads, groupBy: byLead.slice(0, 2) }),
    ask(
      'cost-per-lead',
      {},
      {
        groupBy: [['campaignId'], ['campaign.channel'], ['firstTouch.channel']],
        adds: /^\/(cost|leads|qualified)$/
      }
    ),
    ask('acquisition-cost', { ltvMethod: 'historic' }, { groupBy: [], ...credited }),
    ask('acquisition-cost', { new: 'order' }, { groupBy: [], ...credited }),
    deals(
      'attribution',
      { models: ['first', 'linear', 'w_shaped'] },
      {
        adds: /^\/(conversions|amount|nulls|censored)$|ttributed\/|credits.*\/(conversions|value)$/,
        shares: /credits/
      }
    ),
    ask(
      'retention',
      { unbounded: true },
      {
        groupBy: byOrder,
        adds: /\/(customers|orders|orderDays|size|active|revenue|activeBefore|retained|revenueBefore|revenueRetained|numerator|denominator|n)$/,
        bucketsAdd: null,
        zoneless: /^\/(customers|orders)$/
      }
    ),
    ask(
      'lifetime-value',
      {},
      {
        groupBy: byOrder,
        adds: /^\/(customers|customersWithValue|orders|orderDays|total)$/,
        zoneless: /^\/(customers|customersWithValue|orders|total|totalPerCustomer|mean)$/
      }
    ),
    ask(
      'lifetime-value',
      { method: 'simple' },
      {
        groupBy: byOrder,
        adds: /^\/(customers|customersWithValue|orders|orderDays)$/,
        zoneless: /^\/(customers|orders)$/
      }
    ),
    ask(
      'lifetime-value',
      { basis: 'subscriptions' },
      {
        groupBy: [['plan'], ['owner.name']],
        adds: /^\/(customers|customersWithValue|orders|orderDays|total)$/,
        zoneless: /^\/customers$/
      }
    ),
    ask(
      'churn',
      {},
      {
        groupBy: [['plan'], ['owner.name', 'interval']],
        adds: /^\/(subscriptions|ended)$|\/(numerator|denominator)$|^\/recurring\/(total|ended)$/,
        bucketsAdd: /^\/ended$|monthlyChurn\/(numerator|denominator)$/
      }
    ),
    ask('lead-score', { method: 'rules', scores: true }, { groupBy: [], adds: never, bucketsAdd: null })
  ].map(a => ({ ...a, given: { ...a.given, asOf: end } }))
}
