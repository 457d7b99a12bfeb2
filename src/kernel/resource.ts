import { getTableColumns, getTableName, is, SQL, type Table } from 'drizzle-orm'
import { declareRule, type Rule } from './errors.js'
import type { Searched } from './search-text.js'
import {
  Closed,
  CustomFieldsSchema,
  ExternalIdsSchema,
  Id,
  Instant,
  Integer,
  isNullable,
  Nullable,
  Partial,
  Type,
  type Field,
  type Kind,
  type TObject,
  type TSchema
} from './schema.js'

/** A link to other records: `one` by an id of ours, `many` by an id of theirs. Targets are named, resolved at start. */
export interface Relation {
  kind: 'one' | 'many'
  target: string
  field: string
}

/** The record that a field of this resource points to. */
export const one = (target: string, field: string): Relation => ({ kind: 'one', target, field })

/** The records of another resource whose field points here, by an id or by one of its links. */
export const many = (target: string, field: string): Relation => ({ kind: 'many', target, field })

/** A public field and the column behind it. */
export interface FieldInfo {
  name: string
  schema: Field
  kind: Kind
  column: string
  sqlType: string
  nullable: boolean
  writable: boolean
  /** What a create without this field stores: a value, or 'now'. Undefined where there is none. */
  fallback: unknown
}

type Row<T extends Table> = T['$inferSelect']
type FieldsOf<T extends Table, F> = {
  [K in keyof F]: K extends keyof Row<T>
    ? F[K] extends Field<infer V>
      ? Agrees<V, Row<T>[K]>
      : never
    : never
}
// A schema may be narrower than its column (an enum over text), but not wider, nor differ in nullability.
type Agrees<V, C> = [V] extends [C]
  ? [null] extends [C]
    ? [null] extends [V]
      ? Field<V>
      : never
    : Field<V>
  : never

interface Config<T extends Table, F, R, C> {
  /** Singular, camelCase: the GraphQL type and the prefix of event types follow from it. */
  name: string
  /** Plural as in paths and scopes, kebab-case. */
  plural: string
  description: string
  table: T
  /** Public and writable. */
  fields: F & FieldsOf<T, F>
  /** Public, given when a record is made and then left to operations. */
  createOnly?: C & FieldsOf<T, C>
  /** What a create takes besides: input of the resource's own writer. */
  onCreate?: Record<string, TSchema>
  /** Public, written by operations only. */
  readonly?: R & FieldsOf<T, R>
  filters: (keyof F | keyof R | keyof C)[]
  sorts?: (keyof F | keyof R | keyof C)[]
  /** What `search` looks at; the table has a `searchColumn` of the same. */
  search?: Searched<Extract<keyof F | keyof R | keyof C, string>>
  relations?: Record<string, Relation>
  /** Events of operations of its own, by what they say after the dot, each with a sentence. */
  events?: Record<string, string>
  /** The same of events that are in nobody's feed, and so have no sequence. */
  unsequenced?: Record<string, string>
  /** What the table's own constraints mean to a client, by their names. */
  rules?: Record<string, Rule>
  /** The scope that a write needs where it is not `<plural>:write`. */
  writePermission?: string
}

export interface Resource {
  name: string
  plural: string
  description: string
  table: string
  /** Every column of the table with its SQL type, public or not, but for those that the database makes. */
  columns: ReadonlyMap<string, { column: string; sqlType: string }>
  /** The names of the columns that it does make. */
  generated: readonly string[]
  fields: ReadonlyMap<string, FieldInfo>
  filters: readonly string[]
  sorts: readonly string[]
  search: Searched | undefined
  relations: Readonly<Record<string, Relation>>
  model: TObject
  createBody: TObject
  updateBody: TObject
  permissions: { read: string; write: string }
  /** How names of calls end: `createContact`. */
  noun: string
  /** The GraphQL type name. */
  typeName: string
  /** The prefix of event types, snake_case. */
  eventName: string
  events: Readonly<Record<string, string>>
  unsequenced: Readonly<Record<string, string>>
}

const pascal = (name: string) => name[0]!.toUpperCase() + name.slice(1)
// GraphQL has a type of its own that is called Subscription.
const typeNameOf = (noun: string) => (noun === 'Subscription' ? 'SubscriptionRecord' : noun)
const snake = (name: string) => name.replace(/[A-Z]/g, c => `_${c.toLowerCase()}`)

/** kebab-case to camelCase, as GraphQL wants names. */
export const camel = (name: string) => name.replace(/-(.)/g, (_, c: string) => c.toUpperCase())

const described = (schema: Field, description: string): Field => ({ ...schema, description })

const baseReadonly: Record<string, Field> = {
  id: described(Id(), 'UUIDv7, given by Kith.'),
  version: described(Integer(1, 2147483647), 'Grows with every change; the ETag.'),
  createdAt: described(Instant(), 'When Kith stored the record; not business time.'),
  updatedAt: described(Instant(), 'When Kith last changed the record.'),
  deletedAt: described(Nullable(Instant()), 'When the record went to the bin; null outside of it.')
}

const baseWritable: Record<string, Field> = {
  externalIds: ExternalIdsSchema(),
  customFields: CustomFieldsSchema()
}

const registry = new Map<string, Resource>()

/** The resource of that name; names come from our own declarations, so an unknown one is a fault of the program. */
export function resourceNamed(name: string): Resource {
  const found = registry.get(name)
  if (!found) throw new Error(`No resource is called ${name}`)
  return found
}

/** All resources by name: an order that does not depend on which module was loaded first. */
export const allResources = (): Resource[] =>
  [...registry.values()].sort((a, b) => (a.name < b.name ? -1 : 1))

function fieldInfos(table: Table, schemas: Record<string, Field>, writable: boolean): FieldInfo[] {
  const columns = getTableColumns(table)
  return Object.entries(schemas).map(([name, schema]) => {
    const column = columns[name]
    if (!column) throw new Error(`${getTableName(table)} has no column for ${name}`)
    const fallback: unknown = is(column.default, SQL) ? 'now' : column.default
    return {
      name,
      schema,
      kind: schema['x-kind'],
      column: column.name,
      sqlType: column.getSQLType(),
      nullable: isNullable(schema),
      writable,
      fallback
    }
  })
}

function createBody(fields: FieldInfo[], extra: Record<string, TSchema>): TObject {
  const own = fields.map((f): [string, TSchema] => {
    const needed = !f.nullable && f.fallback === undefined
    return [f.name, needed ? f.schema : Type.Optional(f.schema)]
  })
  return Closed({ ...Object.fromEntries(own), ...extra })
}

function nullableCustomFields(fields: FieldInfo[]): Record<string, Field> {
  return Object.fromEntries(
    fields.map(f => [f.name, f.kind === 'customFields' ? Nullable(f.schema) : f.schema])
  )
}

/**
 * Declares a resource: its table, its public fields (an allow-list), what may be filtered and sorted by, and its
 * relations. Bodies, model and the standard operations follow from it.
 */
export function resource<
  T extends Table,
  F extends Record<string, Field>,
  R extends Record<string, Field> = Record<never, Field>,
  C extends Record<string, Field> = Record<never, Field>
>(config: Config<T, F, R, C>): Resource {
  const readonly = fieldInfos(config.table, { ...baseReadonly, ...(config.readonly as R | undefined) }, false)
  const writable = fieldInfos(config.table, { ...(config.fields as F), ...baseWritable }, true)
  const createOnly = fieldInfos(config.table, config.createOnly ?? {}, false)
  const all = [...readonly.slice(0, 1), ...createOnly, ...writable, ...readonly.slice(1)]
  const fields = new Map(all.map(f => [f.name, f]))
  const built: Resource = {
    name: config.name,
    plural: config.plural,
    description: config.description,
    table: getTableName(config.table),
    columns: new Map(
      Object.entries(getTableColumns(config.table))
        .filter(([, c]) => c.generated === undefined)
        .map(([k, c]) => [k, { column: c.name, sqlType: c.getSQLType() }])
    ),
    generated: Object.values(getTableColumns(config.table))
      .filter(c => c.generated !== undefined)
      .map(c => c.name),
    fields,
    filters: ['id', ...(config.filters as string[]), 'createdAt', 'updatedAt'].filter(
      (name, i, names) => names.indexOf(name) === i
    ),
    sorts: ['createdAt', 'updatedAt', ...((config.sorts ?? []) as string[])],
    search: config.search,
    relations: config.relations ?? {},
    model: Closed(Object.fromEntries(all.map(f => [f.name, f.schema]))),
    createBody: createBody([...createOnly, ...writable], config.onCreate ?? {}),
    updateBody: Partial(nullableCustomFields(writable)),
    permissions: {
      read: `${config.plural}:read`,
      write: config.writePermission ?? `${config.plural}:write`
    },
    noun: pascal(config.name),
    typeName: typeNameOf(pascal(config.name)),
    eventName: snake(config.name),
    events: config.events ?? {},
    unsequenced: config.unsequenced ?? {}
  }
  for (const [constraint, rule] of Object.entries(config.rules ?? {})) declareRule(constraint, rule)
  registry.set(built.name, built)
  return built
}
