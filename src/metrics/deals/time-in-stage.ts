import sql, { join, raw } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { Closed, Nullable, Number as AnyNumber, Share, Type, type Static } from '../../kernel/schema.js'
import { deals } from '../../resources/deals/resource.js'
import { unlessFew } from '../background.js'
import { IntervalParameter } from '../buckets.js'
import { counted, type Notes, type Numbers } from '../counted.js'
import { figure, type WorkOut } from '../figure.js'
import { visitTimes, type VisitSample, type VisitTimes } from '../models/durations.js'
import { statsOf } from '../models/stats.js'
import {
  Days as GivenDays,
  DaysList,
  described,
  DurationsParameter,
  type Given,
  type Request
} from '../parameters.js'
import type { Frame } from '../period.js'
import { MetricStage } from '../pipeline.js'
import { Count } from '../rate.js'
import { sampleOf, sampleSql } from '../samples.js'
import { Stats } from '../stats-schema.js'
import { dealParameters, dealScope } from './scope.js'
import { openShown, type IndexedStage } from './stages.js'
import { staysInPeriod } from './visits.js'

const defaultDays = [7, 30]

const parameters = {
  ...dealParameters,
  days: described(DaysList(), 'The days after which `survival` is told.', defaultDays),
  durations: DurationsParameter(),
  interval: IntervalParameter('visits by the day they began')
}

type Asked = Request<Given<typeof parameters>>

const Days = (description: string) => described(AnyNumber(), description)

const Stage = Closed(
  {
    stage: MetricStage(),
    visits: Count('Visits, those that go on included.'),
    completed: Stats(),
    openNow: Closed(
      { n: Count('Visits that go on.'), ages: Stats() },
      { 'x-type': 'TimeInStageOpen', description: 'Deals that are in the stage now.' }
    ),
    totalPerDeal: Stats(),
    latest: Stats(),
    kmMedian: Nullable(
      Days('The days after which half of the visits have ended; null if that is not reached.')
    ),
    survival: Type.Array(
      Closed(
        {
          days: Days('How long after the entry.'),
          share: Nullable(described(Share(), 'The share still there then, S(t); null without visits.'))
        },
        { 'x-type': 'TimeInStageSurvival', description: 'Who is still in the stage.' }
      )
    )
  },
  { 'x-type': 'TimeInStageStage', description: 'How long visits to a stage last.' }
)

const value = Closed(
  { stages: Type.Array(Stage, { description: 'The open stages in their order.' }) },
  { 'x-type': 'TimeInStage', description: 'How long deals stay in stages.' }
)

type Value = Static<typeof value>

type Sample = keyof VisitSample

interface Found extends Numbers, Record<Sample, Buffer | null> {
  stage: number
}

// Deals that were in the stage once say all with one number; only of the others more are told.
const parts: Record<Sample, { of: string; met: string }> = {
  ended: { of: 'f.days', met: 'f.completed and not f.again' },
  going: { of: 'f.days', met: 'not f.completed and not f.again' },
  endedAgain: { of: 'f.days', met: 'f.completed and f.again' },
  goingAgain: { of: 'f.days', met: 'not f.completed and f.again' },
  totals: { of: 'f.total', met: 'f.again and f.last' },
  latest: { of: 'f.days', met: 'f.again and f.last' }
}

const samples = Object.entries(parts) as [Sample, { of: string; met: string }][]

const counts = join(
  samples.map(([name, { of, met }]) => sql`${sampleSql(raw(of), raw(met))} as ${raw(`"${name}"`)}`),
  ', '
)

const sampled = (row: Found | undefined) =>
  Object.fromEntries(samples.map(([name]) => [name, sampleOf(row?.[name] ?? null)])) as Record<
    Sample,
    Float64Array
  >

type Point = Omit<Value['stages'][number], 'stage' | 'totalPerDeal' | 'latest'>

function pointOf(
  { completed, open, kmMedian, survival }: VisitTimes,
  days: readonly number[],
  reason: (pointer: string, code: string) => void
): Point {
  const visits = completed.n + open.n
  if (kmMedian === null) reason('/kmMedian', visits === 0 ? 'no_visits' : 'not_reached')
  return {
    visits,
    completed,
    openNow: { n: open.n, ages: open },
    kmMedian,
    survival: days.map((d, i) => {
      if (visits === 0) reason(`/survival/${i}/share`, 'no_visits')
      return { days: d, share: visits === 0 ? null : survival[i]! }
    })
  }
}

/** The facts of one cut, and the value that they amount to once their durations are described. */
interface Part {
  rows: readonly Found[]
  notes: Notes<Found>
  steps: readonly IndexedStage[]
  value: Value
}

const rowsOf = ({ rows }: Part, { index }: IndexedStage) => rows.filter(r => r.stage === index)

/** Describes the durations of all parts, in the background where they are many, and fills their values in. */
async function fillIn(parts: readonly Part[], days: readonly number[], stop: AbortSignal): Promise<void> {
  const found = parts.flatMap(p => p.steps.map(step => sampled(rowsOf(p, step)[0])))
  const numbers = found.flatMap(s => Object.values(s)).reduce((n, sample) => n + sample.length, 0)
  const times = await unlessFew('stageTimes', { samples: found, days }, numbers, stop)
  let next = 0
  for (const part of parts) {
    part.value.stages = part.steps.map((step, i) => {
      const { ids, reason } = part.notes
      const { totals, latest, ...visits } = times[next++]!
      const of = rowsOf(part, step)
      ids(`/stages/${i}/visits`, of)
      ids(`/stages/${i}/completed/n`, of, 'completed')
      ids(`/stages/${i}/openNow/n`, of, 'ongoing')
      const point = pointOf(visits, days, (pointer, code) => reason(`/stages/${i}${pointer}`, code))
      return { stage: step.stage, ...point, totalPerDeal: totals, latest }
    })
  }
}

const sorted = (list: readonly number[]) => [...list].sort((a, b) => a - b)

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<WorkOut<Value>> {
  const scope = await dealScope(ctx, request, frame)
  const days = sorted(request.given.days ?? defaultDays)
  const parts: Part[] = []
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, scope.cuts, {
    ctes: staysInPeriod(scope),
    ofBuckets: true,
    by: ['stage'],
    counts,
    members: { completed: sql`f.completed`, ongoing: sql`not f.completed` },
    value(rows, notes) {
      const value: Value = { stages: [] }
      parts.push({ rows, notes, value, steps: openShown(scope.pipeline, new Set(rows.map(r => r.stage))) })
      return value
    }
  })
  return async stop => {
    await fillIn(parts, days, stop)
    return {
      parameters: { pipelineId: scope.settled.pipelineId },
      value,
      reasons,
      counts: { visits: rows.reduce((n, r) => n + r.all, 0) },
      excluded: {},
      more
    }
  }
}

const Durations = (description: string) => Type.Array(GivenDays(), { maxItems: 100_000, description })

/** How long deals stay in stages. */
export const timeInStage = figure({
  name: 'time-in-stage',
  version: 1,
  summary: 'How long deals stay in each stage',
  definition: [
    'A visit is the time from an entry of a deal into a stage to its next change of stage; the last one of an open deal goes',
    'on, and its age is counted until `asOf`. Visits that began in the period are looked at. Time spent in won or lost belongs',
    'to no open stage. Completed visits alone are biased short, as the slow ones still go on: `kmMedian` and `survival` use',
    'all of them. What is told of a deal, the sum and the latest of its visits, goes by the visits that are looked at; in a',
    'bucket by those that began in it.'
  ].join(' '),
  formula:
    'S(t) = product over completed t_i <= t of (1 - d_i / n_i), n_i = visits of at least t_i days; kmMedian = smallest t with S(t) <= 0.5. Quantiles: type 7.',
  unit: 'days; shares from 0 to 1',
  source: 'Kaplan, Meier 1958; HubSpot stage properties (latest and cumulative time).',
  subject: deals,
  parameters,
  value,
  ages: () => true,
  picture: {
    whole: ({ stages }) => ({
      kind: 'bars',
      unit: 'days',
      names: stages.map(s => s.stage.name),
      series: [
        { name: 'median, all visits', values: stages.map(s => s.kmMedian) },
        { name: 'mean, completed visits', values: stages.map(s => s.completed.mean) }
      ]
    }),
    compared: { name: 'visits', unit: 'count', of: v => v.stages.reduce((n, s) => n + s.visits, 0) }
  },
  answer,
  data: {
    takes: ['days'],
    schema: Closed({
      completed: Durations('Days of visits that have ended.'),
      open: Durations('Days until now of visits that go on.')
    }),
    answer({ completed, open }, { given }) {
      const reasons: Record<string, string> = {}
      const days = sorted(given.days ?? defaultDays)
      const of = pointOf(visitTimes(completed, open, days), days, (pointer, code) => {
        reasons[`/value/stages/0${pointer}`] = code
      })
      const all = statsOf([...completed, ...open])
      const stage = { stageId: null, name: 'Given', kind: 'open' as const }
      return {
        value: { stages: [{ stage, ...of, totalPerDeal: all, latest: all }] },
        parameters: {},
        counts: { visits: of.visits },
        excluded: {},
        reasons
      }
    }
  }
})
