import { Computed, Closed, Nullable, Number as AnyNumber, Type, type Static } from '../kernel/schema.js'
import { described } from './parameters.js'
import { MetricStage } from './pipeline.js'
import { Count, Rate } from './rate.js'

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

const OrderedStep = Closed(
  {
    stage: MetricStage(),
    count: Count('Deals that came to it.')
  },
  { 'x-type': 'FunnelOrderedStep', description: 'A step in its order.' }
)

const Days = (description: string) => described(AnyNumber(), description)

const Ordered = Closed(
  {
    windowDays: Nullable(Days('How long after the start steps count; null without end.')),
    steps: Type.Array(OrderedStep, {
      description: 'The live open stages in their order, then all that is won.'
    })
  },
  { 'x-type': 'FunnelOrdered', description: 'Steps that followed each other within a window.' }
)

const Matured = Closed(
  {
    days: Days('How long every deal had at least.'),
    deals: Count('Deals whose first stage was entered at least that long ago.'),
    wonWithin: Count('Those of them that are won, and were within that time.'),
    rate: Rate()
  },
  { 'x-type': 'FunnelMatured', description: 'Conversion of the deals that are old enough.' }
)

/** What a funnel answers. */
export const funnelValue = Closed(
  {
    deals: Count('Deals of the cohort that are in the pipeline.'),
    outcome: Outcome,
    everWon: Count('Deals that were won at some time, whatever happened since.'),
    stages: Type.Array(Step, { description: 'The open stages in their order, then all that is won.' }),
    moves: Moves,
    transitions: Type.Array(Transition, { description: 'Every pair of stages that followed each other.' }),
    conversion: Rate(),
    winRate: Rate(),
    wonValue: Nullable(Computed('The amounts of the won deals; null where none is known.')),
    ordered: Type.Array(Ordered, { description: 'With another `order` than reached: for each window.' }),
    matured: Type.Array(Matured, { description: 'With `maturedDays`: for each of them.' })
  },
  { 'x-type': 'Funnel', description: 'How far the deals of a pipeline came.' }
)

export type FunnelValue = Static<typeof funnelValue>
