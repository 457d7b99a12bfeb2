import type { Resource } from '../../src/kernel/resource.js'
import { resourceNamed } from '../../src/kernel/resource.js'
import type { Json } from './world.js'

/** All records of a resource, by its name: what relations are looked up in. */
export type Lookup = (resource: string) => readonly Json[]

/** The ids that a record has in a field: its own value, or those that its links name. */
export function idsIn(resource: Resource, row: Json, field: string): unknown[] {
  const link = resource.fields.get(field)!.schema['x-link']
  return link ? (row[field] as Json[]).map(item => item[link.member] as unknown) : [row[field]]
}

type Value = string | number | boolean | null | undefined

function compare(kind: string, a: Value, b: Value): number {
  const numeric = kind === 'integer' || kind === 'number' || kind === 'decimal'
  const key = (v: Value) => {
    if (numeric) return Number(v)
    if (kind === 'instant') return Date.parse(String(v))
    return kind === 'email' ? String(v).toLowerCase() : String(v)
  }
  const [x, y] = [key(a), key(b)]
  return x < y ? -1 : x > y ? 1 : 0
}

const lower = (v: unknown) => String(v).toLowerCase()

function holds(kind: string, value: Value, op: string, given: unknown): boolean {
  const known = value !== null && value !== undefined
  const equal = (other: unknown) => known && compare(kind, value, other as Value) === 0
  switch (op) {
    case 'eq':
      return equal(given)
    case 'ne':
      return !equal(given)
    case 'in':
      return (given as unknown[]).some(equal)
    case 'notIn':
      return !(given as unknown[]).some(equal)
    case 'isNull':
      return known !== given
    case 'contains':
      return known && lower(value).includes(lower(given))
    case 'startsWith':
      return known && lower(value).startsWith(lower(given))
  }
  if (!known) return false
  const order = compare(kind, value, given as Value)
  return { gt: order > 0, gte: order >= 0, lt: order < 0, lte: order <= 0 }[op]!
}

// Custom fields have no kind: text is compared as text, and order is a matter of numbers alone.
function customHolds(value: Value, op: string, given: unknown): boolean {
  if (!['gt', 'gte', 'lt', 'lte'].includes(op)) return holds('text', value, op, given)
  return holds('number', typeof value === 'number' ? value : null, op, given)
}

function related(resource: Resource, row: Json, key: string, filter: Json, lookup: Lookup): boolean {
  const { kind, target, field } = resource.relations[key]!
  const [mine, theirs] = kind === 'one' ? [field, 'id'] : ['id', field]
  const other = resourceNamed(target)
  return lookup(target).some(
    r => idsIn(other, r, theirs).includes(row[mine]) && matches(other, r, filter, lookup)
  )
}

function entryMatches(resource: Resource, row: Json, key: string, value: Json, lookup: Lookup): boolean {
  if (key === 'and') return (value as Json[]).every(f => matches(resource, row, f, lookup))
  if (key === 'or') return (value as Json[]).some(f => matches(resource, row, f, lookup))
  if (key === 'not') return !matches(resource, row, value, lookup)
  if (resource.relations[key]) return related(resource, row, key, value, lookup)
  const { kind } = resource.fields.get(key)!
  const tests = Object.entries(value)
  if (kind === 'customFields') {
    return tests.every(([name, ops]) =>
      Object.entries(ops as Json).every(([op, v]) => customHolds(row.customFields[name] as Value, op, v))
    )
  }
  if (kind === 'links') return tests.every(([, v]) => idsIn(resource, row, key).includes(v))
  if (kind === 'list') return tests.every(([, v]) => (row[key] as unknown[]).includes(v))
  return tests.every(([op, v]) => holds(kind, row[key] as Value, op, v))
}

/** Whether a record is let through by a JSON filter: what the database is compared with. */
export function matches(resource: Resource, row: Json, filter: Json, lookup: Lookup): boolean {
  return Object.entries(filter).every(([key, v]) => entryMatches(resource, row, key, v as Json, lookup))
}
