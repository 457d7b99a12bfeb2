import Big from 'big.js'
import type { Numbers } from './counted.js'
import { openSteps, wonStages } from './funnel-sql.js'
import { completed, type StepOrder, type Way } from './funnel-steps.js'
import type { PipelineThen, Standing } from './pipeline.js'

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

  function moveTo(
    a: Standing,
    b: Standing | undefined,
    kinds: [string, string | undefined]
  ): Move | undefined {
    const [from, to] = kinds
    if (to === undefined) return 'handed_over'
    if (from !== 'open') return to === 'open' ? 'reopen' : undefined
    if (to === 'won') return a.after > 0 ? 'skip' : undefined
    if (to === 'lost') return undefined
    if (b!.place < a.place) return 'backward'
    return b!.before > a.through ? 'skip' : 'forward'
  }

  return row => {
    const steps = stepsOf(row).map(({ stage, version }) => ({
      stage,
      version,
      kind: found(stage, version)?.kind
    }))
    const moves = steps.slice(1).flatMap((to, i) => {
      const from = steps[i]!
      const version = Math.max(from.version, to.version)
      const a = found(from.stage, version)
      if (to.stage === from.stage || !a) return []
      return [
        { from: from.stage, to: to.stage, move: moveTo(a, found(to.stage, version), [from.kind!, to.kind]) }
      ]
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
