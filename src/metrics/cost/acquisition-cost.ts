import { numberOf } from '../charts/of-figure.js'
import { Big } from 'big.js'
import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { Enum, Integer, List, Share, Text } from '../../kernel/schema.js'
import { campaigns } from '../../resources/campaigns/resource.js'
import { costs } from '../../resources/costs/resource.js'
import { deals } from '../../resources/deals/resource.js'
import { leads } from '../../resources/leads/resource.js'
import { touches } from '../../resources/touches/resource.js'
import { ModelName } from '../attribution/schema.js'
import { IntervalParameter } from '../buckets.js'
import { counted, cutsOf, type Cuts, type Numbers } from '../counted.js'
import { filteredDeals } from '../deal-filter.js'
import { CurrencyParameter } from '../currency.js'
import { cursorOf, Explanation } from '../explain.js'
import { figure, type Answered } from '../figure.js'
import {
  commonParameters,
  described,
  FilterParameter,
  refused,
  type Given,
  type Request
} from '../parameters.js'
import { inPeriod, type Frame } from '../period.js'
import { acquisitionOf, acquisitionValue, type AcquisitionValue } from './acquisition-value.js'
import { costDays, costWarnings, IncludeParameter, type CostDaysQuery } from './cost-days.js'
import { creditedGroups, type CreditedBy, type CreditedCost } from './credited.js'
import { givenCosts, type GivenCosts } from './given.js'
import { firstDeals, firstOrders } from './new-customers.js'
import { ltvMethods, worthOf, type Worth } from './worth.js'

const by: Record<string, CreditedBy> = { channel: 'channel', campaign: 'campaign', campaignId: 'campaign' }

const parameters = {
  ...commonParameters,
  new: described(
    Enum('NewCustomer', ['deal', 'order']),
    'What makes a new customer: the first won deal ever, or the first order.',
    'deal'
  ),
  include: IncludeParameter(),
  lagDays: described(
    Integer(0, 3650),
    'Takes the costs of so many days before the period: the sales cycle.',
    0
  ),
  groupBy: described(
    List(Text(100), 1),
    'Adds groups by `channel` or `campaignId`: their costs, and the customers that `model` credits them with. Absent: none.'
  ),
  model: described(ModelName(), 'The attribution model of groups; needed with `groupBy`.'),
  margin: described(Share(), 'The share of an order that is left after its variable costs.', 1),
  ltvMethod: described(
    Enum('LifetimeValueMethod', ltvMethods),
    'The method of the lifetime value that the cost is compared with. Absent: it is not.'
  ),
  currency: CurrencyParameter(),
  interval: IntervalParameter('costs by their day (and the lag), customers by when they were won'),
  filter: FilterParameter(deals)
}

const definition = [
  'What was spent in the period for each customer won in it for the first time: by the first won deal ever, as of `asOf`,',
  'or by the first order. Further deals of known customers make no new one. The customer is the company, else the contact;',
  'a won deal of nobody is in `excluded`. With `lagDays` the costs are those of the period moved back by the sales cycle.',
  'A cost of a span lies evenly on its days; each day is converted by the latest rate on or before it. Without a recorded',
  'cost the figure is unknown, null; a recorded 0 is 0.',
  'Groups are channels or campaigns with their costs; the model named shares each new customer among the touches of the',
  'lead of the first deal, so that their number is a fraction; those without a touch are in the group without a value.',
  'The ids behind it are those of the customers that the model gives the group a part of, as `attribution` has it.',
  'Payback divides the cost by what a customer brings in a month, from the orders of all customers known by `asOf`; the',
  'lifetime value is compared only where its method is named. A filter picks deals before anything is counted.'
].join(' ')

const formula = [
  'cac = cost / newCustomers; monthlyMarginPerCustomer = average order value * orders per month * margin;',
  'paybackMonths = cac / monthlyMarginPerCustomer; ltvToCac = ltv / cac.'
].join(' ')

type Asked = Request<Given<typeof parameters>>

interface Found extends Numbers {
  cost: string | null
  newCustomers: number
  nobody: number
  noFxRate: number
}

function factsSql(ctx: Context, firsts: Sql, query: CostDaysQuery, cuts: Cuts): Sql {
  const spent = costDays(ctx, query)
  return sql`
    ${spent.ctes}, facts as materialized (
      select coalesce(x.id, x.deal_id) as id, x.id is not null as won, x.id is null as nobody, null::numeric as cost
        ${cuts.bucket(raw('x.at'))}
      from (${firsts}) x where true ${inPeriod(raw('x.at'), query.frame)}
      union all
      select s.id, false, false, s.cost ${cuts.bucketOfDay(raw('s.day'))} from (${spent.rows}) s
    )`
}

const counts = sql`
  sum(f.cost)::text as cost,
  (count(distinct f.id) filter (where not f.won and not f.nobody and f.cost is null))::int as "noFxRate"`

const members = {
  newCustomers: raw('f.won'),
  nobody: raw('f.nobody'),
  costs: raw('not f.won and not f.nobody')
}

const big = (value: string | null) => (value === null ? null : new Big(value))

/** What groups are asked for; a 400 where they lack their model or mean nothing. */
function groupsAsked({ given, place }: Asked) {
  const [name] = given.groupBy ?? []
  const wrong = (parameter: string, message: string, code = 'not_allowed') =>
    refused(place, parameter, message, code)
  if (given.new === 'order' && given.filter) throw wrong('filter', 'A filter of deals goes with new=deal.')
  if (name === undefined) {
    if (given.model !== undefined) throw wrong('model', 'model goes with groupBy=channel or campaignId.')
    return undefined
  }
  if (!Object.hasOwn(by, name))
    throw wrong('groupBy', `${name} cannot be grouped by: give channel or campaignId.`, 'unknown_field')
  if (given.new === 'order') throw wrong('groupBy', 'Groups go with new=deal, whose leads have touches.')
  if (given.model === undefined) throw wrong('model', `groupBy=${name} needs a model.`, 'required')
  return { name, by: by[name]!, model: given.model }
}

interface Cut {
  from: string
  to: string
  label: string
  complete: boolean
}

async function groupsOf(
  ctx: Context,
  request: Asked,
  frame: Frame,
  costsAsked: CostDaysQuery,
  filter: Sql,
  worth: Worth,
  buckets: Cut[] | undefined,
  reasons: Record<string, string>
) {
  const asked = groupsAsked(request)
  if (!asked) return { more: {}, explained: {}, warnings: [] }
  for (const resource of [leads, touches]) authorize(ctx, resource.permissions.read)
  const { groups, warnings } = await creditedGroups(ctx, request, frame, {
    ...asked,
    filter,
    costs: costsAsked
  })
  const explanation = new Explanation(cursorOf(request))
  const valueOf = (pointer: string, { ids, ...spent }: CreditedCost) => {
    if (request.given.explain) {
      explanation.add(`${pointer}/cost`, ids.cost)
      for (const name of ['newCustomers', 'cac']) explanation.add(`${pointer}/${name}`, ids.newCustomers)
    }
    return acquisitionOf(
      { ...spent, unknown: 'no_cost_recorded' },
      worth,
      request.given.ltvMethod ?? null,
      (at, code) => {
        reasons[pointer + at] = code
      }
    )
  }
  const shown = groups.map(({ key, label, total, bucket }, i) => ({
    key: { [asked.name]: key },
    label,
    value: valueOf(`/groups/${i}/value`, total),
    ...(buckets && {
      buckets: buckets.map(({ from, to, label, complete }, n) => ({
        from,
        to,
        label,
        complete,
        value: valueOf(`/groups/${i}/buckets/${n}/value`, bucket(from))
      }))
    })
  }))
  return { more: { groups: shown }, explained: explanation.found, warnings }
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<AcquisitionValue>> {
  for (const resource of [deals, costs, campaigns]) authorize(ctx, resource.permissions.read)
  groupsAsked(request)
  const { groupBy: _groups, ...given } = request.given
  const { currency = frame.baseCurrency, include = 'all', lagDays = 0, ltvMethod = null } = given
  const filter = filteredDeals(ctx, request, frame)
  const cuts = cutsOf(ctx, deals, 'd', { ...request, given }, frame)
  const costsAsked: CostDaysQuery = { frame, currency, include, lagDays, filter: sql`true`, joins: empty, columns: empty } // prettier-ignore
  const firsts = given.new === 'order' ? firstOrders(ctx, frame) : firstDeals(ctx, frame, filter)
  const worth = await worthOf(ctx, request, frame)
  const { rows, value, reasons, more } = await counted<Found, AcquisitionValue>(
    ctx,
    { ...request, given },
    frame,
    cuts,
    {
      ctes: factsSql(ctx, firsts, costsAsked, cuts),
      counts,
      members,
      value([row], { reason, ids }) {
        const { cost, newCustomers, noFxRate } = row!
        ids('/cost', [row!], 'costs')
        for (const pointer of ['/newCustomers', '/cac']) ids(pointer, [row!], 'newCustomers')
        const unknown = noFxRate > 0 ? 'no_fx_rate' : 'no_cost_recorded'
        return acquisitionOf({ cost: big(cost), newCustomers, unknown }, worth, ltvMethod, reason)
      }
    }
  )
  const buckets = more.buckets as Cut[] | undefined
  const grouped = await groupsOf(ctx, request, frame, costsAsked, filter, worth, buckets, reasons)
  const { newCustomers, nobody, noFxRate } = rows[0]!
  const nobodys = nobody > 0 ? [{ code: 'no_customer', message: 'Won deals of neither company nor contact make no customer.', count: nobody }] : [] // prettier-ignore
  return {
    parameters: { currency },
    value,
    more: {
      currency,
      ...more,
      ...grouped.more,
      ...(given.explain && { explain: { ...(more.explain as object), ...grouped.explained } })
    },
    counts: { newCustomers },
    excluded: { noFxRate, noCustomer: nobody },
    reasons,
    warnings: [...costWarnings(ctx, noFxRate, given.filter !== undefined), ...nobodys, ...grouped.warnings]
  }
}

const unknownWorth: Worth = { monthly: null, lifetime: null }

const fromRows = ({ cost, newCustomers }: GivenCosts, reason: (pointer: string, code: string) => void) =>
  acquisitionOf({ cost: big(cost), newCustomers, unknown: 'no_cost_recorded' }, unknownWorth, null, reason)

/** What new customers cost. */
export const acquisitionCost = figure({
  name: 'acquisition-cost',
  version: 1,
  summary: 'What new customers cost, and when they have paid it back',
  definition,
  formula,
  unit: 'money in the currency of the answer, for each new customer; months; ratios',
  dimensions: ['channel', 'campaignId'],
  source: 'Farris et al., Marketing Metrics (customer acquisition); Skok, SaaS metrics (CAC, payback).',
  parameters,
  picture: {
    whole: v => ({
      kind: 'bars',
      unit: 'money',
      names: ['Per new customer', 'Margin of a month', 'Lifetime value'],
      series: [{ name: 'money', values: [v.cac, v.monthlyMarginPerCustomer, v.ltv].map(numberOf) }]
    }),
    compared: { name: 'cost per new customer', unit: 'money', of: v => v.cac }
  },
  value: acquisitionValue,
  answer,
  data: givenCosts(fromRows)
})
