import type { Notes } from './counted.js'
import { metricStage, wonStep } from './deals/stages.js'
import { dealsOf, wonValueOf, type Move, type PathRow, type PathSense } from './funnel-count.js'
import type { StepOrder } from './funnel-steps.js'
import type { FunnelValue } from './funnel-value.js'
import { openSteps, wonStages } from './funnel-sql.js'
import type { PipelineThen } from './pipeline.js'
import { rate } from './rate.js'

/** What is asked besides the stages themselves. */
export interface Extras {
  order: StepOrder | undefined
  /** Ascending; without any, there is one window without end. */
  windows: readonly number[]
  /** How many steps a path completes within each of these windows. */
  steps: (row: PathRow, windows: number) => number[]
  matured: readonly number[]
}

type Paths = readonly PathSense[]
type Tell = Notes<PathRow>

const rowsOf = (paths: Paths) => paths.map(p => p.row)

/** The number of deals, with whose it is. */
function counted({ ids }: Tell, pointer: string, paths: Paths): number {
  ids(pointer, rowsOf(paths))
  return dealsOf(paths)
}

type Step = Omit<FunnelValue['stages'][number], 'conversionFromPrevious' | 'conversionFromFirst'>

/** The stages of the pipeline that are live, or that deals of these paths were in. */
export function shownStages(pipeline: PipelineThen, paths: Paths): ReadonlySet<number> {
  const here = paths.filter(p => p.state !== undefined)
  const own = pipeline.stages.slice(0, pipeline.own).map((stage, i) => ({ stage, i }))
  return new Set(own.filter(({ stage, i }) => stage.live || here.some(p => p.entered.has(i))).map(s => s.i))
}

/** The open stages among those, in order, and one step for all that is won. */
function stepsOf(pipeline: PipelineThen, stages: ReadonlySet<number>, here: Paths, tell: Tell): Step[] {
  const shown = [...stages].map(i => ({ stage: pipeline.stages[i]!, i }))
  const won = here.filter(p => p.state === 'won')
  const open = shown.filter(s => s.stage.kind === 'open')
  const steps = open.map(({ stage, i }, at): Step => {
    const count = (name: string, met: (p: PathSense) => boolean) =>
      counted(tell, `/stages/${at}/${name}`, here.filter(met))
    return {
      stage: metricStage(stage),
      reached: count('reached', p => p.state === 'won' || (p.row.furthest ?? -1) >= stage.position),
      entered: count('entered', p => p.entered.has(i)),
      openNow: count('openNow', p => p.state === 'open' && p.stage === i),
      lostFrom: count('lostFrom', p => p.state === 'lost' && p.lastOpen === i)
    }
  })
  return [
    ...steps,
    {
      stage: wonStep(shown.filter(s => s.stage.kind === 'won').map(s => metricStage(s.stage))),
      reached: counted(tell, `/stages/${steps.length}/reached`, won),
      entered: counted(
        tell,
        `/stages/${steps.length}/entered`,
        here.filter(p => p.everWon)
      ),
      openNow: 0,
      lostFrom: 0
    }
  ]
}

function withRates(steps: readonly Step[], all: number, { reason }: Tell): FunnelValue['stages'] {
  return steps.map((step, i) => {
    const previous = rate(step.reached, i === 0 ? 0 : steps[i - 1]!.reached)
    const first = rate(step.reached, all)
    if (previous.value === null)
      reason(`/stages/${i}/conversionFromPrevious`, i === 0 ? 'first_stage' : 'none_reached')
    if (first.value === null) reason(`/stages/${i}/conversionFromFirst`, 'no_deals')
    return { ...step, conversionFromPrevious: previous, conversionFromFirst: first }
  })
}

function movesOf(paths: Paths, tell: Tell): FunnelValue['moves'] {
  const having = (move: Move) => paths.filter(p => p.moves.some(m => m.move === move))
  const moves = (name: string, move: Move) => {
    const found = having(move)
    tell.ids(`/moves/${name}`, rowsOf(found))
    return found.reduce((n, p) => n + p.row.all * p.moves.filter(m => m.move === move).length, 0)
  }
  const dealsWith = (name: string, move: Move) => counted(tell, `/moves/${name}`, having(move))
  return {
    forward: moves('forward', 'forward'),
    skip: moves('skip', 'skip'),
    backward: moves('backward', 'backward'),
    reopen: moves('reopen', 'reopen'),
    handedOver: moves('handedOver', 'handed_over'),
    dealsReopened: dealsWith('dealsReopened', 'reopen'),
    dealsBackward: dealsWith('dealsBackward', 'backward'),
    dealsSkipped: dealsWith('dealsSkipped', 'skip')
  }
}

function transitionsOf(pipeline: PipelineThen, paths: Paths, { ids }: Tell): FunnelValue['transitions'] {
  const pairs = new Map<string, { from: number; to: number; count: number; paths: Set<PathSense> }>()
  for (const path of paths) {
    for (const { from, to } of path.moves) {
      const key = `${from} ${to}`
      const pair = pairs.get(key) ?? { from, to, count: 0, paths: new Set() }
      pair.count += path.row.all
      pair.paths.add(path)
      pairs.set(key, pair)
    }
  }
  const sorted = [...pairs.values()].sort((a, b) => a.from - b.from || a.to - b.to)
  return sorted.map(({ from, to, count, paths }, i) => {
    ids(`/transitions/${i}/count`, rowsOf([...paths]))
    return { from: metricStage(pipeline.stages[from]!), to: metricStage(pipeline.stages[to]!), count }
  })
}

function orderedOf(pipeline: PipelineThen, here: Paths, extras: Extras, tell: Tell): FunnelValue['ordered'] {
  const { order, windows, steps } = extras
  if (!order) return []
  const open = openSteps(pipeline).map(i => metricStage(pipeline.stages[i]!))
  const stages = [
    ...open,
    wonStep(
      wonStages(pipeline)
        .filter(i => pipeline.stages[i]!.live)
        .map(i => metricStage(pipeline.stages[i]!))
    )
  ]
  const all = windows.length === 0 ? [null] : windows
  const done = here.map(path => ({ path, steps: steps(path.row, all.length) }))
  return all.map((windowDays, w) => ({
    windowDays,
    steps: stages.map((stage, i) => ({
      stage:
        order === 'any'
          ? { stageId: null, name: `${i + 1} of ${stages.length}`, kind: 'open' as const }
          : stage,
      count: counted(
        tell,
        `/ordered/${w}/steps/${i}/count`,
        done.filter(d => d.steps[w]! > i).map(d => d.path)
      )
    }))
  }))
}

function maturedOf(here: Paths, { matured }: Extras, tell: Tell): FunnelValue['matured'] {
  return matured.map((days, i) => {
    const old = here.filter(p => p.row.matured > i)
    const won = old.filter(p => p.state === 'won' && p.row.soon >= matured.length - i)
    const pointer = `/matured/${i}`
    const found = rate(counted(tell, `${pointer}/wonWithin`, won), counted(tell, `${pointer}/deals`, old))
    if (found.value === null) tell.reason(`${pointer}/rate`, 'none_matured')
    return { days, deals: found.denominator, wonWithin: found.numerator, rate: found }
  })
}

/** What paths in a pipeline amount to; the stages are those that are told of. */
export function funnelOf(
  pipeline: PipelineThen,
  stages: ReadonlySet<number>,
  paths: Paths,
  extras: Extras,
  tell: Tell
): FunnelValue {
  const here = paths.filter(p => p.state !== undefined)
  const inState = (state: PathSense['state']) => here.filter(p => p.state === state)
  const deals = counted(tell, '/deals', here)
  const outcome = {
    won: counted(tell, '/outcome/won', inState('won')),
    lost: counted(tell, '/outcome/lost', inState('lost')),
    open: counted(tell, '/outcome/open', inState('open'))
  }
  const conversion = rate(outcome.won, deals)
  const winRate = rate(outcome.won, outcome.won + outcome.lost)
  const wonValue = wonValueOf(inState('won'))
  if (conversion.value === null) tell.reason('/conversion', 'no_deals')
  if (winRate.value === null) tell.reason('/winRate', 'nothing_closed')
  if (wonValue === null) tell.reason('/wonValue', 'nothing_valued')
  tell.ids('/wonValue', rowsOf(inState('won')), 'valued')
  return {
    deals,
    outcome,
    everWon: counted(
      tell,
      '/everWon',
      here.filter(p => p.everWon)
    ),
    stages: pipeline.own === 0 ? [] : withRates(stepsOf(pipeline, stages, here, tell), deals, tell),
    moves: movesOf(paths, tell),
    transitions: transitionsOf(pipeline, paths, tell),
    conversion,
    winRate,
    wonValue,
    ordered: orderedOf(pipeline, here, extras, tell),
    matured: maturedOf(here, extras, tell)
  }
}
