import type { BarChart, Chart, LineChart, Unit } from './chart.js'

type Untitled<C> = C extends Chart ? Omit<C, 'title' | 'subtitle'> : never

/** A chart before it is titled. */
export type Drawn = Untitled<Chart>

/** How a figure is drawn: as a whole, and the one number by which its buckets and groups are compared. */
export interface Picture<V> {
  whole(value: V): Drawn
  compared: { name: string; unit: Unit; of(value: V): number | string | null }
}

/** What of an answer a chart shows. */
export interface Drawable<V> {
  timeZone: string
  asOf: string
  currency?: string
  parameters: Record<string, unknown>
  value: V
  buckets?: { label: string; value: V }[]
  groups?: { label: string; value: V; buckets?: { label: string; value: V }[] }[]
}

const mostGroups = 30
const mostLines = 5

/** A number as it is drawn, money too. */
export const numberOf = (value: number | string | null): number | null =>
  value === null ? null : Number(value)

function groupBars<V>(
  { compared }: Picture<V>,
  groups: NonNullable<Drawable<V>['groups']>
): Untitled<BarChart> {
  const found = groups.map(g => ({ label: g.label, number: numberOf(compared.of(g.value)) }))
  const shown = found.sort((a, b) => (b.number ?? -Infinity) - (a.number ?? -Infinity)).slice(0, mostGroups)
  return {
    kind: 'bars',
    unit: compared.unit,
    names: shown.map(s => s.label),
    series: [{ name: compared.name, values: shown.map(s => s.number) }]
  }
}

function bucketLines<V>(
  { compared }: Picture<V>,
  lines: readonly { label: string; buckets?: { label: string; value: V }[] }[]
): Untitled<LineChart> {
  return {
    kind: 'lines',
    unit: compared.unit,
    axis: { name: compared.name, labels: lines[0]?.buckets?.map(b => b.label) ?? [] },
    series: lines.slice(0, mostLines).map(({ label, buckets = [] }) => ({
      name: label,
      points: buckets.map((b, x): [number, number | null] => [x, numberOf(compared.of(b.value))])
    }))
  }
}

function bodyOf<V>(picture: Picture<V>, { value, buckets, groups }: Drawable<V>): Drawn {
  if (groups && buckets) return bucketLines(picture, groups)
  if (groups) return groupBars(picture, groups)
  if (buckets) return bucketLines(picture, [{ label: picture.compared.name, buckets }])
  return picture.whole(value)
}

function aboutOf({ parameters, timeZone, asOf, currency }: Drawable<unknown>): string {
  const { from, to } = parameters as Record<'from' | 'to', string | null>
  const period = from || to ? `${from ?? '…'} to ${to ?? 'now'}` : 'All time'
  return [period, timeZone, currency, `as of ${asOf.slice(0, 16).replace('T', ' ')} UTC`]
    .filter(part => part !== undefined)
    .join(' · ')
}

/** The answer of a figure as a chart: its groups or buckets side by side where it has some, else the whole. */
export const chartOf = <V>(title: string, picture: Picture<V>, answer: Drawable<V>): Chart => ({
  ...bodyOf(picture, answer),
  title,
  subtitle: aboutOf(answer)
})

/** The same, drawn. What draws is loaded with the first picture, since most processes never draw one. */
export async function drawn<V>(title: string, picture: Picture<V>, answer: Drawable<V>): Promise<string> {
  const { draw } = await import('./draw.js')
  return draw(chartOf(title, picture, answer))
}
