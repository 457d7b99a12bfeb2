/** A plain aggregation of records in memory: what the database is compared with. */

export interface Order {
  id: string
  number: string | null
  amount: string | null
  currency: string
  orderedAt: string
  createdAt: string
  customFields: Record<string, string | number | boolean>
  company: { id: string; industry: string | null; createdAt: string } | null
}

export interface GroupBy {
  field: string
  grain?: string
}

export interface Measure {
  op: string
  field: string
  since?: string
  p?: number
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const clocks = new Map<string, Intl.DateTimeFormat>()

/** What a clock there shows, in milliseconds as if it were UTC. */
function wall(zone: string, at: number): number {
  const options = {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric'
  } as const
  const clock = clocks.get(zone) ?? new Intl.DateTimeFormat('en', options)
  clocks.set(zone, clock)
  const part = Object.fromEntries(clock.formatToParts(at).map(p => [p.type, Number(p.value)]))
  const { year, month, day: date, hour: h, minute: m, second } = part as Record<string, number>
  return Date.UTC(year!, month! - 1, date, h, m, second) + (at % 1000)
}

const latest = new Map<string, number>()

/** The latest that the clock has shown up to then: where clocks go back it stays. */
function furthest(zone: string, at: number): number {
  const key = `${zone} ${at}`
  const known = latest.get(key)
  if (known !== undefined) return known
  let most = wall(zone, at)
  if (most - wall(zone, at - day) !== day) {
    for (let before = at; before > at - day; before -= minute)
      most = Math.max(most, wall(zone, before - (before % minute)))
  }
  latest.set(key, most)
  return most
}

/** The start of the fiscal year is the 15th of July. */
function start(grain: string, local: number): number {
  const date = new Date(local)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  const midnight = Date.UTC(year, month, date.getUTCDate())
  switch (grain) {
    case 'hour':
      return local - (local % hour)
    case 'day':
      return midnight
    case 'week':
      return midnight - ((date.getUTCDay() + 6) % 7) * day
    case 'month':
      return Date.UTC(year, month, 1)
    case 'quarter':
      return Date.UTC(year, month - (month % 3), 1)
    case 'year':
      return Date.UTC(year, 0, 1)
    default:
      return Date.UTC(midnight < Date.UTC(year, 6, 15) ? year - 1 : year, 6, 15)
  }
}

function timeKey(grain: string, zone: string, time: string): string | number {
  const at = Date.parse(time)
  const local = new Date(wall(zone, at))
  if (grain === 'hour_of_day') return local.getUTCHours()
  if (grain === 'day_of_week') return local.getUTCDay() || 7
  if (grain === 'month_of_year') return local.getUTCMonth() + 1
  const text = new Date(start(grain, furthest(zone, at))).toISOString()
  return grain === 'hour' ? text.slice(0, 16) : text.slice(0, 10)
}

type Value = string | number | boolean | null

/** The value of a path such as `company.industry`. */
function valueOf(order: Order, path: string): Value {
  const found = path
    .split('.')
    .reduce<unknown>((at, name) => (at as Record<string, unknown> | null)?.[name], order)
  return (found ?? null) as Value
}

/** What a record is grouped by. */
export function keyOf(order: Order, { field, grain }: GroupBy, zone: string): unknown {
  const value = valueOf(order, field)
  if (value === null) return null
  if (grain !== undefined) return timeKey(grain, zone, value as string)
  return field.startsWith('customFields') ? String(value) : value
}

const scale = 10n ** 10n
const scaled = (money: string): bigint => {
  const [whole, places = ''] = money.replace('-', '').split('.') as [string, string?]
  const value = BigInt(whole + places.padEnd(10, '0'))
  return money.startsWith('-') ? -value : value
}
const shown = (value: bigint): string => {
  const [sign, positive] = value < 0n ? ['-', -value] : ['', value]
  const places = (positive % scale).toString().padStart(10, '0').replace(/0+$/, '')
  return `${sign}${positive / scale}${places === '' ? '' : `.${places}`}`
}
// Halves away from zero.
const divided = (a: bigint, b: bigint) => (a < 0n ? -((-a * 2n + b) / (2n * b)) : (a * 2n + b) / (2n * b))
const ascending = (a: bigint | number, b: bigint | number) => (a < b ? -1 : a > b ? 1 : 0)

function ofMoney(values: bigint[], { op, p = 0 }: Measure): string {
  const sorted = [...values].sort(ascending)
  const sum = sorted.reduce((a, b) => a + b)
  if (op === 'sum') return shown(sum)
  if (op === 'avg') return shown(divided(sum, BigInt(sorted.length)))
  if (op === 'min') return shown(sorted[0]!)
  if (op === 'max') return shown(sorted.at(-1)!)
  const place = BigInt(sorted.length - 1) * BigInt(Math.round(p * 1000))
  const [below, share] = [Number(place / 1000n), place % 1000n]
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!]
  return shown(divided(low * 1000n + share * (high - low), 1000n))
}

function ofNumbers(values: number[], { op, p = 0 }: Measure): number {
  const sorted = [...values].sort(ascending)
  const sum = sorted.reduce((a, b) => a + b, 0)
  if (op === 'sum') return sum
  if (op === 'avg') return sum / sorted.length
  if (op === 'min') return sorted[0]!
  if (op === 'max') return sorted.at(-1)!
  const place = (sorted.length - 1) * p
  const below = Math.floor(place)
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!]
  return low + (place - below) * (high - low)
}

/** A measure of records: money as an exact text, all else as a number, times in milliseconds. */
export function measured(orders: readonly Order[], measure: Measure): string | number | null {
  const { op, field, since } = measure
  const pairs = orders.map(o => [valueOf(o, field), since === undefined ? 0 : valueOf(o, since)] as const)
  const values = pairs.filter(pair => !pair.includes(null)).map(([value, from]) => ({ value, from }))
  if (op === 'count') return values.length
  if (op === 'distinct') return new Set(values.map(v => v.value)).size
  if (since !== undefined) {
    const days = values.map(v => (Date.parse(v.value as string) - Date.parse(v.from as string)) / day)
    return days.length === 0 ? null : ofNumbers(days, measure)
  }
  if (field === 'amount') {
    return values.length === 0
      ? null
      : ofMoney(
          values.map(v => scaled(v.value as string)),
          measure
        )
  }
  const numbers = field.startsWith('customFields')
    ? values.map(v => v.value).filter(v => typeof v === 'number')
    : values.map(v => Date.parse(v.value as string))
  return numbers.length === 0 ? null : ofNumbers(numbers, measure)
}
