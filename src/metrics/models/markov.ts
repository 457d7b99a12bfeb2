import { inverse, Matrix, solve } from 'ml-matrix'
import { credit, type Credits, type Journey } from './journeys.js'

/** The most states that a chain may have; its time grows with their third power. */
export const mostStates = 400

/** A move between states: `start`, a key's place, `conversion`, `null`. */
export interface Transition {
  from: number | 'start'
  to: number | 'conversion' | 'null'
  p: number
}

/** What a chain says of its keys. */
export interface Chain {
  /** The probability of a conversion from the start. */
  pConversion: number
  /** The share of it that is lost without the key, by its place. */
  removalEffects: Map<number, number>
  /** Of a chain of first order. */
  transitions: Transition[]
}

interface Counts {
  /** The state of each row, with the key that it ends with; the first row is the start. */
  keys: number[]
  moves: Map<number, number>[]
  conversions: number[]
  ends: number[]
}

// A longer memory would tell repeated touches of a key apart, which must not change the result.
const withoutRepeats = (path: readonly number[]) => path.filter((key, i) => key !== path[i - 1])

/** Counts moves between states, a state being the last `order` touches; undefined where there are too many. */
function count(journeys: readonly Journey[], order: number): Counts | undefined {
  const rows = new Map<string, number>()
  const counts: Counts = { keys: [], moves: [], conversions: [], ends: [] }
  const row = (touches: readonly number[]) => {
    const name = touches.join()
    const known = rows.get(name)
    if (known !== undefined) return known
    rows.set(name, counts.keys.length)
    counts.keys.push(touches.at(-1) ?? -1)
    counts.moves.push(new Map())
    counts.conversions.push(0)
    counts.ends.push(0)
    return counts.keys.length - 1
  }
  row([])
  for (const { path, conversions, nulls } of journeys) {
    const times = conversions + nulls
    const touches = order === 1 ? path : withoutRepeats(path)
    if (times === 0 || touches.length === 0) continue
    let from = 0
    touches.forEach((_, i) => {
      const to = row(touches.slice(Math.max(0, i + 1 - order), i + 1))
      counts.moves[from]!.set(to, (counts.moves[from]!.get(to) ?? 0) + times)
      counts.ends[from]! += times
      from = to
    })
    counts.conversions[from]! += conversions
    counts.ends[from]! += times
    if (rows.size > mostStates) return undefined
  }
  return counts
}

/** The fundamental matrix: expected visits of each state from each state, `(I - Q)^-1`. */
function visits({ moves, ends }: Counts): Matrix {
  const left = Matrix.eye(ends.length)
  for (const [from, row] of moves.entries())
    for (const [to, n] of row) left.set(from, to, left.get(from, to) - n / ends[from]!)
  return inverse(left)
}

/**
 * The share of conversions that pass through any of the states. The first of them that is reached is `hit` with the
 * probabilities that solve `hit N_SS = N_start,S`; from there on nothing is changed.
 */
function through(states: number[], expected: Matrix, converts: number[]): number {
  const among = expected.subMatrixColumn(states).subMatrixRow(states)
  const fromStart = Matrix.columnVector(states.map(s => expected.get(0, s)))
  const hit = solve(among.transpose(), fromStart)
  return states.reduce((sum, s, i) => sum + hit.get(i, 0) * converts[s]!, 0)
}

function transitionsOf({ keys, moves, conversions, ends }: Counts): Transition[] {
  return keys.flatMap((key, row) => {
    const from = row === 0 ? 'start' : key
    const on = [...moves[row]!].map(([to, n]): [Transition['to'], number] => [keys[to]!, n])
    const nulls = on.reduce((rest, [, n]) => rest - n, ends[row]! - conversions[row]!)
    const all: typeof on = [...on, ['conversion', conversions[row]!], ['null', nulls]]
    return all.filter(([, n]) => n > 0).map(([to, n]): Transition => ({ from, to, p: n / ends[row]! }))
  })
}

/**
 * The Markov chain of journeys that converted or ended without (Anderl, Becker, von Wangenheim, Schumann 2016), solved
 * exactly. Undefined where no journey has a touch, or the order makes more than `mostStates` states.
 */
export function markovChain(journeys: readonly Journey[], order: number): Chain | undefined {
  const counts = count(journeys, order)
  if (!counts || counts.keys.length === 1) return undefined
  const expected = visits(counts)
  const n = counts.keys.length
  const converts = counts.keys.map((_, from) => {
    let p = 0
    for (let to = 0; to < n; to++) p += (expected.get(from, to) * counts.conversions[to]!) / counts.ends[to]!
    return p
  })
  // Rounding may leave it a hair above.
  const pConversion = Math.min(1, converts[0]!)
  const statesOf = new Map<number, number[]>()
  counts.keys.forEach((key, row) => row > 0 && statesOf.set(key, [...(statesOf.get(key) ?? []), row]))
  const removalEffects = new Map(
    [...statesOf].map(([key, states]) => [
      key,
      pConversion > 0 ? through(states, expected, converts) / pConversion : 0
    ])
  )
  return { pConversion, removalEffects, transitions: order === 1 ? transitionsOf(counts) : [] }
}

/** Shares conversions and their value by removal effect. */
export function markovCredits({ removalEffects }: Chain, conversions: number, value: number): Credits {
  const credits: Credits = new Map()
  const sum = [...removalEffects.values()].reduce((a, b) => a + b, 0)
  for (const [key, effect] of removalEffects)
    if (sum > 0) credit(credits, key, (conversions * effect) / sum, (value * effect) / sum)
  return credits
}
