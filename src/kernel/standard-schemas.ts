import { operatorsOf } from './filter-values.js'
import { maxPageSize } from './page.js'
import type { Resource } from './resource.js'
import { searchedFields, SearchText } from './search.js'
import {
  Bool,
  Closed,
  Enum,
  Id,
  Instant,
  Integer,
  Json,
  Nullable,
  Partial,
  Text,
  Type,
  type Field,
  type TObject,
  type TSchema
} from './schema.js'

const optional = <T extends TSchema>(schema: T) => Type.Optional(schema)
const Cursor = () => Text(1000, { description: 'A cursor of the page before.' })
const Limit = () => Integer(1, maxPageSize)

export const byId = Closed({ id: Id() })

export const byExternal = Closed({
  source: Text(64, { pattern: '^[A-Za-z0-9._-]+$' }),
  externalId: Text(255)
})

const include = Text(500, { description: 'Relations to one record to embed, comma-separated.' })
const fields = Text(2000, { description: 'The fields to answer, comma-separated.' })

export const oneQuery = Closed({
  include: optional(include),
  fields: optional(fields),
  deleted: optional(Bool())
})

const sortEnum = (r: Resource) =>
  Enum(
    `${r.typeName}OrderBy`,
    r.sorts.flatMap(s => [s, `-${s}`])
  )

// In a URL all values are text; they are read by the kind of their field.
const parameter = (description: string) => optional(Text(10000, { description }))

// `email` is short for `email[eq]`.
const parametersOf = (operators: readonly string[]) =>
  operators.includes('eq') ? ['', ...operators] : operators

function filterParameters(r: Resource): Record<string, TSchema> {
  return Object.fromEntries(
    r.filters.flatMap(name =>
      parametersOf(operatorsOf[r.fields.get(name)!.kind]).map(op => [
        op === '' ? name : `${name}[${op}]`,
        parameter(op === 'in' || op === 'notIn' ? `${name}, comma-separated` : `${name} ${op || 'eq'}`)
      ])
    )
  )
}

/** What a search of the resource takes; nothing where there is none. */
export const searchParameter = (r: Resource): { search?: Field<string> } =>
  r.search ? { search: optional(SearchText(searchedFields(r))) } : {}

/** The parameters of a list: paging, shape, and a parameter for each filterable field and operator. */
export function listQuery(r: Resource): TObject {
  return Type.Object(
    {
      limit: optional(Limit()),
      after: optional(Cursor()),
      sort: optional(sortEnum(r)),
      include: optional(include),
      fields: optional(fields),
      count: optional(Bool()),
      deleted: optional(Bool()),
      ...searchParameter(r),
      ...filterParameters(r)
    },
    {
      additionalProperties: false,
      patternProperties: {
        '^customFields\\.[A-Za-z][A-Za-z0-9_]{0,63}(\\[[A-Za-z]+\\])?$': { type: 'string' }
      }
    }
  )
}

const names = (description: string) =>
  optional(Type.Array(Text(100), { maxItems: 100, description, 'x-kind': 'list' }))

export const searchBody = (r: Resource) =>
  Closed({
    filter: optional(
      Type.Unsafe<Record<string, unknown>>({ type: 'object', 'x-kind': 'json', 'x-filter': r.name })
    ),
    limit: optional(Limit()),
    after: optional(Cursor()),
    sort: optional(sortEnum(r)),
    include: names('Relations to one record to embed.'),
    fields: names('The fields to answer.'),
    count: optional(Bool()),
    deleted: optional(Bool()),
    ...searchParameter(r)
  })

const anyBody = (r: Resource): TObject => Partial({ ...r.createBody.properties, ...r.updateBody.properties })

export const upsertBody = { query: Closed({ restore: optional(Bool()) }), of: anyBody }

/** One row of a batch. */
export const batchRow = (r: Resource) =>
  Closed({
    op: Enum('BatchOperationKind', ['create', 'update', 'upsert', 'delete', 'restore']),
    id: optional(Id()),
    source: optional(byExternal.properties.source),
    externalId: optional(Text(255)),
    restore: optional(Bool()),
    expectedVersion: optional(Integer(1, 2147483647)),
    body: optional(anyBody(r))
  })

const batchOf = (row: TSchema) =>
  Closed({ atomic: optional(Bool()), operations: Type.Array(row, { minItems: 1, maxItems: 1000 }) })

/** A batch as the contract shows it. */
export const batchBody = (r: Resource) => batchOf(batchRow(r))

/** A batch as it is let in: each row is judged by itself, so that one that is wrong leaves the others alone. */
export const looseBatch = batchOf(Type.Unsafe<unknown>({}))

export const JsonValue = <T = Record<string, unknown>>(description: string) =>
  Type.Unsafe<T>({
    type: ['object', 'null'],
    additionalProperties: true,
    'x-kind': 'json',
    description
  })

export const batchResult = Closed({
  results: Type.Array(
    Closed({
      index: Integer(0, 999),
      status: Enum('BatchStatus', ['created', 'updated', 'unchanged', 'deleted', 'failed']),
      id: Nullable(Id()),
      version: Nullable(Integer(1, 2147483647)),
      error: JsonValue<Record<string, unknown> | null>(
        'The error object that a single call would have answered.'
      )
    }),
    { maxItems: 1000 }
  )
})

export const changesResult = {
  query: Closed({ limit: optional(Limit()), after: optional(Cursor()) }),
  schema: Closed({
    data: Type.Array(
      Closed({
        id: Id('The id of the change; its event has the same.'),
        version: Integer(1, 2147483647),
        at: Instant(),
        actorType: Enum('ActorType', ['user', 'key', 'system']),
        actorId: Nullable(Id()),
        requestId: Text(200),
        fields: Type.Array(Closed({ field: Text(100), from: Json('Before.'), to: Json('After.') }))
      })
    ),
    page: Closed({ hasMore: Bool(), nextCursor: Nullable(Text(1000)) })
  })
}
