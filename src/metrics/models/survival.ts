/** What holds from a duration on until the next step. */
export interface SurvivalStep {
  time: number
  /** Visits, deals … that lasted at least so long. */
  atRisk: number
  /** The share still without an end after this duration, S(t). */
  survival: number
  /** The share ended by this duration, by cause, I(t); with the survival they add up to 1. */
  incidence: readonly number[]
}

/** Steps in ascending order of time, one for each duration at which something ended, as columns: there may be very many. */
export interface SurvivalCurve {
  times: Float64Array
  atRisk: Float64Array
  survival: Float64Array
  /** By cause. */
  incidence: readonly Float64Array[]
}

/** A survival is taken for one half within this. */
const tolerance = 1e-9

/** The curve of few steps. */
export function curveOf(steps: readonly SurvivalStep[], causes: number): SurvivalCurve {
  const column = (of: (step: SurvivalStep) => number) => Float64Array.from(steps, of)
  return {
    times: column(s => s.time),
    atRisk: column(s => s.atRisk),
    survival: column(s => s.survival),
    incidence: Array.from({ length: causes }, (_, cause) => column(s => s.incidence[cause]!))
  }
}

/**
 * Cumulative incidence of competing ends (Aalen, Johansen 1978). `ended` holds the completed durations of each cause,
 * `open` those still running: one of the same length as a completed one was still at risk then.
 */
export function cumulativeIncidence(
  ended: readonly ArrayLike<number>[],
  open: ArrayLike<number>
): SurvivalCurve {
  const causes = ended.map(durations => Float64Array.from(durations).sort())
  const censored = Float64Array.from(open).sort()
  const place = causes.map(() => 0)
  const most = causes.reduce((n, c) => n + c.length, 0)
  const room = () => new Float64Array(most)
  const [times, risks, survivals, incidences] = [room(), room(), room(), causes.map(room)]
  let [steps, censoredBefore, survival, atRisk] = [0, 0, 1, most + censored.length]
  for (;;) {
    let time = Infinity
    for (let i = 0; i < causes.length; i++) time = Math.min(time, causes[i]![place[i]!] ?? Infinity)
    if (time === Infinity) break
    while (censoredBefore < censored.length && censored[censoredBefore]! < time) {
      censoredBefore++
      atRisk--
    }
    let all = 0
    for (let i = 0; i < causes.length; i++) {
      const [cause, first] = [causes[i]!, place[i]!]
      while (cause[place[i]!] === time) place[i]!++
      const ends = place[i]! - first
      const incidence = incidences[i]!
      incidence[steps] = (steps > 0 ? incidence[steps - 1]! : 0) + (survival * ends) / atRisk
      all += ends
    }
    times[steps] = time
    risks[steps] = atRisk
    survivals[steps++] = survival *= 1 - all / atRisk
    atRisk -= all
  }
  const cut = (column: Float64Array) => column.subarray(0, steps)
  return { times: cut(times), atRisk: cut(risks), survival: cut(survivals), incidence: incidences.map(cut) }
}

/** The share still running at each completed duration (Kaplan, Meier 1958). */
export const kaplanMeier = (completed: ArrayLike<number>, open: ArrayLike<number>): SurvivalCurve =>
  cumulativeIncidence([completed], open)

/** The last step at or before a duration; -1 before the first one. */
function stepAt({ times }: SurvivalCurve, time: number): number {
  let [low, high] = [0, times.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle]! <= time) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** S(t): the share still running after a duration. */
export function survivalAt(curve: SurvivalCurve, time: number): number {
  const step = stepAt(curve, time)
  return step < 0 ? 1 : curve.survival[step]!
}

/** I(t): the share that had ended by a duration for a cause, by its place in `ended`. */
export function incidenceAt(curve: SurvivalCurve, cause: number, time: number): number {
  const step = stepAt(curve, time)
  return step < 0 ? 0 : curve.incidence[cause]![step]!
}

/** The smallest duration by which half have ended; null where that is not reached. */
export const survivalMedian = ({ times, survival }: SurvivalCurve): number | null =>
  times[survival.findIndex(share => share <= 0.5 + tolerance)] ?? null

/** The mean duration, counted up to a horizon: the area under S(t). */
export function restrictedMean(curve: SurvivalCurve, horizon: number): number {
  let [area, since, survival] = [0, 0, 1]
  for (const [step, time] of curve.times.entries()) {
    if (time >= horizon) break
    area += survival * (time - since)
    since = time
    survival = curve.survival[step]!
  }
  return area + survival * (horizon - since)
}
