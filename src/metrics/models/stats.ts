import { bisectRight, fsum, quantileSorted } from 'd3-array'

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

/** The numbers of several samples as one. */
export function joined(...samples: readonly ArrayLike<number>[]): Float64Array {
  const all = new Float64Array(samples.reduce((n, s) => n + s.length, 0))
  let from = 0
  for (const sample of samples) {
    all.set(sample, from)
    from += sample.length
  }
  return all
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

/** Describes a sample of whole numbers, told by how often each of them is in it. */
export function statsOfCounts(counts: ReadonlyMap<number, number>): Stats {
  const different = [...counts].sort(([a], [b]) => a - b)
  let [n, sum] = [0, 0]
  const upTo = different.map(([value, times]) => {
    sum += value * times
    return (n += times)
  })
  const nth = (i: number) => different[bisectRight(upTo, i)]![0]
  const quantileAt = (p: number) => {
    if (n === 0) return null
    const h = (n - 1) * p
    const below = nth(Math.floor(h))
    return below + (nth(Math.ceil(h)) - below) * (h - Math.floor(h))
  }
  return {
    n,
    mean: n === 0 ? null : sum / n,
    median: quantileAt(0.5),
    p25: quantileAt(0.25),
    p75: quantileAt(0.75),
    p90: quantileAt(0.9),
    min: different[0]?.[0] ?? null,
    max: different.at(-1)?.[0] ?? null
  }
}
