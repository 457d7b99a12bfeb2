import sql, { join, raw, type Sql } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { fieldError } from '../../kernel/errors.js'
import { authorize, may } from '../../kernel/authorize.js'
import { noSuchType, typesMatching } from '../../kernel/event-types.js'
import {
  checkValue,
  condition,
  count,
  customCondition,
  operatorsOf,
  reject,
  type Operator,
  type Scan
} from '../../kernel/filter-values.js'
import { type FieldInfo, type Resource } from '../../kernel/resource.js'
import { Id } from '../../kernel/schema.js'
import { escapePointer, suggestion } from '../../kernel/validate.js'

export type EventFilter = Record<string, unknown>

const transitions = ['from', 'to', 'changed'] as const
type Transition = (typeof transitions)[number]

const isTransition = (name: string): name is Transition => transitions.some(t => t === name)

const hasTransitions = ({ kind }: FieldInfo) => kind !== 'customFields' && operatorsOf[kind].includes('eq')

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The resources whose events such a type stands for. */
const resourcesOf = (type: string): Resource[] => [...new Set(typesMatching(type).map(t => t.resource))]

/** Refuses names that no event has, and types of which this credential may read none. */
export function checkTypes(ctx: Pick<Context, 'scopes'>, types: readonly string[]): void {
  types.forEach((type, i) => {
    const found = resourcesOf(type)
    if (found.length === 0) throw fieldError('invalid_input', `/types/${i}`, noSuchType(type), 'unknown_type')
    if (!found.some(r => may(ctx, r.permissions.read))) authorize(ctx, found[0]!.permissions.read)
  })
}

// A field of the record as the event tells it, under the name and of the type that its column has.
function valueOf(field: FieldInfo, json: string): string {
  const { name, column, sqlType, kind } = field
  if (kind === 'list') return `array(select jsonb_array_elements_text(${json} -> '${name}')) as "${column}"`
  if (kind === 'customFields') return `${json} -> '${name}' as "${column}"`
  return `(${json} ->> '${name}')::${sqlType} as "${column}"`
}

const had = (field: FieldInfo) => raw(`(coalesce(e.previous ? '${field.name}', false))`)

function transition(scan: Scan, field: FieldInfo, name: Transition, value: unknown, path: string): Sql {
  if (name === 'changed') {
    if (typeof value !== 'boolean') reject(scan, path, 'type', 'changed takes true or false.')
    return value ? had(field) : sql`not ${had(field)}`
  }
  const alias = name === 'to' ? 'n' : 'p'
  const met =
    value === null
      ? condition(scan, field, alias, 'isNull', true, path)
      : condition(scan, field, alias, 'eq', value, path)
  return name === 'to'
    ? sql`(${met} and (e.previous is null or ${had(field)}))`
    : sql`(${met} and ${had(field)})`
}

const linkedId = Id()

// The links of the record as the event tells them: by now the record may have others, or be gone.
function linked(scan: Scan, field: FieldInfo, value: unknown, path: string): Sql {
  count(scan, 'conditions', path)
  checkValue(scan, linkedId, value, path)
  const { member } = field.schema['x-link']!
  return sql`${raw(`n."${field.column}"`)} @> jsonb_build_array(jsonb_build_object(${member}::text, ${value}::uuid))`
}

function operator(scan: Scan, field: FieldInfo, name: string, path: string): Operator {
  const allowed = operatorsOf[field.kind]
  const found = allowed.find(o => o === name)
  if (found) return found
  const names = [...allowed, ...(hasTransitions(field) ? transitions : [])].join(', ')
  reject(scan, path, 'unknown_operator', `${field.name} can be filtered with ${names}.`)
}

function tests(scan: Scan, field: FieldInfo, value: unknown, path: string): Sql[] {
  if (!isObject(value) || Object.keys(value).length === 0) {
    reject(scan, path, 'type', 'Give an object of operators, such as { "eq": … } or { "to": … }.')
  }
  return Object.entries(value).map(([name, v]) => {
    const at = `${path}/${escapePointer(name)}`
    if (isTransition(name) && hasTransitions(field)) return transition(scan, field, name, v, at)
    const found = operator(scan, field, name, at)
    return field.kind === 'links' ? linked(scan, field, v, at) : condition(scan, field, 'n', found, v, at)
  })
}

function customTests(scan: Scan, field: FieldInfo, value: unknown, path: string): Sql[] {
  if (!isObject(value)) reject(scan, path, 'type', 'Give an object of custom fields.')
  return Object.entries(value).flatMap(([key, ops]) => {
    const at = `${path}/${escapePointer(key)}`
    if (!isObject(ops)) reject(scan, at, 'type', 'Give an object of operators.')
    return Object.entries(ops).map(([name, v]) => {
      const place = `${at}/${escapePointer(name)}`
      return customCondition(scan, field, 'n', key, operator(scan, field, name, place), v, place)
    })
  })
}

function forResource(scan: Scan, resource: Resource, filter: EventFilter): Sql {
  const fields = Object.keys(filter).map(name => resource.fields.get(name)!)
  const select = (json: string) => raw(fields.map(f => valueOf(f, json)).join(', '))
  const met = fields.flatMap(field => {
    const path = `/filter/${escapePointer(field.name)}`
    const test = field.kind === 'customFields' ? customTests : tests
    return test(scan, field, filter[field.name], path)
  })
  const all = met.length === 0 ? sql`true` : join(met, ' and ')
  return sql`when ${resource.name} then exists (
    select from (select ${select('e.data::jsonb')}) n, (select ${select('e.previous')}) p where ${all})`
}

const canFilter = (field: FieldInfo) => operatorsOf[field.kind].length > 0

/**
 * A filter as a condition on an event `e`. It is met by no event of a resource that lacks one of its fields; a field
 * that all resources of the types lack, or a value that does not fit, is a 400 that points at the place.
 */
export function filterSql(ctx: Context, types: readonly string[], filter: EventFilter | null): Sql {
  const names = Object.keys(filter ?? {})
  if (filter === null || names.length === 0) return sql`true`
  const scan: Scan = { ctx, conditions: 0, groups: 0, locate: pointer => ({ in: 'body', pointer }) }
  const resources = [...new Set(types.flatMap(resourcesOf))]
  for (const name of names) {
    if (resources.some(r => r.fields.has(name) && canFilter(r.fields.get(name)!))) continue
    const known = [
      ...new Set(resources.flatMap(r => [...r.fields.values()].filter(canFilter).map(f => f.name)))
    ]
    const message = `${name} is no field of these events that can be filtered by.${suggestion(name, known)}`
    reject(scan, `/filter/${escapePointer(name)}`, 'unknown_field', message)
  }
  const having = resources.filter(r => names.every(n => r.fields.has(n) && canFilter(r.fields.get(n)!)))
  if (having.length === 0) {
    reject(scan, '/filter', 'unknown_field', 'No record of these events has all of these fields.')
  }
  const cases = having.map(r => forResource({ ...scan }, r, filter))
  return sql`(case e.resource ${join(cases, ' ')} else false end)`
}

/** Which events an endpoint gets, as a condition on `e`: by type, by what it may read, and by its filter. */
export function eventCondition(
  ctx: Context,
  endpoint: { types: string[]; filter: EventFilter | null; skipOwn: boolean; credentialId: string | null },
  readable: readonly string[]
): Sql {
  const patterns = endpoint.types.map(t => t.replaceAll('_', '\\_').replaceAll('*', '%'))
  const own = endpoint.skipOwn ? sql`and e.actor_id is distinct from ${endpoint.credentialId}::uuid` : sql``
  return sql`e.resource = any(${readable}::text[]) and e.type like any(${patterns}::text[]) ${own}
    and ${filterSql(ctx, endpoint.types, endpoint.filter)}`
}
