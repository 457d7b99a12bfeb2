import { ascending } from './stats.js'

/** What holds from a duration on until the next step. */
export interface SurvivalStep {
  time: number
  /** Visits, deals … that lasted at least so long. */
  atRisk: number
  /** The share still without an end after this duration, S(t). */
  survival: number
  /** The share ended by this duration, by cause, I(t); with the survival they add up to 1. */
  incidence: number[]
}

/** Steps in ascending order of time, one for each duration at which something ended. */
export type SurvivalCurve = readonly SurvivalStep[]

/** A survival is taken for one half within this. */
const tolerance = 1e-9

/**
 * Cumulative incidence of competing ends (Aalen, Johansen 1978). `ended` holds the completed durations of each cause,
 * `open` those still running: one of the same length as a completed one was still at risk then.
 */
export function cumulativeIncidence(
  ended: readonly ArrayLike<number>[],
  open: ArrayLike<number>
): SurvivalCurve {
  const causes = ended.map(ascending)
  const censored = ascending(open)
  const place = causes.map(() => 0)
  const steps: SurvivalStep[] = []
  let censoredBefore = 0
  let atRisk = causes.reduce((n, c) => n + c.length, censored.length)
  let survival = 1
  let incidence = causes.map(() => 0)
  for (;;) {
    const time = Math.min(...causes.map((c, i) => c[place[i]!] ?? Infinity))
    if (time === Infinity) return steps
    while (censoredBefore < censored.length && censored[censoredBefore]! < time) {
      censoredBefore++
      atRisk--
    }
    const ends = causes.map((c, i) => {
      const first = place[i]!
      while (c[place[i]!] === time) place[i]!++
      return place[i]! - first
    })
    const all = ends.reduce((a, b) => a + b, 0)
    const before = survival
    incidence = incidence.map((share, i) => share + (before * ends[i]!) / atRisk)
    survival = before * (1 - all / atRisk)
    steps.push({ time, atRisk, survival, incidence })
    atRisk -= all
  }
}

/** The share still running at each completed duration (Kaplan, Meier 1958). */
export const kaplanMeier = (completed: ArrayLike<number>, open: ArrayLike<number>): SurvivalCurve =>
  cumulativeIncidence([completed], open)

/** The last step at or before a duration; undefined before the first one. */
function stepAt(curve: SurvivalCurve, time: number): SurvivalStep | undefined {
  let [low, high] = [0, curve.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (curve[middle]!.time <= time) low = middle + 1
    else high = middle
  }
  return curve[low - 1]
}

/** S(t): the share still running after a duration. */
export const survivalAt = (curve: SurvivalCurve, time: number): number => stepAt(curve, time)?.survival ?? 1

/** I(t): the share that had ended by a duration for a cause, by its place in `ended`. */
export const incidenceAt = (curve: SurvivalCurve, cause: number, time: number): number =>
  stepAt(curve, time)?.incidence[cause] ?? 0

/** The smallest duration by which half have ended; null where that is not reached. */
export const survivalMedian = (curve: SurvivalCurve): number | null =>
  curve.find(s => s.survival <= 0.5 + tolerance)?.time ?? null

/** The mean duration, counted up to a horizon: the area under S(t). */
export function restrictedMean(curve: SurvivalCurve, horizon: number): number {
  let [area, since, survival] = [0, 0, 1]
  for (const step of curve) {
    if (step.time >= horizon) break
    area += survival * (step.time - since)
    since = step.time
    survival = step.survival
  }
  return area + survival * (horizon - since)
}
