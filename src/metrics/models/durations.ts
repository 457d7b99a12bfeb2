import { joined, statsOf, type Stats } from './stats.js'
import { cumulativeIncidence, incidenceAt, kaplanMeier, survivalAt, survivalMedian } from './survival.js'

/** Days of visits to a stage: of deals that were there once, and of the others, which have totals and a latest visit too. */
export interface VisitSample {
  ended: Float64Array
  going: Float64Array
  endedAgain: Float64Array
  goingAgain: Float64Array
  totals: Float64Array
  latest: Float64Array
}

/** What durations of visits amount to; `survival` is S(t) at the days asked for. */
export interface VisitTimes {
  completed: Stats
  open: Stats
  kmMedian: number | null
  survival: number[]
}

/** Describes durations of visits, those that go on being censored. */
export function visitTimes(
  completed: ArrayLike<number>,
  open: ArrayLike<number>,
  days: readonly number[]
): VisitTimes {
  const curve = kaplanMeier(completed, open)
  return {
    completed: statsOf(completed),
    open: statsOf(open),
    kmMedian: survivalMedian(curve),
    survival: days.map(d => survivalAt(curve, d))
  }
}

/** The same for visits to a stage, with the days of each deal in all, and those of its latest visit. */
export const stageTimes = (s: VisitSample, days: readonly number[]) => ({
  ...visitTimes(joined(s.ended, s.endedAgain), joined(s.going, s.goingAgain), days),
  totals: statsOf(joined(s.ended, s.going, s.totals)),
  latest: statsOf(joined(s.ended, s.going, s.latest))
})

/** Days until deals were won or lost, and those that are open still. */
export interface CloseSample {
  won: Float64Array
  lost: Float64Array
  open: Float64Array
}

/** What days until the close amount to, with the shares at the days asked for. */
export function closeTimes({ won, lost, open }: CloseSample, days: readonly number[]) {
  const curve = cumulativeIncidence([won, lost], open)
  return {
    won: statsOf(won),
    lost: statsOf(lost),
    closed: statsOf(joined(won, lost)),
    kmMedian: survivalMedian(curve),
    curve: days.map(d => ({
      days: d,
      won: incidenceAt(curve, 0, d),
      lost: incidenceAt(curve, 1, d),
      open: survivalAt(curve, d)
    }))
  }
}
