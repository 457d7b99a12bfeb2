import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { Closed, Computed, Enum, Nullable, Integer, Type, type Static } from '../../kernel/schema.js'
import { deals } from '../../resources/deals/resource.js'
import { IntervalParameter } from '../buckets.js'
import { counted, type Notes, type Numbers } from '../counted.js'
import { CurrencyParameter } from '../currency.js'
import { figure, type Answered } from '../figure.js'
import { shown } from '../money.js'
import { described, refused, type Given, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { MetricStage } from '../pipeline.js'
import { Count, Rate, rate } from '../rate.js'
import { amountWarnings, dealConversion, dealFacts, medianSql } from './facts.js'
import { dealParameters, dealScope } from './scope.js'
import { openShown, type IndexedStage } from './stages.js'

const parameters = {
  ...dealParameters,
  by: described(
    Enum('WinRateBy', ['count', 'value']),
    'What is compared: numbers of deals, or their amounts.',
    'count'
  ),
  cohort: described(
    Enum('WinRateCohort', ['closed', 'created']),
    'Which deals: closed in the period by their last close, of those closed; or opened in it, of all of them.',
    'closed'
  ),
  currency: CurrencyParameter(),
  interval: IntervalParameter('deals by the day they were closed or, with `cohort=created`, opened')
}

type Asked = Request<Given<typeof parameters>>

const ByStage = Closed(
  {
    stage: MetricStage(),
    closedReached: Count('Closed deals that came to it or further.'),
    won: Count('Those of them that are won.'),
    rate: Rate()
  },
  { 'x-type': 'WinRateStage', description: 'The win rate of deals that came to a stage.' }
)

const value = Closed(
  {
    won: Count('Won deals.'),
    lost: Count('Lost deals.'),
    all: Count('Deals of the cohort, open ones included.'),
    winRate: Rate(),
    wonValue: Nullable(Computed('The amounts of the won deals; null where none is known.')),
    lostValue: Nullable(Computed('The amounts of the lost deals; null where none is known.')),
    wonWithValue: Count('Won deals with a known value.'),
    averageWonValue: Nullable(Computed('The same for each won deal with a known value.')),
    medianWonValue: Nullable(Computed('The one in the middle of these values.')),
    byStage: Type.Array(ByStage, { description: 'The open stages in their order.' })
  },
  { 'x-type': 'WinRate', description: 'How many deals are won.' }
)

type Value = Static<typeof value>

interface Found extends Numbers {
  won: number
  lost: number
  wonWithValue: number
  lostWithValue: number
  wonValue: string | null
  lostValue: string | null
  averageWonValue: string | null
  medianWonValue: string | null
  shareOfValue: number | null
}

const numbers = sql`
  ${shown(raw(`sum(f.value) filter (where f.state = 'won')`))} as "wonValue",
  ${shown(raw(`sum(f.value) filter (where f.state = 'lost')`))} as "lostValue",
  ${shown(raw(`avg(f.value) filter (where f.state = 'won')`))} as "averageWonValue",
  ${shown(medianSql(raw('f.value'), raw(`f.state = 'won' and f.value is not null`)))} as "medianWonValue",
  (sum(f.value) filter (where f.state = 'won')
    / nullif(sum(f.value) filter (where f.state in ('won', 'lost')), 0))::float8 as "shareOfValue"`

const reached = ({ index, position }: IndexedStage): Record<string, Sql> => {
  const met = sql`f.state in ('won', 'lost') and (f.state = 'won' or f.furthest >= ${position}::int)`
  return { [`reached_${index}`]: met }
}

/** What deals amount to, by the numbers of won and lost ones alone. */
function plainRate(
  won: number,
  lost: number,
  all: number,
  cohort: string,
  { reason }: Pick<Notes<Found>, 'reason'>
) {
  const found = rate(won, cohort === 'created' ? all : won + lost)
  if (found.value === null) reason('/winRate', cohort === 'created' ? 'no_deals' : 'nothing_closed')
  return found
}

function valueRate(row: Found, { reason }: Notes<Found>): Rate {
  const { wonWithValue: numerator, lostWithValue, shareOfValue } = row
  if (shareOfValue === null) reason('/winRate', 'nothing_valued')
  return { value: shareOfValue, numerator, denominator: numerator + lostWithValue, low: null, high: null }
}

function valueOf(
  stages: readonly IndexedStage[],
  { by, cohort }: Asked['given'],
  row: Found,
  notes: Notes<Found>
): Value {
  const { won, lost, all, wonValue, lostValue, averageWonValue, medianWonValue, wonWithValue } = row
  for (const name of ['won', 'lost'] as const) notes.ids(`/${name}`, [row], name)
  notes.ids('/all', [row])
  notes.ids('/wonWithValue', [row], 'wonWithValue')
  for (const name of ['wonValue', 'averageWonValue', 'medianWonValue'] as const) {
    if (row[name] === null) notes.reason(`/${name}`, 'nothing_valued')
    notes.ids(`/${name}`, [row], 'wonWithValue')
  }
  if (lostValue === null) notes.reason('/lostValue', 'nothing_valued')
  notes.ids('/lostValue', [row], 'lostWithValue')
  return {
    won,
    lost,
    all,
    winRate: by === 'value' ? valueRate(row, notes) : plainRate(won, lost, all, cohort ?? 'closed', notes),
    wonValue,
    lostValue,
    wonWithValue,
    averageWonValue,
    medianWonValue,
    byStage: stages.map(({ stage, index }, i) => {
      const closedReached = row[`reached_${index}`] as number
      notes.ids(`/byStage/${i}/closedReached`, [row], `reached_${index}`)
      notes.ids(`/byStage/${i}/won`, [row], 'won')
      const found = rate(won, closedReached)
      if (found.value === null) notes.reason(`/byStage/${i}/rate`, 'none_reached')
      return { stage, closedReached, won, rate: found }
    })
  }
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<Value>> {
  const scope = await dealScope(ctx, request, frame)
  const { given } = request
  const stages = openShown(scope.pipeline, new Set())
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, scope.cuts, {
    ctes: sql`${dealConversion(scope).ctes}, ${dealFacts(scope, given.cohort ?? 'closed', ['state', 'furthest', 'amount', 'value'])}`,
    counts: numbers,
    members: {
      all: sql`f.state is not null`,
      won: sql`f.state = 'won'`,
      lost: sql`f.state = 'lost'`,
      wonWithValue: sql`f.state = 'won' and f.value is not null`,
      lostWithValue: sql`f.state = 'lost' and f.value is not null`,
      missingAmount: sql`f.state in ('won', 'lost') and f.amount is null`,
      noFxRate: sql`f.state in ('won', 'lost') and f.amount is not null and f.value is null`,
      handedOver: sql`f.state is null`,
      ...Object.fromEntries(stages.flatMap(s => Object.entries(reached(s))))
    },
    value: (rows, notes) => valueOf(stages, given, rows[0]!, notes)
  })
  const { all, missingAmount, noFxRate, handedOver } = rows[0] as Found & Record<string, number>
  const excluded = { missingAmount: missingAmount!, noFxRate: noFxRate!, handedOver: handedOver! }
  return {
    parameters: scope.settled,
    value,
    reasons,
    counts: { deals: all },
    excluded,
    warnings: amountWarnings(excluded),
    more: { currency: scope.currency, ...more }
  }
}

const data = Closed({
  won: described(Integer(0, 2147483647), 'Won deals.'),
  lost: described(Integer(0, 2147483647), 'Lost deals.')
})

/** The win rate. */
export const winRate = figure({
  name: 'win-rate',
  version: 1,
  summary: 'How many deals are won',
  definition: [
    'The share of closed deals that are won. With `cohort=closed` it is about deals closed in the period by their last',
    'close; with `cohort=created` about all deals opened in it, whatever happened since: the two answer different questions.',
    'The state of a deal is that of its last stage as of `asOf`; one handed over to another pipeline is in `excluded`.',
    'By value the amounts are compared, converted by the rate of the day of the close in the workspace’s own zone; the counts',
    'of the rate are then those of deals with a known value, and it has no interval. A deal',
    'without an amount, or without a rate for it, stays in the counts and leaves sums and the divisors of averages.'
  ].join(' '),
  formula:
    'winRate = won / (won + lost), or wonValue / (wonValue + lostValue); with cohort=created won / all. byStage: won / closed deals that reached the stage.',
  unit: 'fraction from 0 to 1; money in the currency of the answer',
  source:
    'Salesforce help 000387867 (WON:SUM / CLOSED:SUM, WON:SUM / RowCount); Farris et al., Marketing Metrics.',
  subject: deals,
  parameters,
  value,
  picture: {
    whole: ({ byStage, winRate }) => ({
      kind: 'bars',
      unit: 'share',
      names: ['All', ...byStage.map(s => `from ${s.stage.name}`)],
      series: [{ name: 'win rate', values: [winRate.value, ...byStage.map(s => s.rate.value)] }]
    }),
    compared: { name: 'win rate', unit: 'share', of: v => v.winRate.value }
  },
  answer,
  data: {
    schema: data,
    takes: ['by'],
    answer({ won, lost }, { given, place }) {
      if (given.by === 'value')
        throw refused(place, 'by', 'by=value does not go with data, which has no values.', 'not_allowed')
      const reasons: Record<string, string> = {}
      const winRate = plainRate(won, lost, won + lost, 'closed', {
        reason: (pointer, code) => void (reasons[`/value${pointer}`] = code)
      })
      const unknown = { wonValue: null, lostValue: null, averageWonValue: null, medianWonValue: null }
      for (const name of Object.keys(unknown)) reasons[`/value/${name}`] = 'not_given'
      return {
        value: { won, lost, all: won + lost, winRate, ...unknown, wonWithValue: 0, byStage: [] },
        parameters: {},
        counts: {},
        excluded: {},
        reasons
      }
    }
  }
})
