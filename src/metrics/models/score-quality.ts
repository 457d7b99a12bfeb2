import { quantile } from './stats.js'

/** How well scores between 0 and 1 told what became of their subjects. */
export interface Quality {
  n: number
  positives: number
  baseRate: number | null
  /** The probability that a success scores higher than a failure, ties counting one half; null with one outcome. */
  auc: number | null
  brier: number | null
  logLoss: number | null
  /** The share of successes in the tenth with the highest scores, in units of the base rate. */
  liftTop10: number | null
  /** By tenths of the scores, the lowest first; equal scores are never torn apart. */
  calibration: { bin: number; n: number; mean: number; rate: number }[]
}

/** A subject's score, and whether it succeeded. */
export interface Scored {
  score: number
  outcome: number
}

const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)

/** The area under the receiver operating characteristic (Hanley, McNeil 1982); null with one outcome only. */
export function auc(scored: readonly Scored[]): number | null {
  const sorted = scored.toSorted((a, b) => a.score - b.score)
  const positives = total(scored.map(s => s.outcome))
  const negatives = scored.length - positives
  if (positives === 0 || negatives === 0) return null
  let [ranks, first] = [0, 0]
  while (first < sorted.length) {
    let end = first
    while (sorted[end]?.score === sorted[first]!.score) end++
    ranks += ((first + 1 + end) / 2) * total(sorted.slice(first, end).map(s => s.outcome))
    first = end
  }
  return (ranks - (positives * (positives + 1)) / 2) / (positives * negatives)
}

const least = 1e-15

const logLossOf = ({ score, outcome }: Scored) =>
  -Math.log(Math.max(least, outcome === 1 ? score : 1 - score))

function calibrationOf(scored: readonly Scored[]): Quality['calibration'] {
  const sorted = scored.map(s => s.score).sort((a, b) => a - b)
  const ends = Array.from({ length: 9 }, (_, i) => quantile(sorted, (i + 1) / 10)!)
  const bins = Array.from({ length: 10 }, (): Scored[] => [])
  for (const s of scored) bins[ends.filter(end => s.score > end).length]!.push(s)
  return bins
    .map((bin, i) => ({
      bin: i + 1,
      n: bin.length,
      mean: total(bin.map(s => s.score)) / bin.length,
      rate: total(bin.map(s => s.outcome)) / bin.length
    }))
    .filter(bin => bin.n > 0)
}

/** Measures scores by outcomes. */
export function qualityOf(scored: readonly Scored[]): Quality {
  const n = scored.length
  const positives = total(scored.map(s => s.outcome))
  if (n === 0)
    return {
      n,
      positives,
      baseRate: null,
      auc: null,
      brier: null,
      logLoss: null,
      liftTop10: null,
      calibration: []
    }
  const baseRate = positives / n
  const top = scored.toSorted((a, b) => b.score - a.score).slice(0, Math.max(1, Math.floor(n / 10)))
  return {
    n,
    positives,
    baseRate,
    auc: auc(scored),
    brier: total(scored.map(s => (s.score - s.outcome) ** 2)) / n,
    logLoss: total(scored.map(logLossOf)) / n,
    liftTop10: positives === 0 ? null : total(top.map(s => s.outcome)) / top.length / baseRate,
    calibration: calibrationOf(scored)
  }
}

const parts = ['baseRate', 'auc', 'brier', 'logLoss', 'liftTop10'] as const

/** Why parts of a quality are null, by their names: there is no outcome yet, or only one kind of it. */
export const qualityReasons = (quality: Quality): [name: string, code: string][] =>
  parts
    .filter(name => quality[name] === null)
    .map(name => [name, quality.n === 0 ? 'no_outcomes' : 'one_outcome_only'])
