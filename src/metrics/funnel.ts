import { authorize } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { Closed, Enum, Type, type Static } from '../kernel/schema.js'
import { deals } from '../resources/deals/resource.js'
import { figure, type Answered } from './figure.js'
import { funnelSql, type FunnelCounts, type Move } from './funnel-sql.js'
import {
  commonParameters,
  described,
  FilterParameter,
  filtered,
  PipelineParameter,
  type Given,
  type Request
} from './parameters.js'
import type { Frame } from './period.js'
import { MetricStage, pipelineOf, type PipelineThen } from './pipeline.js'
import { Count, Rate, rate } from './rate.js'

const parameters = {
  ...commonParameters,
  pipelineId: PipelineParameter(),
  cohort: described(
    Enum('FunnelCohort', ['created', 'closed']),
    'Which deals: opened in the period, or closed in it (by their last close).',
    'created'
  ),
  filter: FilterParameter(deals)
}

const Outcome = Closed(
  {
    won: Count('Deals whose last stage is a won one.'),
    lost: Count('Deals whose last stage is a lost one.'),
    open: Count('Deals whose last stage is an open one.')
  },
  { 'x-type': 'FunnelOutcome', description: 'Where the deals are as of the moment of the figure.' }
)

const Step = Closed(
  {
    stage: MetricStage(),
    reached: Count('Deals that came to it or further; for won, those that are won.'),
    entered: Count('Deals that were in it, ever.'),
    conversionFromPrevious: Rate(),
    conversionFromFirst: Rate(),
    openNow: Count('Open deals that are in it now.'),
    lostFrom: Count('Lost deals whose last open stage it was.')
  },
  { 'x-type': 'FunnelStage', description: 'A step of the funnel.' }
)

const Moves = Closed(
  {
    forward: Count('Moves to the next open stage.'),
    skip: Count('Moves past an open stage, wins from before the last one among them.'),
    backward: Count('Moves to an earlier open stage.'),
    reopen: Count('Moves from won or lost back to an open stage.'),
    handedOver: Count('Moves to another pipeline.'),
    dealsReopened: Count('Deals with a move of the kind reopen.'),
    dealsBackward: Count('Deals with a move of the kind backward.'),
    dealsSkipped: Count('Deals with a move of the kind skip.')
  },
  { 'x-type': 'FunnelMoves', description: 'How deals moved, those that left the pipeline included.' }
)

const Transition = Closed(
  { from: MetricStage(), to: MetricStage(), count: Count('Moves from the one to the other.') },
  { 'x-type': 'FunnelTransition', description: 'A pair of stages that followed each other.' }
)

const value = Closed(
  {
    deals: Count('Deals of the cohort that are in the pipeline.'),
    outcome: Outcome,
    everWon: Count('Deals that were won at some time, whatever happened since.'),
    stages: Type.Array(Step, { description: 'The open stages in their order, then all that is won.' }),
    moves: Moves,
    transitions: Type.Array(Transition, { description: 'Every pair of stages that followed each other.' }),
    conversion: Rate(),
    winRate: Rate()
  },
  { 'x-type': 'Funnel', description: 'How far the deals of a pipeline came.' }
)

type Value = Static<typeof value>
type StageCounts = FunnelCounts['stages'][number]

const definition = [
  'How far deals come in a pipeline.',
  'A deal has reached every open stage up to the furthest one that it ever entered; a deal that is won has reached all.',
  'It has entered only the stages that it was really in: a skipped stage is reached, not entered, and no conversion',
  'exceeds 1. Its outcome is that of its last stage as of `asOf`.',
  'Positions are those that stages had when a deal entered them; whether a move skips stages is decided by the stages',
  'that were live then. A stage archived since is listed where deals of the cohort were in it.',
  'Several won stages are one step.',
  'A deal handed over to another pipeline is no deal of this one any more: neither won nor lost nor open, in no count of',
  'deals or stages, but in `excluded.handedOver`; its moves and transitions here, the handing over included, are still',
  'counted. In the other pipeline it begins as new, in the stage that it was handed to.',
  'Deals in the bin, and deals without a stage as of `asOf`, are in no figure.'
].join(' ')

const formula = [
  'reached(k) = deals with m >= position(k), m = the highest position entered, without limit for a won deal;',
  'conversionFromPrevious(k) = reached(k) / reached(k - 1); conversionFromFirst(k) = reached(k) / deals;',
  'lostFrom(k) = lost deals whose last open stage was k; conversion = won / deals; winRate = won / (won + lost).',
  'Moves between consecutive stages: to the next live open stage = forward, past one = skip, also a win before the',
  'last; to an earlier one = backward; from won or lost to open = reopen; to another pipeline = handedOver.'
].join(' ')

const empty: FunnelCounts = {
  totals: { deals: 0, won: 0, lost: 0, open: 0, everWon: 0, handedOver: 0 },
  stages: [],
  moves: [],
  transitions: []
}

type Steps = Omit<Value['stages'][number], 'conversionFromPrevious' | 'conversionFromFirst'>[]

/** The open stages that are live or were entered, in order, and one step for all that is won. */
function stepsOf(pipeline: PipelineThen, { totals, stages }: FunnelCounts): Steps {
  const counts = new Map(stages.map(s => [s.stage, s]))
  const shown = pipeline.stages
    .slice(0, pipeline.own)
    .flatMap((stage, i): { of: MetricStage; counts: StageCounts }[] => {
      const found = counts.get(i)!
      return stage.live || found.entered > 0 ? [{ of: named(stage), counts: found }] : []
    })
  const won = shown.filter(s => s.of.kind === 'won')
  const wonStage = won.length === 1 ? won[0]!.of : { stageId: null, name: 'Won', kind: 'won' as const }
  return [
    ...shown
      .filter(s => s.of.kind === 'open')
      .map(({ of, counts: { stage: _, ...rest } }) => ({ stage: of, ...rest })),
    { stage: wonStage, reached: totals.won, entered: totals.everWon, openNow: 0, lostFrom: 0 }
  ]
}

const named = ({ id, name, kind }: PipelineThen['stages'][number]): MetricStage => ({
  stageId: id,
  name,
  kind
})

/** The rates between the steps; the reasons of those that are null go into `reasons`. */
function withRates(steps: Steps, all: number, reasons: Record<string, string>): Value['stages'] {
  return steps.map((step, i) => {
    const previous = rate(step.reached, i === 0 ? 0 : steps[i - 1]!.reached)
    const first = rate(step.reached, all)
    const pointer = `/value/stages/${i}`
    if (previous.value === null)
      reasons[`${pointer}/conversionFromPrevious`] = i === 0 ? 'first_stage' : 'none_reached'
    if (first.value === null) reasons[`${pointer}/conversionFromFirst`] = 'no_deals'
    return { ...step, conversionFromPrevious: previous, conversionFromFirst: first }
  })
}

function movesOf({ moves }: FunnelCounts): Value['moves'] {
  const by = new Map(moves.map(m => [m.move, m]))
  const count = (move: Move) => by.get(move)?.moves ?? 0
  const dealsWith = (move: Move) => by.get(move)?.deals ?? 0
  return {
    forward: count('forward'),
    skip: count('skip'),
    backward: count('backward'),
    reopen: count('reopen'),
    handedOver: count('handed_over'),
    dealsReopened: dealsWith('reopen'),
    dealsBackward: dealsWith('backward'),
    dealsSkipped: dealsWith('skip')
  }
}

function assembled(pipeline: PipelineThen | undefined, counts: FunnelCounts): Answered<Value> {
  const { deals: all, everWon, handedOver, ...outcome } = counts.totals
  const reasons: Record<string, string> = {}
  const conversion = rate(outcome.won, all)
  const winRate = rate(outcome.won, outcome.won + outcome.lost)
  if (conversion.value === null) reasons['/value/conversion'] = 'no_deals'
  if (winRate.value === null) reasons['/value/winRate'] = 'nothing_closed'
  const stage = (index: number) => named(pipeline!.stages[index]!)
  return {
    parameters: { pipelineId: pipeline?.id ?? null },
    value: {
      deals: all,
      outcome,
      everWon,
      stages: pipeline ? withRates(stepsOf(pipeline, counts), all, reasons) : [],
      moves: movesOf(counts),
      transitions: counts.transitions.map(({ from, to, count }) => ({
        from: stage(from),
        to: stage(to),
        count
      })),
      conversion,
      winRate
    },
    counts: { deals: all + handedOver },
    excluded: { handedOver },
    reasons
  }
}

async function answer(
  ctx: Context,
  request: Request<Given<typeof parameters>>,
  frame: Frame
): Promise<Answered<Value>> {
  authorize(ctx, deals.permissions.read)
  const filter = filtered(ctx, deals, 'd', request)
  const pipeline = await pipelineOf(ctx, request, frame)
  if (!pipeline) return assembled(undefined, empty)
  const { cohort = 'created' } = request.given
  const [counts] = await ctx.db.query<FunnelCounts>(funnelSql(ctx, { pipeline, frame, cohort, filter }))
  return assembled(pipeline, counts!)
}

/** The pipeline funnel. */
export const funnel = figure({
  name: 'funnel',
  version: 1,
  summary: 'How far deals come in a pipeline',
  definition,
  formula,
  unit: 'deals; rates are fractions from 0 to 1',
  dimensions: [],
  source: 'The Close reporting API (created cohorts), and the step funnels of Mixpanel and Amplitude.',
  parameters,
  value,
  answer
})
