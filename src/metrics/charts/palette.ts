/** A colour by what it is for. */
export type Role =
  'paper' | 'ink' | 'quiet' | 'line' | 'first' | 'second' | 'third' | 'fourth' | 'fifth' | 'bad'

/** The colours of charts on light paper; no two roles share one, so that each can be exchanged in a finished drawing. */
export const light: Record<Role, string> = {
  paper: '#ffffff',
  ink: '#1f2733',
  quiet: '#5b6675',
  line: '#dfe4ea',
  first: '#2f6fde',
  second: '#12977f',
  third: '#d97b16',
  fourth: '#8a56cf',
  fifth: '#5f7d95',
  bad: '#cf3f4f'
}

const dark: Record<Role, string> = {
  paper: '#12171e',
  ink: '#e8edf3',
  quiet: '#9aa7b6',
  line: '#2b3542',
  first: '#6ea3ff',
  second: '#3fc7ad',
  third: '#f0a24c',
  fourth: '#b78cf0',
  fifth: '#93aec4',
  bad: '#f4727f'
}

/** The colours of series, in their order. */
export const seriesColours = (['first', 'second', 'third', 'fourth', 'fifth'] as const).map(
  role => light[role]
)

/** From the lowest cell of a heat map to the highest. */
export const heat = ['#eef4fe', '#cfe0fb', '#a6c6f6', '#77a7ee', '#4a86e3', '#2463c4', '#17458f']

const darkHeat = ['#17212e', '#1c3350', '#214873', '#285f9a', '#3a7cc2', '#62a0e6', '#a3cbfb']

/** Ink on the cells of a heat map, where the paper does not show. */
export const cellInk = { low: '#1f2734', high: '#fdfefe' }

const darkCellInk = { low: '#e8edf4', high: '#0d131b' }

const exchanged: [string, string][] = [
  ...(Object.keys(light) as Role[]).map((role): [string, string] => [light[role], dark[role]]),
  ...heat.map((colour, i): [string, string] => [colour, darkHeat[i]!]),
  [cellInk.low, darkCellInk.low],
  [cellInk.high, darkCellInk.high]
]

const rule = (from: string, to: string) => `[fill="${from}"]{fill:${to}}[stroke="${from}"]{stroke:${to}}`

/** Style for a drawing in the light colours that shows it in the dark ones where the reader prefers those. */
export const darkStyle = `@media (prefers-color-scheme:dark){${exchanged.map(pair => rule(...pair)).join('')}}`
