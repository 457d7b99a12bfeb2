import sql, { raw } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { Closed, Enum, Nullable, Number as AnyNumber, Share, Type, type Static } from '../../kernel/schema.js'
import { deals } from '../../resources/deals/resource.js'
import { unlessFew } from '../background.js'
import { IntervalParameter } from '../buckets.js'
import { counted, type Notes, type Numbers } from '../counted.js'
import { figure, type WorkOut } from '../figure.js'
import { type closeTimes } from '../models/durations.js'
import { DaysList, described, DurationsParameter, type Given, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { Count, Rate, rate } from '../rate.js'
import { sampleOf, sampleSql } from '../samples.js'
import { Stats } from '../stats-schema.js'
import { dealFacts } from './facts.js'
import { leadFacts } from './lead-facts.js'
import { dealParameters, dealScope } from './scope.js'

const defaultDays = [7, 14, 30, 60, 90]

const parameters = {
  ...dealParameters,
  subject: described(
    Enum('TimeToCloseSubject', ['deal', 'lead']),
    'Deals from their first event to their last close; or leads from their capture to their first won deal.',
    'deal'
  ),
  days: described(DaysList(), 'The days after which the curve is told.', defaultDays),
  maturedDays: described(DaysList(), 'Adds the share won of those that are at least that many days old.'),
  durations: DurationsParameter(),
  interval: IntervalParameter('deals by the day they were opened')
}

type Asked = Request<Given<typeof parameters>>

const Days = (description: string) => described(AnyNumber(), description)

const value = Closed(
  {
    n: Count('All of them, those still open included.'),
    events: Count('Those that ended.'),
    won: Stats(),
    lost: Stats(),
    closed: Stats(),
    kmMedian: Nullable(
      Days('The days after which half have ended, by Kaplan and Meier; null if that is not reached.')
    ),
    curve: Type.Array(
      Closed(
        {
          days: Days('How long after the start.'),
          won: Nullable(described(Share(), 'The share won by then, I(t).')),
          lost: Nullable(described(Share(), 'The share lost by then.')),
          open: Nullable(described(Share(), 'The share still open then, S(t).'))
        },
        {
          'x-type': 'TimeToClosePoint',
          description:
            'Cumulative incidence; the three shares add up to 1, and are null where there is nothing to share.'
        }
      )
    ),
    within: Type.Array(
      Closed(
        {
          days: Days('How long after the start.'),
          won: Count('Those won by then.'),
          share: Nullable(Share())
        },
        {
          'x-type': 'TimeToCloseWithin',
          description: 'How many of all were won so soon, the young ones included.'
        }
      )
    ),
    matured: Type.Array(
      Closed(
        {
          days: Days('How long every one had at least.'),
          n: Count('Those that are so old.'),
          wonWithin: Count('Those of them won within that time.'),
          rate: Rate()
        },
        { 'x-type': 'TimeToCloseMatured', description: 'The share won of those that are old enough.' }
      )
    )
  },
  { 'x-type': 'TimeToClose', description: 'How long it takes until deals are won or lost.' }
)

type Value = Static<typeof value>

interface Found extends Numbers {
  won: Buffer | null
  lost: Buffer | null
  open: Buffer | null
  early: number
}

const ended = raw('greatest(f.days, 0)')

const counts = sql`${sampleSql(ended, sql`f.state = 'won'`)} as won, ${sampleSql(ended, sql`f.state = 'lost'`)} as lost,
  ${sampleSql(raw('f.days'), sql`f.state = 'open'`)} as open`

const sorted = (list: readonly number[] = []) => [...list].sort((a, b) => a - b)

function membersOf(days: readonly number[], matured: readonly number[]) {
  const soon = (d: number) => sql`f.state = 'won' and ${ended} <= ${d}::numeric`
  return {
    all: sql`f.state is not null`,
    n_won: sql`f.state = 'won'`,
    n_lost: sql`f.state = 'lost'`,
    events: sql`f.state in ('won', 'lost')`,
    early: sql`f.state = 'won' and f.days < 0`,
    handedOver: sql`f.state is null`,
    ...Object.fromEntries(days.map((d, i) => [`within_${i}`, soon(d)])),
    ...Object.fromEntries(
      matured.flatMap((d, i) => [
        [`old_${i}`, sql`f.state is not null and f.age >= ${d}::numeric`],
        [`soon_${i}`, sql`f.age >= ${d}::numeric and ${soon(d)}`]
      ])
    )
  }
}

/** What the days of one cut amount to. */
type Times = ReturnType<typeof closeTimes>

function valueOf(
  days: readonly number[],
  matured: readonly number[],
  { won, lost, closed, kmMedian, curve }: Times,
  row: Found,
  notes: Notes<Found>
): Value {
  if (kmMedian === null) notes.reason('/kmMedian', row.all === 0 ? 'no_deals' : 'not_reached')
  const number = (name: string) => row[name] as number
  notes.ids('/n', [row])
  notes.ids('/events', [row], 'events')
  notes.ids('/won/n', [row], 'n_won')
  notes.ids('/lost/n', [row], 'n_lost')
  return {
    n: row.all,
    events: closed.n,
    won,
    lost,
    closed,
    kmMedian,
    curve: curve.map((point, i) => {
      if (row.all > 0) return point
      for (const name of ['won', 'lost', 'open']) notes.reason(`/curve/${i}/${name}`, 'no_deals')
      return { days: point.days, won: null, lost: null, open: null }
    }),
    within: days.map((d, i) => {
      notes.ids(`/within/${i}/won`, [row], `within_${i}`)
      if (row.all === 0) notes.reason(`/within/${i}/share`, 'no_deals')
      const n = number(`within_${i}`)
      return { days: d, won: n, share: row.all === 0 ? null : n / row.all }
    }),
    matured: matured.map((d, i) => {
      notes.ids(`/matured/${i}/n`, [row], `old_${i}`)
      notes.ids(`/matured/${i}/wonWithin`, [row], `soon_${i}`)
      const found = rate(number(`soon_${i}`), number(`old_${i}`))
      if (found.value === null) notes.reason(`/matured/${i}/rate`, 'none_matured')
      return { days: d, n: found.denominator, wonWithin: found.numerator, rate: found }
    })
  }
}

async function factsOf(ctx: Context, request: Asked, frame: Frame) {
  if (request.given.subject === 'lead') return { ...leadFacts(ctx, request, frame), settled: {} }
  const scope = await dealScope(ctx, request, frame)
  const ctes = sql`${dealFacts(scope, 'created', ['state', 'days', 'age'])}`
  return { cuts: scope.cuts, ctes, settled: { pipelineId: scope.settled.pipelineId } }
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<WorkOut<Value>> {
  const { given } = request
  const days = sorted(given.days ?? defaultDays)
  const matured = sorted(given.maturedDays)
  const { cuts, ctes, settled } = await factsOf(ctx, request, frame)
  const parts: { row: Found; notes: Notes<Found>; value: Value }[] = []
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, cuts, {
    ctes,
    counts,
    members: membersOf(days, matured),
    value(rows, notes) {
      const value = {} as Value
      parts.push({ row: rows[0]!, notes, value })
      return value
    }
  })
  return async stop => {
    const samples = parts.map(({ row }) => ({
      won: sampleOf(row.won),
      lost: sampleOf(row.lost),
      open: sampleOf(row.open)
    }))
    const numbers = samples.reduce((n, s) => n + s.won.length + s.lost.length + s.open.length, 0)
    const times = await unlessFew('closeTimes', { samples, days }, numbers, stop)
    parts.forEach(({ row, notes, value }, i) =>
      Object.assign(value, valueOf(days, matured, times[i]!, row, notes))
    )
    const { all, early, handedOver } = rows[0] as Found & { handedOver: number }
    return {
      parameters: settled,
      value,
      reasons,
      counts: { [given.subject === 'lead' ? 'leads' : 'deals']: all },
      excluded: { handedOver },
      warnings:
        early > 0
          ? [
              {
                code: 'closed_before_start',
                message: 'Those won before they began count as won at once.',
                count: early
              }
            ]
          : [],
      more
    }
  }
}

/** How long it takes until deals are won or lost, or leads become customers. */
export const timeToClose = figure({
  name: 'time-to-close',
  version: 1,
  summary: 'How long it takes until deals close',
  definition: [
    'The time from the first event of a deal to its last close, for deals opened in the period; a deal that is open, or open',
    'again, has none yet and is censored at `asOf`. With `subject=lead` the time from the capture of a lead to its first won',
    'deal, for leads captured in the period; `filter` and `groupBy` are then about leads, and no lead counts as lost.',
    'Completed times alone are biased short, as the slow ones are still running: `kmMedian` and `curve` use all of them.',
    'Those won before they began have the duration 0. A deal handed over to another pipeline is in `excluded`.'
  ].join(' '),
  formula:
    'S(t) = product over t_i <= t of (1 - d_i / n_i); won(t) = sum over t_i <= t of S(t_i-) * d_won(t_i) / n(t_i), lost likewise; kmMedian = smallest t with S(t) <= 0.5. matured(D) = won within D days / those at least D days old.',
  unit: 'days; shares from 0 to 1',
  source: 'Kaplan, Meier 1958; Aalen, Johansen 1978.',
  subject: deals,
  parameters,
  value,
  ages: () => true,
  picture: {
    whole: ({ curve }) => ({
      kind: 'lines',
      unit: 'share',
      axis: { name: 'days since the start' },
      series: (['won', 'lost', 'open'] as const).map(name => ({
        name,
        points: curve.map((p): [number, number | null] => [p.days, p[name]])
      }))
    }),
    compared: { name: 'median days until half have closed', unit: 'days', of: v => v.kmMedian }
  },
  answer
})
