/** How steps follow each other: in order with others between, in any order, or directly. */
export type StepOrder = 'ordered' | 'any' | 'strict'

/** A way through a pipeline, without what repeats: the step that each entry is, or none, and what is known of its time. */
export interface Way {
  /** The number of the step, from 0; undefined for a stage that is no step. */
  steps: readonly (number | undefined)[]
  /** Where the clock starts. */
  starts: readonly { at: number; over: readonly (number | null)[] }[]
}

// `over[i]` is how many of the ascending windows are over at the i-th entry from the start on.
function from({ steps, starts }: Way, start: number, order: StepOrder, window: number): number {
  const { at, over } = starts[start]!
  const isIn = (entry: number) => {
    const passed = over[entry - at]
    return passed !== null && passed !== undefined && passed <= window
  }
  if (order === 'any') return new Set(steps.filter((s, i) => i >= at && s !== undefined && isIn(i))).size
  let next = 0
  for (let i = at; i < steps.length; i++) {
    if (steps[i] === next && isIn(i)) next++
    else if (order === 'strict') break
  }
  return next
}

/** The number of steps that a way completes within a window, the best of its starts. */
export const completed = (way: Way, order: StepOrder, window: number): number =>
  Math.max(0, ...way.starts.map((_, start) => from(way, start, order, window)))
