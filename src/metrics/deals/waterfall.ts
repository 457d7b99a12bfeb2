import sql, { join, raw, type Sql } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { Closed, Computed, Enum, Nullable, type Static } from '../../kernel/schema.js'
import { deals } from '../../resources/deals/resource.js'
import { counted, type Notes, type Numbers } from '../counted.js'
import { CurrencyParameter } from '../currency.js'
import { numberOf } from '../charts/of-figure.js'
import { figure, type Answered } from '../figure.js'
import { shown } from '../money.js'
import { described, type Given, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { amountWarnings } from './facts.js'
import { dealParameters, dealScope } from './scope.js'
import { waterfallFacts } from './waterfall-sql.js'

const parameters = {
  ...dealParameters,
  deals: described(
    Enum('ForecastDeals', ['expected', 'open']),
    'Open deals that are expected to close in the period; or all open ones, where expected closes are not kept.',
    'expected'
  ),
  currency: CurrencyParameter()
}

type Asked = Request<Given<typeof parameters>>

const Line = (description: string) => Nullable(Computed(description))

const value = Closed(
  {
    openAtStart: Line('What the open deals were worth at the start.'),
    created: Line('Deals opened in the period.'),
    pulledIn: Line(
      'Deals that came to be expected in the period, or were closed in it though they were not.'
    ),
    reopened: Line('Deals that were closed at the start and opened again.'),
    amountUp: Line('By how much deals rose.'),
    amountDown: Line('By how much deals fell.'),
    pushedOut: Line('Deals no longer expected in the period, or handed over to another pipeline.'),
    lost: Line('Deals lost in the period.'),
    won: Line('Deals won in the period.'),
    currencyRevaluation: Line(
      'What exchange rates did to the deals of the start; below 0 if they lowered it.'
    ),
    openAtEnd: Line('What the open deals are worth at the end, or now.')
  },
  {
    'x-type': 'ForecastWaterfall',
    description:
      'What became of the open deals in a period, in money; null where deals are meant of which none has a known value.'
  }
)

type Value = Static<typeof value>
type Part = keyof Value

// What each part adds up, and of which deals.
const parts: Record<Part, { of: string; met: string }> = {
  openAtStart: { of: 'f.was', met: 'f.was_in' },
  created: { of: 'f.value', met: `f.entered = 'created'` },
  pulledIn: { of: 'f.value', met: `f.entered = 'pulledIn'` },
  reopened: { of: 'f.value', met: `f.entered = 'reopened'` },
  amountUp: { of: 'f.change', met: 'f.change > 0' },
  amountDown: { of: '-f.change', met: 'f.change < 0' },
  pushedOut: { of: 'f.was', met: `f.left = 'pushedOut'` },
  lost: { of: 'f.value', met: `f.left = 'lost'` },
  won: { of: 'f.value', met: `f.left = 'won'` },
  currencyRevaluation: { of: 'f.revaluation', met: 'f.revaluation <> 0' },
  openAtEnd: { of: 'f.value', met: 'f.is_in' }
}

const names = Object.keys(parts) as Part[]

const sums: Sql = join(
  names.map(name => {
    const { of, met } = parts[name]
    return sql`${shown(raw(`sum(${of}) filter (where ${met})`))} as ${raw(`"${name}Value"`)}`
  }),
  ', '
)

type Found = Numbers & Record<Part, number> & Record<`${Part}Value`, string | null>

function toldOf(row: Found, { ids, reason }: Notes<Found>): Value {
  const lines = names.map(name => [name, row[name] === 0 ? '0' : row[`${name}Value`]] as const)
  for (const [name, line] of lines) {
    ids(`/${name}`, [row], name)
    if (line === null) reason(`/${name}`, 'nothing_valued')
  }
  return Object.fromEntries(lines) as Value
}

// What a deal is worth where it counts last.
const amount = `case when f.left = 'pushedOut' then f.amount_before else f.amount end`
const worth = `case when f.left = 'pushedOut' then f.was else f.value end`

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<Value>> {
  const scope = await dealScope(ctx, request, frame)
  const { deals: which = 'expected' } = request.given
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, scope.cuts, {
    ctes: waterfallFacts(scope, which === 'expected'),
    counts: sums,
    members: {
      ...Object.fromEntries(names.map(name => [name, raw(parts[name].met)])),
      missingAmount: raw(`${amount} is null`),
      noFxRate: raw(`${amount} is not null and ${worth} is null`)
    },
    value: (rows, notes) => toldOf(rows[0]!, notes)
  })
  const row = rows[0] as Found & { missingAmount: number; noFxRate: number }
  const excluded = { missingAmount: row.missingAmount, noFxRate: row.noFxRate }
  return {
    parameters: scope.settled,
    value,
    reasons,
    counts: Object.fromEntries([['deals', row.all], ...names.map(name => [name, row[name]])]) as Record<
      string,
      number
    >,
    excluded,
    warnings: amountWarnings(excluded),
    more: { currency: scope.currency, ...more }
  }
}

const lowering = new Set<Part>(['amountDown', 'pushedOut', 'lost', 'won'])

function stepOf(name: Part, value: Value) {
  const line = numberOf(value[name])
  return {
    name: name[0]!.toUpperCase() + name.slice(1).replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`),
    // 0 is not lowered to a negative zero, which would be written with its sign.
    value: line !== null && lowering.has(name) ? 0 - line : line,
    whole: name === 'openAtStart' || name === 'openAtEnd'
  }
}

/** The waterfall of the open deals. */
export const forecastWaterfall = figure({
  name: 'forecast-waterfall',
  version: 1,
  summary: 'What became of the open deals in a period',
  definition: [
    'How what was open at the start of a period became what is open at its end, in money. It is about the open deals that are',
    'expected to close in the period, as a forecast of it is, or about all open ones. A deal closed in the period counts as',
    'expected in it: where it was not, it was pulled in, and then won or lost. Deals opened, pulled in and reopened count as',
    'they are at the end, or at their close; pushed out ones as they were at the start; for the others the difference is',
    'told apart: what the amount did, and what exchange rates did. Open amounts are converted by the latest rate on or before',
    'the day they are looked at in the workspace’s own zone, those of closed deals by that of the day of the close.'
  ].join(' '),
  formula:
    'openAtStart + created + pulledIn + reopened + amountUp - amountDown - pushedOut - lost - won + currencyRevaluation = openAtEnd, where null is nothing.',
  unit: 'money in the currency of the answer',
  source: 'Salesforce Collaborative Forecasts guide; pipeline waterfalls as usual in sales reporting.',
  subject: deals,
  parameters,
  picture: {
    whole: v => ({ kind: 'waterfall', unit: 'money', parts: names.map(name => stepOf(name, v)) }),
    compared: { name: 'open at the end', unit: 'money', of: v => v.openAtEnd }
  },
  value,
  answer
})
