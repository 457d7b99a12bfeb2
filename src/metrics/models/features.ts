import type { Observations } from './logistic.js'

/** What a model looks at. */
export interface Feature {
  field: string
  kind: 'number' | 'category'
  /** The level that the others are compared with. */
  reference?: string | null
}

/** A column of the design: a number, or whether a field has a level; null: whether it has no value. */
export interface Column {
  feature: number
  field: string
  level?: string | null
}

/** How the values of fields become numbers. */
export interface Design {
  columns: Column[]
  /** The number that stands where there is none, by feature. */
  means: number[]
}

type Value = string | number | boolean | null

const levelOf = (value: Value) => (value === null ? null : String(value))

const numberOf = (value: Value) => {
  const number = value === null || typeof value === 'boolean' ? NaN : Number(value)
  return Number.isFinite(number) ? number : null
}

function numeric(
  field: string,
  feature: number,
  values: readonly Value[]
): { columns: Column[]; mean: number } {
  const known = values.map(numberOf).filter(v => v !== null)
  const mean = known.reduce((a, b) => a + b, 0) / (known.length || 1)
  const varies = known.some(v => v !== known[0])
  const missing = known.length > 0 && known.length < values.length
  const columns: Column[] = [
    ...(varies ? [{ feature, field }] : []),
    ...(missing ? [{ feature, field, level: null }] : [])
  ]
  return { columns, mean }
}

function categorical({ field, reference }: Feature, feature: number, values: readonly Value[]): Column[] {
  const counts = new Map<string | null, number>()
  for (const value of values) counts.set(levelOf(value), (counts.get(levelOf(value)) ?? 0) + 1)
  const byCount = [...counts]
    .sort(([a, n], [b, m]) => m - n || (String(a) < String(b) ? -1 : 1))
    .map(([l]) => l)
  const base = reference !== undefined && counts.has(reference) ? reference : byCount[0]
  return byCount.filter(level => level !== base).map(level => ({ feature, field, level }))
}

/** The columns that the values of training make; those of a field that never differs are none. */
export function designOf(features: readonly Feature[], rows: readonly (readonly Value[])[]): Design {
  const means: number[] = []
  const columns = features.flatMap((feature, i) => {
    const values = rows.map(r => r[i]!)
    const number = feature.kind === 'number' ? numeric(feature.field, i, values) : undefined
    means.push(number?.mean ?? 0)
    return number?.columns ?? categorical(feature, i, values)
  })
  return { columns, means }
}

function cell(
  column: Column,
  features: readonly Feature[],
  means: readonly number[],
  row: readonly Value[]
): number {
  const value = row[column.feature]!
  if (features[column.feature]!.kind === 'category') return Number(levelOf(value) === column.level)
  const number = numberOf(value)
  return column.level === null ? Number(number === null) : (number ?? means[column.feature]!)
}

/** The rows as numbers. A level that training did not know is none of the columns: it counts as the reference. */
export function observe(
  { columns, means }: Design,
  features: readonly Feature[],
  rows: readonly (readonly Value[])[],
  outcomes: readonly boolean[]
): Observations {
  const cells = new Float64Array(rows.length * columns.length)
  rows.forEach((row, r) =>
    columns.forEach((column, c) => {
      cells[r * columns.length + c] = cell(column, features, means, row)
    })
  )
  return { cells, columns: columns.length, outcomes: Uint8Array.from(outcomes, Number) }
}
