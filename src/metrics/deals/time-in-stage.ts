import sql, { raw } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { Closed, Nullable, Number as AnyNumber, Share, Type, type Static } from '../../kernel/schema.js'
import { deals } from '../../resources/deals/resource.js'
import { IntervalParameter } from '../buckets.js'
import { counted, type Notes, type Numbers } from '../counted.js'
import { figure, type Answered } from '../figure.js'
import { kaplanMeier, survivalAt, survivalMedian } from '../models/survival.js'
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
import { visitsInPeriod } from './visits.js'

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

interface Found extends Numbers {
  stage: number
  completed: Buffer | null
  going: Buffer | null
  totals: Buffer | null
  latest: Buffer | null
}

const [length, last] = [raw('f.days'), sql`f.last`]
const counts = sql`${sampleSql(length, sql`f.completed`)} as completed, ${sampleSql(length, sql`not f.completed`)} as going,
  ${sampleSql(raw('coalesce(f.total, f.days)'), last)} as totals, ${sampleSql(length, last)} as latest`

type Point = Omit<Value['stages'][number], 'stage' | 'totalPerDeal' | 'latest'>

/** What durations of visits amount to, those that go on being censored. */
function durationsOf(
  completed: ArrayLike<number>,
  open: ArrayLike<number>,
  days: readonly number[],
  reason: (pointer: string, code: string) => void
): Point {
  const curve = kaplanMeier(completed, open)
  const kmMedian = survivalMedian(curve)
  const visits = completed.length + open.length
  if (kmMedian === null) reason('/kmMedian', visits === 0 ? 'no_visits' : 'not_reached')
  return {
    visits,
    completed: statsOf(completed),
    openNow: { n: open.length, ages: statsOf(open) },
    kmMedian,
    survival: days.map((d, i) => {
      if (visits === 0) reason(`/survival/${i}/share`, 'no_visits')
      return { days: d, share: visits === 0 ? null : survivalAt(curve, d) }
    })
  }
}

function valueOf(
  steps: readonly IndexedStage[],
  days: readonly number[],
  rows: readonly Found[],
  { ids, reason }: Notes<Found>
): Value {
  return {
    stages: steps.map(({ stage, index }, i) => {
      const of = rows.filter(r => r.stage === index)
      const sample = (name: 'completed' | 'going' | 'totals' | 'latest') => sampleOf(of[0]?.[name] ?? null)
      ids(`/stages/${i}/visits`, of)
      ids(`/stages/${i}/completed/n`, of, 'ended')
      ids(`/stages/${i}/openNow/n`, of, 'ongoing')
      const pointed = (pointer: string, code: string) => reason(`/stages/${i}${pointer}`, code)
      return {
        stage,
        ...durationsOf(sample('completed'), sample('going'), days, pointed),
        totalPerDeal: statsOf(sample('totals')),
        latest: statsOf(sample('latest'))
      }
    })
  }
}

const sorted = (list: readonly number[]) => [...list].sort((a, b) => a - b)

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<Value>> {
  const scope = await dealScope(ctx, request, frame)
  const days = sorted(request.given.days ?? defaultDays)
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, scope.cuts, {
    ctes: visitsInPeriod(scope, ['completed', 'days', 'again', 'last', 'total']),
    by: ['stage'],
    counts,
    members: { ended: sql`f.completed`, ongoing: sql`not f.completed` },
    value: (rows, notes) =>
      valueOf(openShown(scope.pipeline, new Set(rows.map(r => r.stage))), days, rows, notes)
  })
  return {
    parameters: { pipelineId: scope.settled.pipelineId },
    value,
    reasons,
    counts: { visits: rows.reduce((n, r) => n + r.all, 0) },
    excluded: {},
    more
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
    'all of them.'
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
      const of = durationsOf(completed, open, sorted(given.days ?? defaultDays), (pointer, code) => {
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
