import sql from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { Closed, Id, Type, type Static } from '../../kernel/schema.js'
import { deals } from '../../resources/deals/resource.js'
import { IntervalParameter } from '../buckets.js'
import { counted, type Notes, type Numbers } from '../counted.js'
import { figure, type Answered } from '../figure.js'
import { described, refused, type Given, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { MetricStage } from '../pipeline.js'
import { Count } from '../rate.js'
import { dealParameters, dealScope, type DealScope } from './scope.js'
import { stepsShown, type IndexedStage } from './stages.js'
import { visitsInPeriod } from './visits.js'

const parameters = {
  ...dealParameters,
  stageId: described(Id(), 'Only this stage. Absent: all of them.'),
  interval: IntervalParameter('entries by their day')
}

type Asked = Request<Given<typeof parameters>>

const outcomes = {
  advanced: Count('Entries that went on to a later stage, or were won.'),
  lost: Count('Entries that were lost from there.'),
  movedBack: Count('Entries that went back to an earlier stage; for won, those that were reopened.'),
  handedOver: Count('Entries that went on to another pipeline.'),
  stillThere: Count('Entries whose deal is there still.')
}

type Outcome = keyof typeof outcomes

const Flow = Closed(
  { stage: MetricStage(), entries: Count('Entries into it.'), ...outcomes },
  {
    'x-type': 'StageFlowStage',
    description: 'What came of the entries into a stage; the five add up to them.'
  }
)

const value = Closed(
  { stages: Type.Array(Flow, { description: 'The open stages in their order, then all that is won.' }) },
  { 'x-type': 'StageFlow', description: 'What came of entries into stages.' }
)

type Value = Static<typeof value>

interface Found extends Numbers, Record<Outcome, number> {
  stage: number
}

const members = {
  advanced: sql`f.outcome = 'advanced'`,
  lost: sql`f.outcome = 'lost'`,
  movedBack: sql`f.outcome = 'moved_back'`,
  handedOver: sql`f.outcome = 'handed_over'`,
  stillThere: sql`f.outcome = 'still_there'`
}

const names = Object.keys(outcomes) as Outcome[]

function valueOf(steps: readonly IndexedStage[], rows: readonly Found[], { ids }: Notes<Found>): Value {
  return {
    stages: steps.map(({ stage, index }, i) => {
      const row = rows.filter(r => r.stage === index)
      ids(`/stages/${i}/entries`, row)
      for (const name of names) ids(`/stages/${i}/${name}`, row, name)
      const count = (name: Outcome | 'all') => row[0]?.[name] ?? 0
      return {
        stage,
        entries: count('all'),
        advanced: count('advanced'),
        lost: count('lost'),
        movedBack: count('movedBack'),
        handedOver: count('handedOver'),
        stillThere: count('stillThere')
      }
    })
  }
}

function asked({ pipeline }: DealScope, { given, place }: Asked, steps: IndexedStage[]): IndexedStage[] {
  if (given.stageId === undefined) return steps
  const wanted = given.stageId.toLowerCase()
  const index = pipeline.stages.slice(0, pipeline.own).findIndex(s => s.id === wanted)
  if (index < 0)
    throw refused(
      place,
      'stageId',
      'The pipeline has no such stage.',
      'unknown_reference',
      'unknown_reference'
    )
  return steps.filter(s => s.index === index)
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<Value>> {
  const scope = await dealScope(ctx, request, frame)
  const steps = (rows: readonly Found[]) =>
    asked(scope, request, stepsShown(scope.pipeline, new Set(rows.map(r => r.stage))))
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, scope.cuts, {
    ctes: visitsInPeriod(scope, ['outcome']),
    by: ['stage'],
    counts: sql`0 as zero`,
    members,
    value: (rows, notes) => valueOf(steps(rows), rows, notes)
  })
  return {
    parameters: { pipelineId: scope.settled.pipelineId },
    value,
    reasons,
    counts: { entries: rows.reduce((n, r) => n + r.all, 0) },
    excluded: {},
    more
  }
}

/** What came of entries into stages. */
export const stageFlow = figure({
  name: 'stage-flow',
  version: 1,
  summary: 'What came of the entries into each stage',
  definition: [
    'Every entry of a deal into a stage in the period, and what came of it as of `asOf`: the deal advanced to a later stage',
    'or was won, was lost, moved back, was handed over to another pipeline, or is still there. The five add up to the',
    'entries. A deal may enter a stage several times. Earlier and later are decided by the positions that the stages had',
    'when the deal entered them.'
  ].join(' '),
  formula: 'entries = advanced + lost + movedBack + handedOver + stillThere.',
  unit: 'entries',
  source: 'The Close reporting API (active-stage cohorts).',
  subject: deals,
  parameters,
  value,
  picture: {
    whole: ({ stages }) => ({
      kind: 'bars',
      unit: 'count',
      names: stages.map(s => s.stage.name),
      series: [
        { name: 'advanced', values: stages.map(s => s.advanced) },
        { name: 'lost', values: stages.map(s => s.lost) },
        { name: 'moved back', values: stages.map(s => s.movedBack) },
        { name: 'handed over', values: stages.map(s => s.handedOver) },
        { name: 'still there', values: stages.map(s => s.stillThere) }
      ]
    }),
    compared: { name: 'entries', unit: 'count', of: v => v.stages.reduce((n, s) => n + s.entries, 0) }
  },
  answer
})
