import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { Bool, Closed, Enum, Integer } from '../../kernel/schema.js'
import { orders } from '../../resources/orders/resource.js'
import { intervals, mostBuckets } from '../buckets.js'
import { counted, cutsOf } from '../counted.js'
import { CurrencyParameter } from '../currency.js'
import { figure, type Answered } from '../figure.js'
import { GroupAtParameter, GroupByParameter } from '../groups.js'
import {
  commonParameters,
  described,
  FilterParameter,
  filtered,
  refused,
  type Given,
  type Request
} from '../parameters.js'
import type { Frame } from '../period.js'
import { Count } from '../rate.js'
import { activePeriods, members, periodsOf, sums, type Period, type RetentionRow } from './sql.js'
import { givenPeriod, retentionOf, retentionValue, type RetentionValue } from './value.js'

const parameters = {
  ...commonParameters,
  interval: described(
    Enum('MetricInterval', intervals),
    'What cohorts and periods are cut by. Weeks are those of ISO 8601.',
    'month'
  ),
  unbounded: described(
    Bool(),
    'Adds to each cell the share with an order in its period or a later one.',
    false
  ),
  inactiveDays: described(
    Integer(1, 3650),
    'A customer without an order for so many local days is called inactive.',
    90
  ),
  currency: CurrencyParameter(),
  filter: FilterParameter(orders),
  groupBy: GroupByParameter(orders),
  groupAt: GroupAtParameter()
}

const definition = [
  'Which customers came back. The customer of an order is its company, else its contact; orders of one customer on one',
  'local day count as one.',
  'A cohort is the customers whose first order was in one local month (week, quarter …). The retention of a later period',
  'is the share of the cohort with at least one order in it; unbounded, in it or later. Period 0 is 1. A period that is',
  'not over at `asOf` is shown as it is so far, with `complete` false; one that has not begun is absent, never 0.',
  'From period to period: of the customers who were active in the one before, those who are active again; customers won',
  'in the period are in neither number. Revenue retention is the same in what they brought, and may exceed 1.',
  'That a customer without a contract has left is never seen: `inactive` is a convention, no order for so many days.',
  '`from` and `to` pick cohorts by the first order, and the periods that are listed. A filter picks orders before anything',
  'is counted; groups are customers by a field of their first order, with another `groupAt` of their last one.',
  "Amounts are converted by the latest rate dated on or before the order's local day in the workspace's own zone; an",
  'order without an amount, or without a rate, is counted and is in `excluded` and in no sum. Orders in the bin, and those',
  'of customers in the bin, are in no figure.'
].join(' ')

const formula = [
  'retention(k) = active(k) / size; unbounded(k) = customers with an order in period k or later / size;',
  'cumulativeRevenuePerCustomer(k) = revenue of periods 0 to k / size;',
  'periods: retention = retained / activeBefore; churn = 1 - retention; revenueRetention = revenueRetained / revenueBefore;',
  'repeatRate = customers with orders on two days or more / customers; inactive share = n / customers.'
].join(' ')

type Asked = Request<Given<typeof parameters>>

const mostCells = 20_000

async function allPeriods(ctx: Context, { given, place }: Asked, frame: Frame): Promise<Period[]> {
  const periods = await periodsOf(ctx, given.interval ?? 'month', frame)
  const asked = periods.filter(p => p.asked).length
  // A cohort has a cell for every period since.
  if (periods.length <= mostBuckets && asked * (periods.length - asked / 2) <= mostCells) return periods
  const message = `That would be more than ${mostCells} cells: give a longer interval or a shorter period.`
  throw refused(place, 'interval', message, 'too_many')
}

const sum = (rows: readonly RetentionRow[], of: (row: RetentionRow) => number) =>
  rows.reduce((all, row) => all + of(row), 0)

function warningsOf(missingAmount: number, noFxRate: number): NonNullable<Answered<unknown>['warnings']> {
  return [
    { code: 'missing_amount', message: 'Orders without an amount are in no sum.', count: missingAmount },
    { code: 'no_fx_rate', message: 'Orders in a currency without a rate are in no sum.', count: noFxRate }
  ].filter(w => w.count > 0)
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<RetentionValue>> {
  authorize(ctx, orders.permissions.read)
  const { interval = 'month', inactiveDays = 90, unbounded = false, groupAt, ...given } = request.given
  const { currency = frame.baseCurrency } = given
  const filter = filtered(ctx, orders, 't', request)
  // The interval cuts cohorts here, not the answer.
  const uncut = { ...request, given }
  const cuts = cutsOf(ctx, orders, 't', uncut, frame)
  const groupedBy = groupAt === 'last' || groupAt === 'current' ? 'last' : 'first'
  const periods = await allPeriods(ctx, request, frame)
  const query = { frame, currency, filter, cuts, interval, inactiveDays, groupedBy } as const
  const { rows, value, reasons, more } = await counted<RetentionRow, RetentionValue>(
    ctx,
    uncut,
    frame,
    cuts,
    {
      ctes: activePeriods(ctx, query),
      by: ['cohort', 'period'],
      counts: sums,
      members,
      value: (rows, { reason, ids }) =>
        retentionOf(rows, { periods, inactiveDays, unbounded, reason, behind: ids })
    }
  )
  const missingAmount = sum(rows, r => r.missingAmount)
  const noFxRate = sum(rows, r => r.noFxRate)
  return {
    parameters: { currency },
    value,
    more: { currency, ...more },
    counts: { orders: value.orders, customers: value.customers },
    excluded: { missingAmount, noFxRate },
    reasons,
    warnings: warningsOf(missingAmount, noFxRate)
  }
}

/** Retention of customers by their orders. */
export const retention = figure({
  name: 'retention',
  version: 1,
  summary: 'Which customers came back',
  definition,
  formula,
  unit: 'customers; rates are fractions from 0 to 1; money in the currency of the answer; days',
  subject: orders,
  source: 'Farris et al., Marketing Metrics; Fader, Hardie 2007, How to project customer retention.',
  parameters,
  picture: {
    whole: ({ cohorts }) => ({
      kind: 'heat',
      unit: 'share',
      rows: cohorts.map(c => ({ name: c.from, size: c.size })),
      columns: [...new Set(cohorts.flatMap(c => c.cells.map(cell => cell.period)))]
        .sort((a, b) => a - b)
        .map(String),
      cells: cohorts.flatMap(({ cells }, row) =>
        cells.map(({ period, retention, complete }) => ({ row, column: period, value: retention, complete }))
      )
    }),
    compared: { name: 'customers who came back', unit: 'share', of: v => v.repeatRate.value }
  },
  value: retentionValue,
  answer,
  data: {
    takes: ['inactiveDays'],
    schema: Closed({
      activeBefore: Count('Customers who were active before.'),
      lost: Count('Those of them who are not any more.'),
      new: Count('Customers won meanwhile; they are in neither rate.')
    }),
    answer({ activeBefore, lost }, request, frame) {
      const reasons: Record<string, string> = {}
      if (lost > activeBefore) {
        throw refused(request.place, 'data', 'More were lost than there were.', 'range')
      }
      const reason = (pointer: string, code: string) => void (reasons[`/value${pointer}`] = code)
      const none = retentionOf([], {
        periods: [],
        inactiveDays: request.given.inactiveDays ?? 90,
        unbounded: false,
        reason,
        behind: () => undefined
      })
      return {
        parameters: {},
        value: { ...none, periods: [givenPeriod(activeBefore, lost, reason)] },
        more: { currency: request.given.currency ?? frame.baseCurrency },
        counts: { customers: activeBefore },
        excluded: {},
        reasons
      }
    }
  }
})
