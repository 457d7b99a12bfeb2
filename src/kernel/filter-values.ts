import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from './context.js'
import { KithError, type ErrorItem } from './errors.js'
import type { FieldInfo } from './resource.js'
import { linkedBy } from './links.js'
import { Id, Type, type Field, type Kind, type TSchema } from './schema.js'
import { sortExpression } from './sort.js'
import { compile, type Validator } from './validate.js'

/** Every operator there is. */
export const operators = [
  'eq',
  'ne',
  'in',
  'notIn',
  'gt',
  'gte',
  'lt',
  'lte',
  'contains',
  'startsWith',
  'isNull'
] as const
/** One of them. */
export type Operator = (typeof operators)[number]

const equality: Operator[] = ['eq', 'ne', 'in', 'notIn', 'isNull']
const text: Operator[] = [...equality, 'contains', 'startsWith']
const ordered: Operator[] = [...equality, 'gt', 'gte', 'lt', 'lte']

/** The operators that values of a kind can be filtered with. */
export const operatorsOf: Record<Kind, readonly Operator[]> = {
  id: equality,
  text,
  email: text,
  integer: ordered,
  number: ordered,
  decimal: ordered,
  boolean: ['eq', 'ne', 'isNull'],
  instant: ordered,
  day: ordered,
  enum: equality,
  list: ['contains'],
  customFields: [...text, 'gt', 'gte', 'lt', 'lte'],
  object: [],
  json: [],
  externalIds: [],
  links: ['contains']
}

const maxConditions = 100
const maxGroups = 1000
const maxListed = 1000

/** Where a condition stands in the request, so that an error can point at it. */
export type Locate = (path: string) => Pick<ErrorItem, 'in' | 'pointer' | 'parameter'>

/** One filter being read. */
export interface Scan {
  ctx: Context
  locate: Locate
  conditions: number
  groups: number
}

/** Throws a 400 that points at a place of the filter. */
export function reject(scan: Scan, path: string, code: string, message: string): never {
  throw new KithError('invalid_input', message, {
    errors: [{ ...scan.locate(path), code, message }]
  })
}

/** Counts a condition, or an object that groups some; throws a 400 for one too many. */
export function count(scan: Scan, what: 'conditions' | 'groups', path: string): void {
  const most = what === 'conditions' ? maxConditions : maxGroups
  if (++scan[what] > most) reject(scan, path, 'too_many', `Give at most ${most} ${what}.`)
}

const validators = new WeakMap<TSchema, Validator>()

/** Throws a 400 where a value is not what the schema says, pointing at the part that is wrong. */
export function checkValue(scan: Scan, schema: TSchema, value: unknown, path: string): void {
  let validator = validators.get(schema)
  if (!validator) validators.set(schema, (validator = compile(schema, 'body')))
  const problem = validator(value)[0]
  if (!problem) return
  const message = problem.message.replace(/^The body/, 'The value')
  reject(scan, `${path}${problem.pointer ?? ''}`, problem.code, message)
}

const plainText = Type.Unsafe({ type: 'string', minLength: 1, maxLength: 1000 })
const anyScalar = Type.Unsafe({ type: ['string', 'number', 'boolean'], maxLength: 10000 })
const numeric = Type.Unsafe({ type: 'number' })

function valueSchema(field: FieldInfo, operator: Operator): TSchema {
  if (operator === 'contains' && field.kind === 'list') return field.schema.items as Field
  if (field.kind === 'links') return Id()
  if (operator === 'contains' || operator === 'startsWith') return plainText
  // A bare date compares with an instant as its midnight in UTC.
  if (field.kind === 'instant') {
    return Type.Unsafe({ type: 'string', anyOf: [{ format: 'instant' }, { format: 'day' }] })
  }
  // A null is asked for by isNull, so that every operator and its opposite share out all rows.
  const { type, enum: choices, ...schema } = field.schema
  const value = Type.Unsafe({
    ...schema,
    type: Array.isArray(type) ? (type as string[]).find(t => t !== 'null') : (type as string),
    ...(choices && { enum: choices.filter(c => c !== null) })
  })
  // Part of a phone number or a code may be looked for; a number must be one.
  if (field.kind !== 'text' || value.pattern === undefined) return value
  return { ...value, pattern: undefined, maxLength: 1000 }
}

const schemaCache = new Map<FieldInfo, Map<Operator, TSchema>>()

function schemaFor(field: FieldInfo, operator: Operator): TSchema {
  let byOperator = schemaCache.get(field)
  if (!byOperator) schemaCache.set(field, (byOperator = new Map<Operator, TSchema>()))
  let schema = byOperator.get(operator)
  if (!schema) {
    const entries = Object.entries(valueSchema(field, operator)).filter(([, v]) => v !== undefined)
    byOperator.set(operator, (schema = Object.fromEntries(entries) as TSchema))
  }
  return schema
}

const escapeLike = (value: string) => value.replace(/[\\%_]/g, '\\$&')

/** The value as a list, not too long a one. */
export function listOf(scan: Scan, value: unknown, path: string): unknown[] {
  if (!Array.isArray(value)) reject(scan, path, 'type', 'Give a list of values.')
  if (value.length > maxListed) reject(scan, path, 'maxItems', `Give at most ${maxListed} values.`)
  return value
}

// eq and ne, in and notIn are exact complements: a null is never equal to a value, so it is in the complement.
function compare(column: Sql, type: string, operator: Operator, value: unknown): Sql {
  const cast = raw(`::${type}`)
  const casts = raw(`::${type}[]`)
  switch (operator) {
    case 'eq':
      return sql`${column} = ${value}${cast}`
    case 'ne':
      return sql`${column} is distinct from ${value}${cast}`
    case 'in':
      return sql`${column} = any(${value}${casts})`
    case 'notIn':
      return sql`(${column} = any(${value}${casts})) is not true`
    case 'contains':
      return sql`${column} ilike ${`%${escapeLike(String(value))}%`}`
    case 'startsWith':
      return sql`${column} ilike ${`${escapeLike(String(value))}%`}`
    case 'isNull':
      return value === true ? sql`${column} is null` : sql`${column} is not null`
    default:
      return sql`${column} ${raw({ gt: '>', gte: '>=', lt: '<', lte: '<=' }[operator])} ${value}${cast}`
  }
}

// A null sorts as the greatest, so none lies below a value: the index that a list is ordered by serves the range too.
function comparedColumn({ column, kind, sqlType, nullable }: FieldInfo, alias: string, op: Operator): Sql {
  const isBelow = op === 'lt' || op === 'lte'
  const isTime = kind === 'instant' || kind === 'day'
  const name = `${alias}."${column}"`
  return raw(isBelow && isTime ? sortExpression(name, sqlType, nullable) : name)
}

/** One comparison of one field, as SQL over the table alias. */
export function condition(
  scan: Scan,
  field: FieldInfo,
  alias: string,
  operator: Operator,
  value: unknown,
  path: string
): Sql {
  count(scan, 'conditions', path)
  const column = raw(`${alias}."${field.column}"`)
  if (operator === 'isNull') {
    if (typeof value !== 'boolean') reject(scan, path, 'type', 'isNull takes true or false.')
    return compare(column, field.sqlType, operator, value)
  }
  const schema = schemaFor(field, operator)
  const values = operator === 'in' || operator === 'notIn' ? listOf(scan, value, path) : [value]
  values.forEach((v, i) => checkValue(scan, schema, v, values === value ? `${path}/${i}` : path))
  if (field.kind === 'links') return linkedBy(scan.ctx, field, alias, sql`${value}::uuid`)
  if (field.kind === 'list') return sql`${column} @> array[${value}]::text[]`
  if (field.kind === 'email') {
    const lower = (v: unknown) => (typeof v === 'string' ? v.toLowerCase() : v)
    return compare(
      sql`lower(${column})`,
      'text',
      operator,
      values === value ? values.map(lower) : lower(value)
    )
  }
  return compare(comparedColumn(field, alias, operator), field.sqlType, operator, value)
}

/** How custom fields are named. */
export const customName = /^[A-Za-z][A-Za-z0-9_]{0,63}$/

/** One comparison of one custom field. */
export function customCondition(
  scan: Scan,
  field: FieldInfo,
  alias: string,
  key: string,
  operator: Operator,
  value: unknown,
  path: string
): Sql {
  count(scan, 'conditions', path)
  if (!customName.test(key)) reject(scan, path, 'invalid_name', `${key} is not the name of a custom field.`)
  const json = sql`${raw(`${alias}."${field.column}"`)} -> ${key}`
  if (['gt', 'gte', 'lt', 'lte'].includes(operator)) {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    checkValue(scan, numeric, number, path)
    const stored = sql`case when jsonb_typeof(${json}) = 'number' then (${json})::numeric end`
    return compare(stored, 'numeric', operator, number)
  }
  const stored = sql`(${json} #>> '{}')`
  if (operator === 'isNull') {
    if (typeof value !== 'boolean') reject(scan, path, 'type', 'isNull takes true or false.')
    return compare(stored, 'text', operator, value)
  }
  const values = operator === 'in' || operator === 'notIn' ? listOf(scan, value, path) : [value]
  for (const v of values) checkValue(scan, anyScalar, v, path)
  return compare(stored, 'text', operator, values === value ? values.map(String) : String(value))
}
