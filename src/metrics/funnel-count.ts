import Big from 'big.js'
import type { Numbers } from './counted.js'
import { openSteps, wonStages } from './funnel-sql.js'
import { completed, type StepOrder, type Way } from './funnel-steps.js'
import type { PipelineThen } from './pipeline.js'

/** Deals that went the same way. */
export interface PathRow extends Numbers {
  /** The stages by index, each times the number of versions of the pipeline, plus the version; or null. */
  path: number[] | null
  /** Else the stages by id, and the one version. */
  way: string[] | null
  version: number | null
  furthest: number | null
  matured: number
  soon: number
  within: (number | null)[] | null
  withAmount: number
  valued: number
  value: string | null
}

export type Move = 'forward' | 'skip' | 'backward' | 'reopen' | 'handed_over'

/** A stage that a deal entered, under a version of the pipeline; without a kind one of another pipeline. */
interface Step {
  stage: number
  version: number
  kind: string | undefined
}

/** What deals of one way have in common. */
export interface PathSense {
  row: PathRow
  /** Undefined where they are in another pipeline now. */
  state: 'won' | 'lost' | 'open' | undefined
  /** The stage that they are in, by index. */
  stage: number
  lastOpen: number | undefined
  everWon: boolean
  entered: ReadonlySet<number>
  moves: readonly { from: number; to: number; move: Move | undefined }[]
}

/** Reads the stages that deals went through, in order, each with the version of the pipeline that it was under. */
function stepReader({ stages, changes }: PipelineThen) {
  const versions = changes.length + 1
  const index = new Map(stages.map((s, i) => [s.id, i]))
  return ({ path, way, version }: PathRow): { stage: number; version: number }[] =>
    path
      ? path.map(code => ({ stage: Math.trunc(code / versions), version: code % versions }))
      : way!.map(id => ({ stage: index.get(id)!, version: version! }))
}

/** Makes sense of paths in a pipeline. */
export function pathReader(pipeline: PipelineThen): (row: PathRow) => PathSense {
  const versions = pipeline.changes.length + 1
  const standing = new Map(pipeline.standings.map(s => [s.stage * versions + s.version, s]))
  const found = (stage: number, version: number) => standing.get(stage * versions + version)
  const stepsOf = stepReader(pipeline)

  // Stages were where they stood when they were entered; of two at one position the one with the lesser id came first.
  function isBackward(from: Step, to: Step): boolean {
    const [a, b] = [from, to].map(({ stage, version }) => ({
      position: found(stage, version)?.position ?? 0,
      id: pipeline.stages[stage]!.id
    }))
    return b!.position < a!.position || (b!.position === a!.position && b!.id < a!.id)
  }

  // Between them is what was live when the later one was recorded.
  function moveTo(from: Step, to: Step): Move | undefined {
    const version = Math.max(from.version, to.version)
    const [a, b] = [found(from.stage, version)!, found(to.stage, version)]
    if (to.kind === undefined) return 'handed_over'
    if (from.kind !== 'open') return to.kind === 'open' ? 'reopen' : undefined
    if (to.kind === 'won') return a.after > 0 ? 'skip' : undefined
    if (to.kind === 'lost') return undefined
    if (isBackward(from, to)) return 'backward'
    return b!.before > a.through ? 'skip' : 'forward'
  }

  return row => {
    const steps = stepsOf(row).map(({ stage, version }): Step => ({
      stage,
      version,
      kind: found(stage, version)?.kind
    }))
    const moves = steps.slice(1).flatMap((to, i) => {
      const from = steps[i]!
      if (to.stage === from.stage || from.kind === undefined) return []
      return [{ from: from.stage, to: to.stage, move: moveTo(from, to) }]
    })
    const last = steps.at(-1)!
    return {
      row,
      state: last.kind as PathSense['state'],
      stage: last.stage,
      lastOpen: steps.findLast(s => s.kind === 'open')?.stage,
      everWon: steps.some(s => s.kind === 'won'),
      entered: new Set(steps.map(s => s.stage)),
      moves
    }
  }
}

/** How many deals these are. */
export const dealsOf = (paths: readonly PathSense[]): number => paths.reduce((n, p) => n + p.row.all, 0)

/** What the won ones among them brought, with at most ten decimals; null where none has a known value. */
export function wonValueOf(won: readonly PathSense[]): string | null {
  if (won.length > 0 && won.every(p => p.row.value === null)) return null
  const sum = won.reduce((total, p) => total.plus(p.row.value ?? 0), new Big(0))
  return sum.round(10).toFixed()
}

/** Reads the ways of deals through the steps of a pipeline: its live open stages, then all that is won. */
export function wayReader(pipeline: PipelineThen, order: StepOrder, reentry: boolean) {
  const stepsOf = stepReader(pipeline)
  const open = openSteps(pipeline)
  const stepOf = new Map(open.map((stage, i) => [stage, i]))
  for (const stage of wonStages(pipeline)) stepOf.set(stage, open.length)

  function wayOf(row: PathRow): Way {
    const stages = stepsOf(row).map(s => s.stage)
    const entries = stages.map((stage, i) => ({ stage, i })).filter(({ stage, i }) => stage !== stages[i - 1])
    const steps = entries.map(({ stage }) => stepOf.get(stage))
    const isStart = (step: number | undefined) =>
      order === 'any' ? step !== undefined : step === 0 && open.length > 0
    const starts = entries.map((_, at) => at).filter(at => isStart(steps[at]))
    const used = reentry ? starts : starts.slice(0, 1)
    let offset = 0
    return {
      steps,
      starts: used.map(at => {
        const first = entries[at]!.i
        const over = entries.slice(at).map(({ i }) => row.within![offset + i - first]!)
        offset += stages.length - first
        return { at, over }
      })
    }
  }

  /** How many steps the deals of a path complete within each window. */
  return (row: PathRow, windows: number): number[] => {
    const way = wayOf(row)
    return Array.from({ length: windows }, (_, window) => completed(way, order, window))
  }
}
