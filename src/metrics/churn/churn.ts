import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import {
  Closed,
  Computed,
  Integer,
  List,
  Nullable,
  Number as AnyNumber,
  Share,
  Type,
  type Static
} from '../../kernel/schema.js'
import { subscriptions } from '../../resources/subscriptions/resource.js'
import { IntervalParameter } from '../buckets.js'
import { counted, cutsOf, type Notes } from '../counted.js'
import { CurrencyParameter } from '../currency.js'
import { figure, type Answered } from '../figure.js'
import { GroupByParameter } from '../groups.js'
import { restrictedMean, survivalAt, survivalMedian } from '../models/survival.js'
import {
  commonParameters,
  described,
  FilterParameter,
  filtered,
  type Given,
  type Request
} from '../parameters.js'
import type { Frame } from '../period.js'
import { Count, Rate, rate, Ratio, ratio } from '../rate.js'
import { churnFacts, counts, members, type ChurnRow } from './sql.js'
import { survivalOf } from './survival.js'

const Tenure = () => Integer(0, 1200)
const defaults = { tenures: [1, 6, 12], horizon: 72 }

const parameters = {
  ...commonParameters,
  tenures: described(
    List(Tenure(), 200),
    'The tenures at which the survival is told, in completed calendar months.',
    defaults.tenures
  ),
  horizon: described(
    { ...Tenure(), minimum: 1 },
    'Up to how many months the mean tenure is counted.',
    defaults.horizon
  ),
  interval: IntervalParameter('subscriptions that ran in it, and what ended in it'),
  currency: CurrencyParameter(),
  filter: FilterParameter(subscriptions),
  groupBy: GroupByParameter(subscriptions)
}

const value = Closed(
  {
    subscriptions: Count('Subscriptions that ran at some time of the period.'),
    ended: Count('Those of them that ended in it.'),
    share: Rate(),
    survival: Type.Array(
      Closed(
        {
          tenure: described(Tenure(), 'Completed calendar months.'),
          share: Nullable(described(Share(), 'The share that is still running after them.'))
        },
        { 'x-type': 'SurvivalPoint', description: 'A point of the survival curve.' }
      )
    ),
    kmMedian: Nullable(
      described(Tenure(), 'The tenure by which half have ended; null where that is not reached.')
    ),
    restrictedMean: Nullable(described(AnyNumber(), 'The mean tenure in months, counted up to the horizon.')),
    monthlyChurn: Ratio(),
    recurring: Closed(
      {
        total: Nullable(Computed('What all of them bring in a month.')),
        ended: Nullable(Computed('What those brought that ended.')),
        churn: Nullable(described(Share(), 'The one of the other.'))
      },
      { 'x-type': 'RecurringRevenue', description: 'Recurring amounts of subscriptions, in a month.' }
    ),
    grossRevenueRetention: Nullable(
      described(
        Share(),
        'What the customers of the start of the period still bring at its end, no customer for more than at the start, of what they brought then.'
      )
    ),
    netRevenueRetention: Nullable(
      described(AnyNumber(), 'The same with what they bring more; it may exceed 1.')
    )
  },
  { 'x-type': 'Churn', description: 'Which subscriptions ended, and after how long.' }
)

type Value = Static<typeof value>

const definition = [
  'Which subscriptions ended. Looked at are those that ran at some time of the period; ended are those whose end date lies',
  'in it. Without a period these are all that have begun by `asOf`.',
  'Tenure is counted in completed calendar months from the start date: from 31 January a month is complete at the end of',
  'February. The survival is that of Kaplan and Meier: a subscription that still runs is not counted as one that lasted so',
  'long, but is at risk until then; with `from`, one that began before is at risk from the tenure that it had then.',
  'It is null for a tenure that none has been observed at.',
  'Monthly churn is what ended for each customer-month at risk, a completed month of a subscription within the period.',
  'Recurring amounts are those of a month (a quarter has 3, a year 12, a week 7/30.4375 of one), converted by the latest',
  "rate on or before the last day of the period, or the day of `asOf`, in the workspace's own zone. Gross and net revenue",
  'retention need `from`: they compare what the customers of that moment brought then and bring at the end of the period.',
  'A changed price is a subscription of its own from that day.',
  'A subscription without an amount, or without a rate for it, is counted and is in `excluded` and in no sum.',
  'Subscriptions in the bin, and those of customers in the bin, are in no figure.'
].join(' ')

const formula = [
  'share = ended / subscriptions; S(t) = product over tenures u <= t at which some ended of (1 - ended(u) / at risk(u));',
  'kmMedian = smallest t with S(t) <= 0.5; restrictedMean = area under S up to the horizon;',
  'monthlyChurn = ended / customer-months at risk; recurring churn = ended / total;',
  'grossRevenueRetention = sum of min(start, end) / sum of start, over customers of the start; net: sum of end / sum of start.'
].join(' ')

type Asked = Request<Given<typeof parameters>>

function survivalIn(
  { spells, ended }: ChurnRow,
  tenures: readonly number[],
  horizon: number,
  reason: Notes<ChurnRow>['reason']
): Pick<Value, 'survival' | 'kmMedian' | 'restrictedMean'> {
  const observed = spells ?? []
  const longest = Math.max(-1, ...observed.map(s => s.exit))
  const curve = survivalOf(observed)
  const median = survivalMedian(curve)
  if (median === null) reason('/kmMedian', ended === 0 ? 'none_ended' : 'not_reached')
  if (longest < 0) reason('/restrictedMean', 'no_subscriptions')
  return {
    survival: tenures.map((tenure, i) => {
      if (tenure > longest) reason(`/survival/${i}/share`, 'not_observed')
      return { tenure, share: tenure > longest ? null : survivalAt(curve, tenure) }
    }),
    kmMedian: median,
    restrictedMean: longest < 0 ? null : restrictedMean(curve, horizon)
  }
}

interface Settings {
  tenures: readonly number[]
  horizon: number
  /** Whether the period has a start, which retained revenue is compared with. */
  begins: boolean
}

function valueOf(
  row: ChurnRow,
  { tenures, horizon, begins }: Settings,
  { reason, ids }: Notes<ChurnRow>
): Value {
  const { all, ended, months, total, endedAmount, recurringChurn, revenueRetention } = row
  const { gross = null, net = null } = revenueRetention ?? {}
  if (all === 0) reason('/share', 'no_subscriptions')
  if (months === 0) reason('/monthlyChurn', 'no_month_at_risk')
  if (total === null) for (const name of ['total', 'ended']) reason(`/recurring/${name}`, 'nothing_valued')
  if (recurringChurn === null)
    reason('/recurring/churn', total === null ? 'nothing_valued' : 'nothing_recurs')
  if (gross === null)
    for (const name of ['grossRevenueRetention', 'netRevenueRetention'])
      reason(`/${name}`, begins ? 'nobody_at_start' : 'no_start')
  ids('/subscriptions', [row])
  for (const pointer of ['/ended', '/share']) ids(pointer, [row], 'ended')
  ids('/recurring/total', [row], 'valued')
  for (const pointer of ['/recurring/ended', '/recurring/churn']) ids(pointer, [row], 'endedValued')
  for (const pointer of ['/grossRevenueRetention', '/netRevenueRetention']) ids(pointer, [row], 'atStart')
  return {
    subscriptions: all,
    ended,
    share: rate(ended, all),
    ...survivalIn(row, tenures, horizon, reason),
    monthlyChurn: ratio(ended, months),
    recurring: { total, ended: endedAmount, churn: recurringChurn },
    grossRevenueRetention: gross,
    netRevenueRetention: net
  }
}

function warningsOf({ missingAmount, noFxRate, spells }: ChurnRow, horizon: number) {
  const longest = Math.max(0, ...(spells ?? []).map(s => s.exit))
  const unobserved = `No subscription was observed for ${horizon} months: the restricted mean takes the survival after ${longest} months for that of the rest.`
  return [
    ...(missingAmount > 0
      ? [
          {
            code: 'missing_amount',
            message: 'Subscriptions without an amount are in no sum.',
            count: missingAmount
          }
        ]
      : []),
    ...(noFxRate > 0
      ? [
          {
            code: 'no_fx_rate',
            message: 'Subscriptions in a currency without a rate are in no sum.',
            count: noFxRate
          }
        ]
      : []),
    ...(spells && longest < horizon ? [{ code: 'horizon_not_observed', message: unobserved }] : [])
  ]
}

interface Parts {
  buckets?: unknown
  groups?: { buckets?: unknown }[]
  explain?: { groups?: Record<string, object> }
}

// Both have ids of each group: the cut those of its buckets besides.
function explainedBoth(whole: NonNullable<Parts['explain']>, cut: NonNullable<Parts['explain']>) {
  const groups = Object.entries({ ...cut.groups, ...whole.groups }).map(
    ([i, group]) => [i, { ...cut.groups?.[i], ...group }] as const
  )
  return { ...cut, ...whole, ...(groups.length > 0 && { groups: Object.fromEntries(groups) }) }
}

// The same subscriptions in the same groups, so these are in the same order.
function withBuckets(whole: Parts, cut: Parts): Parts {
  return {
    buckets: cut.buckets,
    ...(whole.groups && {
      groups: whole.groups.map((group, i) => ({ ...group, buckets: cut.groups![i]!.buckets }))
    }),
    ...(whole.explain && { explain: explainedBoth(whole.explain, cut.explain!) })
  }
}

const onlyBuckets = (reasons: Record<string, string>) =>
  Object.fromEntries(Object.entries(reasons).filter(([pointer]) => pointer.includes('/buckets/')))

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<Value>> {
  authorize(ctx, subscriptions.permissions.read)
  const { interval, ...given } = request.given
  const { currency = frame.baseCurrency, tenures = defaults.tenures, horizon = defaults.horizon } = given
  const filter = filtered(ctx, subscriptions, 't', request)
  const count = (asked: Asked, begins: boolean) => {
    const cuts = cutsOf(ctx, subscriptions, 't', asked, frame)
    return counted<ChurnRow, Value>(ctx, asked, frame, cuts, {
      ctes: churnFacts(ctx, { frame, currency, filter, cuts }),
      counts,
      members,
      value: (rows, notes) => valueOf(rows[0]!, { tenures, horizon, begins }, notes)
    })
  }
  // A subscription runs in many buckets, and in the whole period once.
  const whole = await count({ ...request, given }, frame.from !== null)
  const cut = interval && (await count(request, true))
  return {
    parameters: { currency },
    value: whole.value,
    more: { currency, ...whole.more, ...(cut && withBuckets(whole.more, cut.more)) },
    counts: { subscriptions: whole.value.subscriptions },
    excluded: { missingAmount: whole.rows[0]!.missingAmount, noFxRate: whole.rows[0]!.noFxRate },
    reasons: { ...(cut && onlyBuckets(cut.reasons)), ...whole.reasons },
    warnings: warningsOf(whole.rows[0]!, horizon)
  }
}

/** Churn of subscriptions. */
export const churn = figure({
  name: 'churn',
  version: 1,
  summary: 'Which subscriptions ended, and after how long',
  definition,
  formula,
  unit: 'subscriptions; months; rates are fractions from 0 to 1; money in the currency of the answer',
  subject: subscriptions,
  source:
    'Kaplan, Meier 1958; Farris et al., Marketing Metrics; Skok, SaaS metrics (gross and net retention).',
  parameters,
  picture: {
    whole: ({ survival }) => ({
      kind: 'lines',
      unit: 'share',
      stepped: true,
      axis: { name: 'completed months' },
      series: [
        { name: 'still running', points: survival.map((p): [number, number | null] => [p.tenure, p.share]) }
      ]
    }),
    compared: { name: 'monthly churn', unit: 'share', of: v => v.monthlyChurn.value }
  },
  value,
  answer
})
