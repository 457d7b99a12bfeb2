/** How the numbers of a chart are written. */
export type Unit = 'count' | 'share' | 'days' | 'money' | 'number'

interface Titled {
  title: string
  /** What the numbers are about: the period, the pipeline, the currency. */
  subtitle: string
}

/** Steps from the widest to the narrowest, each with the share of the first that came to it. */
export interface FunnelChart extends Titled {
  kind: 'funnel'
  steps: { name: string; value: number; share: number | null }[]
}

/** A bar for each name and series; unknown values leave a gap. */
export interface BarChart extends Titled {
  kind: 'bars'
  unit: Unit
  names: string[]
  series: { name: string; values: (number | null)[] }[]
}

/** Lines over time, or over a number. A line of steps keeps its value until the next point. */
export interface LineChart extends Titled {
  kind: 'lines'
  unit: Unit
  /** What the horizontal axis counts in; its labels where it has names instead of numbers. */
  axis: { name: string; labels?: string[] }
  stepped?: boolean
  series: { name: string; points: [x: number, y: number | null][] }[]
}

/** A row for each cohort, a column for each period after it. An unfinished cell has a star. */
export interface HeatChart extends Titled {
  kind: 'heat'
  unit: Unit
  rows: { name: string; size: number }[]
  columns: string[]
  cells: { row: number; column: number; value: number; complete: boolean }[]
}

/** How a total becomes another one: parts that raise or lower it, between whole bars; unknown ones leave a gap. */
export interface WaterfallChart extends Titled {
  kind: 'waterfall'
  unit: Unit
  parts: { name: string; value: number | null; whole: boolean }[]
}

/** What a figure says as a picture. */
export type Chart = FunnelChart | BarChart | LineChart | HeatChart | WaterfallChart
