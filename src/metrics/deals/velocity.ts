import { Big } from 'big.js'
import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import {
  Closed,
  Computed,
  GivenAmount,
  Integer,
  Nullable,
  Number as AnyNumber,
  type Static
} from '../../kernel/schema.js'
import { deals } from '../../resources/deals/resource.js'
import { bucketSeries, IntervalParameter } from '../buckets.js'
import { counted, type Notes, type Numbers } from '../counted.js'
import { CurrencyParameter } from '../currency.js'
import { figure, type Answered } from '../figure.js'
import { shownDecimal } from '../models/exact.js'
import { shown } from '../money.js'
import { Days, described, DurationsParameter, type Given, type Request } from '../parameters.js'
import { localDay, type Frame } from '../period.js'
import { Count, Rate, rate } from '../rate.js'
import { amountWarnings, dealConversion, dealFacts, mayBeIn, stageRows, stateOf } from './facts.js'
import { dealParameters, dealScope, type DealScope } from './scope.js'

const parameters = {
  ...dealParameters,
  durations: DurationsParameter(),
  currency: CurrencyParameter(),
  interval: IntervalParameter('closed deals by the day of the close, open ones at its end')
}

type Asked = Request<Given<typeof parameters>>

const value = Closed(
  {
    openDeals: Count('Deals that are open at the end of the period, or now.'),
    won: Count('Deals won in the period.'),
    lost: Count('Deals lost in the period.'),
    winRate: Rate(),
    averageWonValue: Nullable(Computed('The amount of the won deals for each with a known value.')),
    meanCycleDays: Nullable(
      described(AnyNumber(), 'Days from the first event of the won deals to their close, on average.')
    ),
    perDay: Nullable(Computed('What the open deals bring in a day.'))
  },
  { 'x-type': 'Velocity', description: 'How much the pipeline brings in a day, and what that comes from.' }
)

type Value = Static<typeof value>

interface Parts {
  openDeals: number
  won: number
  lost: number
  averageWonValue: string | null
  meanCycleDays: number | null
}

function valueOf(parts: Parts, reason: (pointer: string, code: string) => void): Value {
  const { openDeals, won, lost, averageWonValue, meanCycleDays } = parts
  const winRate = rate(won, won + lost)
  if (winRate.value === null) reason('/winRate', 'nothing_closed')
  if (averageWonValue === null) reason('/averageWonValue', 'nothing_valued')
  if (meanCycleDays === null) reason('/meanCycleDays', 'nothing_won')
  const perDay =
    winRate.value === null || averageWonValue === null || !meanCycleDays
      ? null
      : shownDecimal(
          new Big(openDeals)
            .times(won)
            .times(averageWonValue)
            .div(won + lost)
            .div(meanCycleDays)
        )
  if (perDay === null) reason('/perDay', meanCycleDays === 0 ? 'no_cycle' : 'part_unknown')
  return { openDeals, won, lost, winRate, averageWonValue, meanCycleDays, perDay }
}

// The last moment of the period that has come, as a total, and that of each bucket.
function ends({ ctx, frame, cuts }: DealScope): Sql {
  const { asOf, to, timeZone } = frame
  const now = sql`${asOf}::timestamptz`
  const end = to === null ? now : sql`least(${now}, ${to}::timestamptz - interval '1 millisecond')`
  const total = sql`select true as total, null::date as bucket, ${end} as at`
  if (!cuts.interval) return total
  const first = sql`(select ${localDay(timeZone, raw('min(f.opened_at)'))} from deals f where ${visible(ctx, deals, 'f')})`
  return sql`${total} union all
    select false, b.start, least(${end}, timezone(${timeZone}, b."to"::timestamp) - interval '1 millisecond')
    from (${bucketSeries(cuts.interval, frame, first)}) b`
}

// The deals that were open at each of these moments.
const openThen = (scope: DealScope) => sql`
  ends as materialized (${ends(scope)}), open as materialized (
    select d.id, e.total ${scope.cuts.interval ? sql`, e.bucket` : empty} ${scope.cuts.keys}
    from deals d ${scope.cuts.joins} cross join lateral (
      select f.at, f.stage, lead(f.at) over (order by f.at, f.seq) as until from (${stageRows(scope)}) f
    ) v join ends e on v.at <= e.at and (v.until is null or v.until > e.at)
    where ${visible(scope.ctx, deals, 'd')} and d.deleted_at is null and ${scope.filter} and ${mayBeIn(scope)}
      and ${stateOf(scope, raw('v.stage'))} = 'open')`

const columns = ['state', 'days', 'amount', 'value'] as const

// Where there is but one moment, that of the figure, open deals are found with the closed ones.
function facts(scope: DealScope): Sql {
  const { frame, cuts } = scope
  const { ctes } = dealConversion(scope)
  if (!cuts.interval && frame.to === null) return sql`${ctes}, ${dealFacts(scope, 'standing', columns)}`
  const cut = raw(
    [...(cuts.interval ? ['bucket'] : []), ...cuts.dimensions.map((_, i) => `key_${i + 1}`)]
      .map(c => `, x.${c}`)
      .join('')
  )
  return sql`${ctes}, ${dealFacts(scope, 'closed', columns, 'closed')}, ${openThen(scope)},
    facts as materialized (
      select x.id, x.state, x.days, x.amount, x.value ${cut} from closed x
      union all
      select x.id, case when x.total then 'open' else 'open_then' end, null, null, null ${cut} from open x
    )`
}

interface Found extends Numbers, Parts {
  level: string
}

const counts = sql`
  ${shown(raw(`avg(f.value) filter (where f.state = 'won')`))} as "averageWonValue",
  (avg(f.days) filter (where f.state = 'won'))::float8 as "meanCycleDays"`

function toldOf(row: Found, { ids, reason }: Notes<Found>): Value {
  // A bucket has the deals that were open at its own end; all else has those at the end of the period.
  const member = row.level === 'bucket' || row.level === 'cell' ? 'openThen' : 'openDeals'
  ids('/openDeals', [row], member)
  ids('/won', [row], 'won')
  ids('/lost', [row], 'lost')
  ids('/averageWonValue', [row], 'valued')
  ids('/meanCycleDays', [row], 'won')
  return valueOf({ ...row, openDeals: row[member] as number }, reason)
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<Value>> {
  const scope = await dealScope(ctx, request, frame)
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, scope.cuts, {
    ctes: facts(scope),
    counts,
    members: {
      openDeals: sql`f.state = 'open'`,
      openThen: sql`f.state = 'open_then'`,
      won: sql`f.state = 'won'`,
      lost: sql`f.state = 'lost'`,
      valued: sql`f.state = 'won' and f.value is not null`,
      missingAmount: sql`f.state = 'won' and f.amount is null`,
      noFxRate: sql`f.state = 'won' and f.amount is not null and f.value is null`
    },
    value: (rows, notes) => toldOf(rows[0]!, notes)
  })
  const { missingAmount, noFxRate } = rows[0] as Found & { missingAmount: number; noFxRate: number }
  const excluded = { missingAmount, noFxRate }
  return {
    parameters: scope.settled,
    value,
    reasons,
    counts: { deals: value.openDeals + value.won + value.lost },
    excluded,
    warnings: amountWarnings(excluded),
    more: { currency: scope.currency, ...more }
  }
}

const count = (description: string) => described(Integer(0, 2147483647), description)

/** Pipeline velocity. */
export const velocity = figure({
  name: 'velocity',
  version: 1,
  summary: 'What the pipeline brings in a day',
  definition: [
    'The open deals times the win rate times the mean value of a won deal, divided by the mean days from its first event to',
    'its close. Rate, value and days are those of deals closed in the period by their last close; the open deals are those',
    'at the end of the period, or now if it goes on. It is unknown where one of the four parts is, or where the days are 0.'
  ].join(' '),
  formula: 'perDay = openDeals * winRate * averageWonValue / meanCycleDays.',
  unit: 'money a day in the currency of the answer',
  source: 'Farris et al., Marketing Metrics; the usual equation of sales velocity.',
  subject: deals,
  parameters,
  value,
  picture: {
    whole: v => ({
      kind: 'bars',
      unit: 'money',
      names: ['Money a day'],
      series: [{ name: 'velocity', values: [v.perDay === null ? null : Number(v.perDay)] }]
    }),
    compared: { name: 'money a day', unit: 'money', of: v => v.perDay }
  },
  answer,
  data: {
    takes: [],
    schema: Closed({
      openDeals: count('Open deals.'),
      won: count('Won deals.'),
      lost: count('Lost deals.'),
      averageWonValue: described(GivenAmount(), 'The mean amount of the won deals.'),
      meanCycleDays: described(Days(), 'The mean days until they were won.')
    }),
    answer(data) {
      const reasons: Record<string, string> = {}
      const value = valueOf(data, (pointer, code) => void (reasons[`/value${pointer}`] = code))
      return { value, parameters: {}, counts: {}, excluded: {}, reasons }
    }
  }
})
