import sql, { raw, type Sql } from 'sql-template-tag'
import { numberSql, pathOf, valueSql, type Joins, type Path } from './aggregate-fields.js'
import { fieldError } from './errors.js'
import type { Resource } from './resource.js'
import { isMoney, type Kind } from './schema.js'

/** What is found out of the values of a bucket. */
export const aggregateOperators = ['count', 'distinct', 'sum', 'avg', 'min', 'max', 'percentile'] as const
export type AggregateOperator = (typeof aggregateOperators)[number]

/** A measure as a request gives it. */
export interface MeasureInput {
  op: AggregateOperator
  field: string
  since?: string | null | undefined
  p?: number | null | undefined
  name?: string | null | undefined
}

/** A measure as SQL: of the values of each record, and of their bucket. */
export interface Measure {
  name: string
  /** The value of a record, for the column `value`. */
  input: Sql
  /** What the records of a bucket are folded into. */
  fold(value: Sql): Sql
  /** What is answered of that. */
  answer(folded: Sql): Sql
  /** The money that is measured, whose currency must be one. */
  money: Path | undefined
}

type Form = 'decimal' | 'number' | 'time' | 'day' | 'days' | 'other'

const forms: Partial<Record<Kind, Form>> = {
  integer: 'number',
  number: 'number',
  customFields: 'number',
  decimal: 'decimal',
  instant: 'time',
  day: 'day'
}

const allowed: Record<Form, readonly AggregateOperator[]> = {
  decimal: aggregateOperators,
  number: aggregateOperators,
  days: aggregateOperators,
  time: aggregateOperators.filter(op => op !== 'sum'),
  day: aggregateOperators.filter(op => op !== 'sum'),
  other: ['count', 'distinct']
}

const itself = (value: Sql) => value

// Averages of exact decimals have no end; ten places are more than any currency has.
const places = 10
const rounded = (value: Sql) => sql`trim_scale(round(${value}, ${raw(String(places))}))`
const seconds = (value: Sql) => sql`extract(epoch from ${value})`
const instant = (epoch: Sql) => sql`to_timestamp(round(${epoch}::numeric, 3)::float8)::timestamptz(3)`

type Fold = Pick<Measure, 'fold' | 'answer'>

// PostgreSQL interpolates doubles only: of exact decimals all are kept in order, and the two in question picked.
function exactPercentile(p: number): Fold {
  const share = sql`${p}::numeric`
  const place = (all: Sql) => sql`((cardinality(${all}) - 1) * ${share})`
  const at = (all: Sql, after: number) =>
    sql`(${all})[least(floor(${place(all)})::int + ${raw(String(1 + after))}, cardinality(${all}))]`
  return {
    fold: value => sql`array_agg(${value} order by ${value}) filter (where ${value} is not null)`,
    answer: all =>
      rounded(sql`${at(all, 0)} + (${place(all)} - floor(${place(all)})) * (${at(all, 1)} - ${at(all, 0)})`)
  }
}

const percentile = (p: number, value: Sql) =>
  sql`percentile_cont(${p}::float8) within group (order by ${value})`

function foldOf(op: AggregateOperator, form: Form, p: number): Fold {
  const plain = (fold: (value: Sql) => Sql): Fold => ({ fold, answer: itself })
  const isTime = form === 'time' || form === 'day'
  switch (op) {
    case 'count':
      return plain(value => sql`count(${value})::int`)
    case 'distinct':
      return plain(value => sql`count(distinct ${value})::int`)
    case 'sum':
      return { fold: value => sql`sum(${value})`, answer: form === 'decimal' ? rounded : itself }
    case 'min':
    case 'max':
      return {
        fold: value => sql`${raw(op)}(${value})`,
        answer: form === 'decimal' ? sum => sql`trim_scale(${sum})` : itself
      }
    case 'avg':
      if (isTime) return plain(value => instant(sql`avg(${seconds(value)})`))
      return { fold: value => sql`avg(${value})`, answer: form === 'decimal' ? rounded : itself }
    case 'percentile':
      if (form === 'decimal') return exactPercentile(p)
      if (isTime) return plain(value => instant(percentile(p, sql`${seconds(value)}::float8`)))
      return plain(value => percentile(p, value))
  }
}

const refuse = (pointer: string, code: string, message: string) =>
  fieldError('invalid_input', pointer, message, code)

/** The path of the currency in which a path's money is. */
export const currencyOf = (money: Path) =>
  `${money.relation === undefined ? '' : `${money.relation}.`}currency`

function inputOf(path: Path, form: Form, op: AggregateOperator, joins: Joins): Sql {
  const alias = joins.alias(path)
  if (op === 'count' || op === 'distinct') return valueSql(path, alias)
  if (form === 'number') return numberSql(path, alias)
  const value = valueSql(path, alias)
  // An amount of no known currency is in none that could be added up.
  return isMoney(path.field.schema)
    ? sql`case when ${raw(`${alias}.currency`)} is not null then ${value} end`
    : value
}

const isTimely = ({ field }: Path) => field.kind === 'instant' || field.kind === 'day'

// A day counts as its midnight in UTC, as in filters.
const days = (from: Sql, to: Sql) =>
  sql`(extract(epoch from ${to}::timestamptz - ${from}::timestamptz) / 86400)::float8`

/** Reads a measure; a 400 that points at what is wrong with it. */
export function measureOf(resource: Resource, given: MeasureInput, joins: Joins, pointer: string): Measure {
  const { op, p } = given
  if ((op === 'percentile') !== (p != null)) {
    throw p == null
      ? refuse(`${pointer}/p`, 'required', 'Give p, the share of values below: 0.5 for the median.')
      : refuse(`${pointer}/p`, 'not_allowed', 'Only a percentile has p.')
  }
  const path = pathOf(resource, given.field, 'measure', `${pointer}/field`)
  const since = given.since == null ? undefined : pathOf(resource, given.since, 'measure', `${pointer}/since`)
  for (const [key, end] of Object.entries({ field: path, since })) {
    if (since && end && !isTimely(end))
      throw refuse(
        `${pointer}/${key}`,
        'not_allowed',
        `${end.text} is no time: there are no days in between.`
      )
  }
  const form = since ? 'days' : (forms[path.field.kind] ?? 'other')
  if (!allowed[form].includes(op)) {
    const known = allowed[form].join(', ')
    throw refuse(`${pointer}/op`, 'not_allowed', `Of ${path.text} there are ${known}.`)
  }
  const input = since
    ? days(valueSql(since, joins.alias(since)), valueSql(path, joins.alias(path)))
    : inputOf(path, form, op, joins)
  const isSum = op !== 'count' && op !== 'distinct'
  const label = op === 'percentile' ? `p${Math.round(p! * 1e6) / 1e4}` : op
  return {
    name: given.name ?? `${label}.${path.text}${since ? `.since.${since.text}` : ''}`,
    input,
    money: isSum && isMoney(path.field.schema) ? path : undefined,
    ...foldOf(op, form, p ?? 0)
  }
}
