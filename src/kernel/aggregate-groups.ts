import sql, { raw, type Sql } from 'sql-template-tag'
import { pathOf, valueSql, type Joins, type Path } from './aggregate-fields.js'
import { fieldError } from './errors.js'
import type { Resource } from './resource.js'
import {
  firstInstant,
  isOfClock,
  isPart,
  nextStart,
  partOf,
  spanOfInstant,
  startOfSpan,
  type Calendar,
  type Grain
} from './time-grains.js'

/** What records are grouped by, as a request gives it. */
export interface GroupInput {
  field: string
  grain?: Grain | null | undefined
  name?: string | null | undefined
}

type Filter = Record<string, unknown>

/** One thing that records are grouped by, as SQL and back as a filter. */
export interface Group {
  name: string
  path: Path
  grain: Grain | undefined
  /** The value of a record, for the column `value`. */
  input: Sql
  /** By what buckets are put in order. */
  order(value: Sql): Sql
  /** What a bucket answers for itself, and what its filter needs: expressions of the column, and their names. */
  columns(value: Sql, name: string): Sql[]
  /** The filter that lists the records of a bucket, from the columns of its row. */
  filter(row: Record<string, unknown>, name: string, timeZone: string): Filter
}

const textual = new Set(['text', 'email', 'enum', 'customFields'])

// Filters know the years that our times and days may have; there is nothing beyond.
const least = '1000'
const most = '9999'

function within(path: Path, conditions: Filter): Filter {
  const own = { [path.field.name]: path.key === undefined ? conditions : { [path.key]: conditions } }
  return path.relation === undefined ? own : { [path.relation]: own }
}

// A related record that is hidden, gone or none at all has no value either.
const withoutValue = (path: Path): Filter =>
  path.relation === undefined ? within(path, { isNull: true }) : { not: within(path, { isNull: false }) }

type Shape = Pick<Group, 'input' | 'order' | 'columns' | 'filter'>

function byValue(path: Path, value: Sql): Shape {
  const isDecimal = path.field.kind === 'decimal'
  return {
    input: value,
    order: key => (textual.has(path.field.kind) ? sql`${key} collate "C"` : key),
    columns: (key, name) => [sql`${isDecimal ? sql`trim_scale(${key})` : key} as ${raw(name)}`],
    filter: (row, name) => (row[name] === null ? withoutValue(path) : within(path, { eq: row[name] }))
  }
}

function byPart(path: Path, grain: Grain & Parameters<typeof partOf>[0], local: Sql): Shape {
  const isDay = path.field.kind === 'day'
  return {
    input: partOf(grain, local),
    order: key => key,
    columns: (key, name) => [sql`${key} as ${raw(name)}`],
    filter: (row, name, timeZone) =>
      row[name] === null
        ? withoutValue(path)
        : within(path, { part: { of: grain, eq: row[name], ...(!isDay && { timeZone }) } })
  }
}

function bySpan(
  path: Path,
  grain: Exclude<Grain, Parameters<typeof partOf>[0]>,
  value: Sql,
  calendar: Calendar
): Shape {
  const isDay = path.field.kind === 'day'
  const label = raw(grain === 'hour' ? `'YYYY-MM-DD"T"HH24:MI'` : `'YYYY-MM-DD'`)
  const bound = (local: Sql) => (isDay ? sql`(${local})::date` : firstInstant(calendar.zone, local))
  return {
    input: isDay
      ? startOfSpan(grain, sql`${value}::timestamp`, calendar)
      : spanOfInstant(grain, value, calendar),
    order: key => key,
    columns: (key, name) => [
      sql`to_char(${key}, ${label}) as ${raw(name)}`,
      sql`${bound(key)} as ${raw(`${name}_from`)}`,
      sql`${bound(nextStart(grain, key))} as ${raw(`${name}_to`)}`
    ],
    filter(row, name) {
      if (row[name] === null) return withoutValue(path)
      const [from, to] = [row[`${name}_from`] as string, row[`${name}_to`] as string]
      return within(path, { ...(from >= least && { gte: from }), ...(to < most && { lt: to }) })
    }
  }
}

/** Reads what to group by; a 400 that points at what is wrong with it. */
export function groupOf(
  resource: Resource,
  { field, grain, name }: GroupInput,
  joins: Joins,
  calendar: Calendar,
  pointer: string
): Group {
  const path = pathOf(resource, field, 'group', `${pointer}/field`)
  const value = valueSql(path, joins.alias(path))
  const { kind } = path.field
  if (grain == null) return { name: name ?? field, path, grain: undefined, ...byValue(path, value) }
  const refuse = (message: string) => fieldError('invalid_input', `${pointer}/grain`, message, 'not_allowed')
  if (kind !== 'instant' && kind !== 'day') throw refuse(`${field} is no time: it has no ${grain}.`)
  if (kind === 'day' && isOfClock(grain)) throw refuse(`${field} is a day: it has no ${grain}.`)
  const local = kind === 'day' ? value : sql`timezone(${calendar.zone}, ${value})`
  const shape = isPart(grain) ? byPart(path, grain, local) : bySpan(path, grain, value, calendar)
  return { name: name ?? `${field}.${grain}`, path, grain, ...shape }
}
