import sql from 'sql-template-tag'
import { authorize } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { Bool, Closed, Type, type Static } from '../kernel/schema.js'
import { deals } from '../resources/deals/resource.js'
import { leads } from '../resources/leads/resource.js'
import { IntervalParameter } from './buckets.js'
import { counted, cutsOf, type Notes, type Numbers } from './counted.js'
import { figure, type Answered } from './figure.js'
import { GroupByParameter } from './groups.js'
import { leadFacts, leadMembers } from './lead-funnel-sql.js'
import {
  commonParameters,
  Days,
  DaysList,
  described,
  FilterParameter,
  filtered,
  refused,
  type Given,
  type Request
} from './parameters.js'
import type { Frame } from './period.js'
import { Count, Rate, rate, Ratio, ratio } from './rate.js'

const parameters = {
  ...commonParameters,
  flow: described(
    Bool(),
    'Counts what happened in the period, instead of what became of the leads captured in it; its shares may exceed 1.',
    false
  ),
  maturedDays: described(DaysList(), 'Adds the conversion of leads that are at least that many days old.'),
  interval: IntervalParameter('leads by the day they were captured; with `flow` everything by its own day'),
  filter: FilterParameter(leads),
  groupBy: GroupByParameter(leads)
}

const value = Closed(
  {
    leads: Count('Leads captured in the period.'),
    qualified: Count('Those of them that were qualified; with `flow`, leads qualified in the period.'),
    withDeal: Count('Those that became a deal; with `flow`, deals of leads opened in the period.'),
    customers: Count('Those whose deal is won; with `flow`, deals of leads won in the period.'),
    toQualified: Ratio(),
    toDeal: Ratio(),
    toCustomer: Ratio(),
    matured: Type.Array(
      Closed(
        {
          days: described(Days(), 'How long every lead had at least.'),
          leads: Count('Leads captured at least that long ago.'),
          wonWithin: Count('Those of them that are won, and were within that time.'),
          rate: Rate()
        },
        { 'x-type': 'LeadFunnelMatured', description: 'Conversion of the leads that are old enough.' }
      ),
      { description: 'With `maturedDays`: for each of them.' }
    )
  },
  { 'x-type': 'LeadFunnel', description: 'How many leads became customers.' }
)

type Value = Static<typeof value>

const definition = [
  'What became of the leads captured in the period, as of `asOf`: qualified at some time, whatever happened since; with a',
  'deal; customer, which is a deal that is won. Each is a share of all leads, and `toCustomer` the sales conversion rate.',
  'With `flow=true` nothing is followed: leads captured, leads qualified, deals of leads opened and deals of leads won,',
  'all in the period, whenever the lead came in. Such a share may exceed 1.',
  'Matured: of the leads captured at least that many days ago, those that are won and were so within that time.',
  'A deal counts once it was opened; one that was won and reopened is not won. Leads and deals in the bin are in no figure.'
].join(' ')

const formula = [
  'toQualified = qualified / leads; toDeal = withDeal / leads; toCustomer = customers / leads;',
  'matured(D) = leads won within D days of their capture / leads captured D days ago or earlier.'
].join(' ')

type Asked = Request<Given<typeof parameters>>

function valueOf(row: Numbers, maturedDays: readonly number[], { reason, ids }: Notes<Numbers>): Value {
  const count = (name: string) => row[name] as number
  const all = count('leads')
  for (const name of ['leads', 'qualified', 'withDeal', 'customers']) ids(`/${name}`, [row], name)
  const shares = { toQualified: 'qualified', toDeal: 'withDeal', toCustomer: 'customers' } as const
  for (const [share, name] of Object.entries(shares)) {
    ids(`/${share}`, [row], name)
    if (all === 0) reason(`/${share}`, 'no_leads')
  }
  return {
    leads: all,
    qualified: count('qualified'),
    withDeal: count('withDeal'),
    customers: count('customers'),
    toQualified: ratio(count('qualified'), all),
    toDeal: ratio(count('withDeal'), all),
    toCustomer: ratio(count('customers'), all),
    matured: maturedDays.map((days, i) => {
      const old = count(`matured${i}`)
      ids(`/matured/${i}/leads`, [row], `matured${i}`)
      for (const name of ['wonWithin', 'rate']) ids(`/matured/${i}/${name}`, [row], `soon${i}`)
      if (old === 0) reason(`/matured/${i}/rate`, 'none_matured')
      return { days, leads: old, wonWithin: count(`soon${i}`), rate: rate(count(`soon${i}`), old) }
    })
  }
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<Value>> {
  for (const resource of [leads, deals]) authorize(ctx, resource.permissions.read)
  const { flow = false, maturedDays = [] } = request.given
  if (flow && maturedDays.length > 0) {
    const message = 'A flow follows no leads: leave maturedDays or flow out.'
    throw refused(request.place, 'maturedDays', message, 'not_allowed')
  }
  const filter = filtered(ctx, leads, 'l', request)
  const cuts = cutsOf(ctx, leads, 'l', request, frame)
  const days = [...maturedDays].sort((a, b) => a - b)
  const { value, reasons, more } = await counted<Numbers, Value>(ctx, request, frame, cuts, {
    ctes: leadFacts(ctx, { frame, cuts, filter, flow }),
    counts: sql`null as none`,
    members: leadMembers(frame, days),
    value: (rows, notes) => valueOf(rows[0]!, days, notes)
  })
  return {
    parameters: {},
    value,
    more,
    counts: { leads: value.leads },
    excluded: {},
    reasons,
    warnings: flow
      ? [{ code: 'flow', message: 'What happened in the period is divided, not what became of its leads.' }]
      : []
  }
}

/** What became of leads. */
export const leadFunnel = figure({
  name: 'lead-funnel',
  version: 1,
  summary: 'How many leads became customers',
  definition,
  formula,
  unit: 'leads; shares are fractions',
  subject: leads,
  source: 'Farris et al., Marketing Metrics; the cohorts of the Close reporting API.',
  parameters,
  picture: {
    whole: v => ({
      kind: 'funnel',
      steps: [
        { name: 'Leads', value: v.leads, share: v.leads === 0 ? null : 1 },
        { name: 'Qualified', value: v.qualified, share: v.toQualified.value },
        { name: 'With a deal', value: v.withDeal, share: v.toDeal.value },
        { name: 'Customers', value: v.customers, share: v.toCustomer.value }
      ]
    }),
    compared: { name: 'customers of leads', unit: 'share', of: v => v.toCustomer.value }
  },
  value,
  ages: given => given.maturedDays !== undefined,
  answer
})
