import type { Unit } from './chart.js'

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const decimal = new Intl.NumberFormat('en', { maximumFractionDigits: 2 })
const days = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 })

const writers: Record<Unit, (value: number) => string> = {
  count: value => (Math.abs(value) < 1e6 ? grouped : compact).format(value),
  share: value => percent.format(value),
  days: value => `${days.format(value)} d`,
  money: value => (Math.abs(value) < 1e6 ? grouped : compact).format(value),
  number: value => (Math.abs(value) < 1e6 ? decimal : compact).format(value)
}

/** A number as a person reads it in a chart; a dash where it is unknown. */
export const written = (unit: Unit, value: number | null): string =>
  value === null ? '–' : writers[unit](value)

/** A text that is cut where it would not fit. */
export const fitted = (text: string, most: number): string => {
  const characters = [...text]
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`
}
