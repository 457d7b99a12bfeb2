import { curveOf, type SurvivalCurve } from '../models/survival.js'
import type { Spell } from './sql.js'

/**
 * Kaplan–Meier for subscriptions that are observed from some tenure on: before it nothing is known of others like them
 * that ended, so they are at risk from then on only (left truncation). At a tenure all are at risk that were observed
 * in it.
 */
export function survivalOf(spells: readonly Spell[]): SurvivalCurve {
  const changes = new Map<number, { enters: number; leaves: number; ends: number }>()
  const at = (tenure: number) => {
    const known = changes.get(tenure) ?? { enters: 0, leaves: 0, ends: 0 }
    changes.set(tenure, known)
    return known
  }
  for (const { entry, exit, ended, n } of spells) {
    at(entry).enters += n
    at(exit).leaves += n
    if (ended) at(exit).ends += n
  }
  let atRisk = 0
  let survival = 1
  const steps = [...changes]
    .sort(([a], [b]) => a - b)
    .flatMap(([time, { enters, leaves, ends }]) => {
      atRisk += enters
      const before = atRisk
      atRisk -= leaves
      if (ends === 0) return []
      survival *= 1 - ends / before
      return [{ time, atRisk: before, survival, incidence: [1 - survival] }]
    })
  return curveOf(steps, 1)
}
