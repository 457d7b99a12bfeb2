import sql, { join, raw, type Sql } from 'sql-template-tag'
import { authorize, visible } from './authorize.js'
import type { Context } from './context.js'
import { KithError, type ErrorItem } from './errors.js'
import { resourceNamed, type FieldInfo, type Relation, type Resource } from './resource.js'
import type { Field, Kind, TSchema } from './schema.js'
import { compile, escapePointer, suggestion, type Validator } from './validate.js'

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
  externalIds: []
}

const maxDepth = 10
const maxConditions = 100
const maxListed = 1000

/** Where a condition stands in the request, so that an error can point at it. */
export type Locate = (path: string) => Pick<ErrorItem, 'in' | 'pointer' | 'parameter'>

interface Scan {
  ctx: Context
  locate: Locate
  conditions: number
}

function reject(scan: Scan, path: string, code: string, message: string): never {
  throw new KithError('invalid_input', message, {
    errors: [{ ...scan.locate(path), code, message }]
  })
}

const validators = new WeakMap<TSchema, Validator>()

function check(scan: Scan, schema: TSchema, value: unknown, path: string): void {
  let validator = validators.get(schema)
  if (!validator) validators.set(schema, (validator = compile(schema, 'body')))
  const problem = validator(value)[0]
  if (problem) reject(scan, path, problem.code, problem.message.replace(/^The body/, 'The value'))
}

const plainText = { type: 'string', minLength: 1, maxLength: 1000 } as unknown as TSchema
const anyScalar = { type: ['string', 'number', 'boolean'], maxLength: 1000 } as unknown as TSchema
const numeric = { type: 'number' } as unknown as TSchema

function valueSchema(field: FieldInfo, operator: Operator): TSchema {
  if (operator === 'contains' && field.kind === 'list') return field.schema.items as Field
  if (operator === 'contains' || operator === 'startsWith') return plainText
  // A bare date compares with an instant as its midnight in UTC.
  if (field.kind === 'instant') {
    return { type: 'string', anyOf: [{ format: 'instant' }, { format: 'day' }] } as unknown as TSchema
  }
  return { ...field.schema, pattern: undefined, ...(field.schema.pattern && { maxLength: 1000 }) } as TSchema
}

const schemaCache = new Map<FieldInfo, Map<Operator, TSchema>>()

function schemaFor(field: FieldInfo, operator: Operator): TSchema {
  let byOperator = schemaCache.get(field)
  if (!byOperator) schemaCache.set(field, (byOperator = new Map()))
  let schema = byOperator.get(operator)
  if (!schema) {
    const entries = Object.entries(valueSchema(field, operator)).filter(([, v]) => v !== undefined)
    byOperator.set(operator, (schema = Object.fromEntries(entries) as TSchema))
  }
  return schema
}

const escapeLike = (value: string) => value.replace(/[\\%_]/g, '\\$&')

function listOf(scan: Scan, value: unknown, path: string): unknown[] {
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

/** One comparison of one field, as SQL over the table alias. */
function condition(
  scan: Scan,
  field: FieldInfo,
  alias: string,
  operator: Operator,
  value: unknown,
  path: string
): Sql {
  if (++scan.conditions > maxConditions) {
    reject(scan, path, 'too_many', `Give at most ${maxConditions} conditions.`)
  }
  const column = raw(`${alias}."${field.column}"`)
  if (operator === 'isNull') {
    if (typeof value !== 'boolean') reject(scan, path, 'type', 'isNull takes true or false.')
    return compare(column, field.sqlType, operator, value)
  }
  const schema = schemaFor(field, operator)
  const values = operator === 'in' || operator === 'notIn' ? listOf(scan, value, path) : [value]
  values.forEach((v, i) => check(scan, schema, v, values === value ? `${path}/${i}` : path))
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
  return compare(column, field.sqlType, operator, value)
}

const customName = /^[A-Za-z][A-Za-z0-9_]{0,63}$/

function customCondition(
  scan: Scan,
  field: FieldInfo,
  alias: string,
  key: string,
  operator: Operator,
  value: unknown,
  path: string
): Sql {
  scan.conditions++
  if (!customName.test(key)) reject(scan, path, 'invalid_name', `${key} is not the name of a custom field.`)
  const json = sql`${raw(`${alias}."${field.column}"`)} -> ${key}`
  if (['gt', 'gte', 'lt', 'lte'].includes(operator)) {
    const number = typeof value === 'string' ? Number(value) : value
    check(scan, numeric, number, path)
    const stored = sql`case when jsonb_typeof(${json}) = 'number' then (${json})::numeric end`
    return compare(stored, 'numeric', operator, number)
  }
  const stored = sql`(${json} #>> '{}')`
  if (operator === 'isNull') {
    if (typeof value !== 'boolean') reject(scan, path, 'type', 'isNull takes true or false.')
    return compare(stored, 'text', operator, value)
  }
  const values = operator === 'in' || operator === 'notIn' ? listOf(scan, value, path) : [value]
  for (const v of values) check(scan, anyScalar, v, path)
  return compare(stored, 'text', operator, values === value ? values.map(String) : String(value))
}

function related(
  scan: Scan,
  resource: Resource,
  alias: string,
  link: Relation,
  value: unknown,
  path: string,
  depth: number
): Sql {
  const target = resourceNamed(link.target)
  authorize(scan.ctx, target.permissions.read)
  const inner = `${alias}r`
  const [mine, theirs] =
    link.kind === 'one'
      ? [resource.fields.get(link.field)!.column, 'id']
      : ['id', target.fields.get(link.field)!.column]
  const where = conditions(scan, target, inner, value, path, depth, false)
  return sql`exists (select from ${raw(`"${target.table}" ${inner}`)} where ${visible(scan.ctx, inner)} and ${raw(
    `${inner}."${theirs}" = ${alias}."${mine}" and ${inner}.deleted_at is null`
  )} and ${where})`
}

function combine(parts: Sql[], word: ' and ' | ' or '): Sql {
  if (parts.length === 0) return word === ' and ' ? sql`true` : sql`false`
  return sql`(${join(parts, word)})`
}

function group(
  scan: Scan,
  resource: Resource,
  alias: string,
  word: ' and ' | ' or ',
  value: unknown,
  path: string,
  depth: number,
  relations: boolean
): Sql {
  const children = listOf(scan, value, path)
  return combine(
    children.map((c, i) => conditions(scan, resource, alias, c, `${path}/${i}`, depth - 1, relations)),
    word
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function entry(
  scan: Scan,
  resource: Resource,
  alias: string,
  key: string,
  value: unknown,
  path: string,
  depth: number,
  relations: boolean
): Sql {
  if (key === 'and') return group(scan, resource, alias, ' and ', value, path, depth, relations)
  if (key === 'or') return group(scan, resource, alias, ' or ', value, path, depth, relations)
  if (key === 'not') {
    return sql`(${conditions(scan, resource, alias, value, path, depth - 1, relations)}) is not true`
  }
  const link = relations ? resource.relations[key] : undefined
  if (link) return related(scan, resource, alias, link, value, path, depth - 1)
  const field = filterable(scan, resource, key, path, relations)
  if (!isObject(value)) reject(scan, path, 'type', `Give an object of operators, such as { "eq": … }.`)
  const tests = Object.entries(value)
  if (field.kind === 'customFields') {
    return combine(
      tests.flatMap(([name, ops]) => {
        if (!isObject(ops)) reject(scan, `${path}/${escapePointer(name)}`, 'type', 'Give an object of operators.')
        return Object.entries(ops).map(([op, v]) => {
          const at = `${path}/${escapePointer(name)}/${escapePointer(op)}`
          return customCondition(scan, field, alias, name, operator(scan, field, op, at), v, at)
        })
      }),
      ' and '
    )
  }
  return combine(
    tests.map(([op, v]) => {
      const at = `${path}/${escapePointer(op)}`
      return condition(scan, field, alias, operator(scan, field, op, at), v, at)
    }),
    ' and '
  )
}

function filterable(scan: Scan, resource: Resource, key: string, path: string, relations: boolean): FieldInfo {
  const known = [...resource.filters, 'customFields']
  const field = known.includes(key) ? resource.fields.get(key) : undefined
  if (field) return field
  const names = relations ? [...known, ...Object.keys(resource.relations), 'and', 'or', 'not'] : known
  reject(scan, path, 'unknown_field', `${key} cannot be filtered by.${suggestion(key, names)}`)
}

function operator(scan: Scan, field: FieldInfo, name: string, path: string): Operator {
  const allowed = operatorsOf[field.kind]
  const found = allowed.find(o => o === name)
  if (found) return found
  reject(scan, path, 'unknown_operator', `${field.name} can be filtered with ${allowed.join(', ')}.`)
}

function conditions(
  scan: Scan,
  resource: Resource,
  alias: string,
  value: unknown,
  path: string,
  depth: number,
  relations: boolean
): Sql {
  if (depth < 0) reject(scan, path, 'too_deep', 'The filter is nested too deeply.')
  if (!isObject(value)) reject(scan, path, 'type', 'A filter is an object.')
  const parts = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .map(([key, v]) =>
      entry(scan, resource, alias, key, v, `${path}/${escapePointer(key)}`, depth, relations)
    )
  return combine(parts, ' and ')
}

/** The JSON filter of search and GraphQL as SQL over the alias; a 400 that points at the place where it is wrong. */
export function filterSql(
  ctx: Context,
  resource: Resource,
  alias: string,
  filter: unknown,
  pointer = '/filter'
): Sql {
  const scan: Scan = { ctx, conditions: 0, locate: path => ({ in: 'body', pointer: path }) }
  return conditions(scan, resource, alias, filter, pointer, maxDepth, true)
}

const splitParameter = /^([A-Za-z.0-9_]+)(?:\[([A-Za-z]+)\])?$/

function fromText(field: FieldInfo, value: string): unknown {
  if (field.kind === 'integer' || field.kind === 'number') {
    return value.trim() === '' ? value : Number(value)
  }
  if (field.kind === 'boolean') return value === 'true' ? true : value === 'false' ? false : value
  return value
}

/** Whether a query parameter is a filter (`email`, `openedAt[gte]`, `customFields.tier`) of the resource. */
export function isFilterParameter(resource: Resource, parameter: string): boolean {
  const name = splitParameter.exec(parameter)?.[1]
  return name !== undefined && (resource.filters.includes(name) || name.startsWith('customFields.'))
}

/** A filter given as query parameters, in the JSON form, with the kinds of its values restored. */
export function filterFromQuery(resource: Resource, parameters: Record<string, string>): object | undefined {
  const parts = Object.entries(parameters).map(([parameter, value]) => {
    const [, path, op = 'eq'] = splitParameter.exec(parameter)!
    const [name, key] = path!.startsWith('customFields.') ? ['customFields', path!.slice(13)] : [path!, null]
    const field = resource.fields.get(name)!
    const many = op === 'in' || op === 'notIn'
    const typed =
      op === 'isNull'
        ? fromText({ ...field, kind: 'boolean' }, value)
        : many
          ? value.split(',').map(v => fromText(field, v))
          : fromText(field, value)
    return { [name]: key === null ? { [op]: typed } : { [key]: { [op]: typed } } }
  })
  return parts.length === 0 ? undefined : { and: parts }
}

/** The same as SQL; errors name the query parameter. */
export function querySql(ctx: Context, resource: Resource, alias: string, parameters: Record<string, string>): Sql {
  const names = Object.keys(parameters)
  const scan: Scan = {
    ctx,
    conditions: 0,
    locate: path => ({ in: 'query', parameter: names[Number(path.split('/')[2])] ?? path })
  }
  const filter = filterFromQuery(resource, parameters)
  return filter ? conditions(scan, resource, alias, filter, '', maxDepth, false) : sql`true`
}
