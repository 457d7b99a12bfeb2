import { fsum, quantileSorted } from 'd3-array'

/** What a sample of numbers looks like; everything but `n` is null where it is empty. */
export interface Stats {
  n: number
  mean: number | null
  median: number | null
  p25: number | null
  p75: number | null
  p90: number | null
  min: number | null
  max: number | null
}

/** The numbers in ascending order, as a copy. */
export const ascending = (values: ArrayLike<number>): number[] => [...Float64Array.from(values).sort()]

/**
 * The quantile of numbers in ascending order by linear interpolation between order statistics (type 7 of Hyndman and Fan
 * 1996, h = (n - 1)p); null where there are none.
 */
export const quantile = (sorted: number[], p: number): number | null => quantileSorted(sorted, p) ?? null

/** The arithmetic mean; null where there are no numbers. */
export const mean = (values: ArrayLike<number>): number | null =>
  values.length === 0 ? null : fsum(Array.from(values)) / values.length

/** Describes a sample. */
export function statsOf(values: ArrayLike<number>): Stats {
  const sorted = ascending(values)
  return {
    n: sorted.length,
    mean: mean(sorted),
    median: quantile(sorted, 0.5),
    p25: quantile(sorted, 0.25),
    p75: quantile(sorted, 0.75),
    p90: quantile(sorted, 0.9),
    min: sorted[0] ?? null,
    max: sorted.at(-1) ?? null
  }
}
