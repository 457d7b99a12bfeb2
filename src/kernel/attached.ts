import type { Context, Row } from './context.js'
import { notFound } from './errors.js'
import { operation, value, type Operation } from './operation.js'
import { maxPageSize } from './page.js'
import type { Resource } from './resource.js'
import { Bool, Closed, Integer, Nullable, Text, Type, type TObject } from './schema.js'
import { byId } from './standard-schemas.js'

/** What an attached list shows: no record, but with an id, and a position to page on from. */
export interface Entry extends Row {
  id: string
  cursor: string
}

export interface EntryPage {
  rows: Entry[]
  more: boolean
}

export interface EntryRequest {
  size: number
  after?: string | undefined
  /** What the list's own arguments say. */
  input: Record<string, unknown>
}

/**
 * A list of entries that each record of a resource has: a route below the record, and a connection of its GraphQL
 * type, read for all records of a level in one statement.
 */
export interface Attached {
  resource: Resource
  /** The last part of the path. */
  name: string
  /** The field of the GraphQL type. */
  field: string
  summary: string
  description: string
  /** The schema of an entry, named by `x-type`. */
  entry: TObject
  /** Its own arguments: in a URL, and as arguments of the field. */
  query: TObject
  args: TObject
  /** Pages by record; a record that is unknown or out of sight is missing. */
  read(ctx: Context, ids: readonly string[], request: EntryRequest): Promise<Map<string, EntryPage>>
}

/** How many entries a page has unless said, over REST. */
const standardSize = 50

/** The operation that reads an attached list of one record. */
export function attachedOperation(attached: Attached): Operation {
  const { resource, name, field, summary, description, entry, query } = attached
  if (resource.fields.has(field) || resource.relations[field]) {
    throw new Error(`A ${resource.name} has a ${field} already`)
  }
  return operation({
    name: `${resource.plural}.${name}`,
    kind: 'read',
    permission: resource.permissions.read,
    summary,
    description,
    rest: `GET /${resource.plural}/:id/${name}`,
    graphql: null,
    attached,
    params: byId,
    query: Closed({
      limit: Type.Optional(Integer(1, maxPageSize)),
      after: Type.Optional(Text(1000)),
      ...query.properties
    }),
    result: value(
      Closed({
        data: Type.Array(entry),
        page: Closed({ hasMore: Bool(), nextCursor: Nullable(Text(1000)) })
      })
    ),
    async run(ctx, { id: given, limit, after, body: _body, expectedVersion: _version, ...input }) {
      const id = given.toLowerCase()
      const found = await attached.read(ctx, [id], { size: limit ?? standardSize, after, input })
      const page = found.get(id)
      if (!page) throw notFound(resource.name)
      const nextCursor = page.more ? page.rows.at(-1)!.cursor : null
      return { data: page.rows, page: { hasMore: page.more, nextCursor } }
    }
  })
}
