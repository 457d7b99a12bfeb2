import { GraphQLError, type GraphQLResolveInfo } from 'graphql'
import { authorize } from '../kernel/authorize.js'
import { publicFields } from '../kernel/columns.js'
import type { Context, Database } from '../kernel/context.js'
import { type KithError, parameterError } from '../kernel/errors.js'
import { filterSql } from '../kernel/filter.js'
import { invoke, type Operation, type Request } from '../kernel/operation.js'
import { defaultSort, maxPageSize } from '../kernel/page.js'
import { findTypes, listRecords, type RecordRow } from '../kernel/read.js'
import { allResources, resourceNamed, type Relation, type Resource } from '../kernel/resource.js'
import type { Connection } from './graphql-connections.js'
import { type Loaders, type ConnectionRequest } from './graphql-loaders.js'
import { selectedColumns } from './graphql-selection.js'

/** What every resolver gets: who asks, and the loaders of this one request. */
export interface GraphContext {
  ctx: Context
  database: Database
  loaders: Loaders
}

export interface ConnectionArgs {
  first?: number | null
  after?: string | null
  last?: number | null
  before?: string | null
  filter?: object | null
  orderBy?: string | null
}

function pageSize(name: 'first' | 'last', value: number): number {
  if (value >= 1 && value <= maxPageSize) return value
  throw parameterError(name, `${name} must be between 1 and ${maxPageSize}.`, 'out_of_range')
}

function connectionRequest(
  ctx: Context,
  resource: Resource,
  args: ConnectionArgs,
  fields: string[],
  standardSize: number,
  key: string
): ConnectionRequest {
  const backward = args.last != null
  if (backward && args.first != null)
    throw parameterError('last', 'Give first or last, not both.', 'not_allowed')
  const size = backward
    ? pageSize('last', args.last!)
    : args.first != null
      ? pageSize('first', args.first)
      : standardSize
  const where = args.filter == null ? undefined : filterSql(ctx, resource, 't', args.filter)
  return {
    key,
    where,
    request: {
      sort: args.orderBy ?? defaultSort,
      size,
      backward,
      after: args.after ?? undefined,
      before: args.before ?? undefined,
      fields,
      ...(where && { where })
    }
  }
}

/** A list at the root of a query. */
export async function rootConnection(
  resource: Resource,
  args: ConnectionArgs,
  { ctx }: GraphContext,
  info: GraphQLResolveInfo
): Promise<Connection> {
  authorize(ctx, resource.permissions.read)
  const connection = connectionRequest(
    ctx,
    resource,
    args,
    selectedColumns(resource, info, true).names,
    50,
    ''
  )
  const page = await listRecords(ctx, resource, connection.request)
  const count = async () => {
    const counted = await listRecords(ctx, resource, {
      sort: defaultSort,
      size: 1,
      count: true,
      fields: ['id'],
      ...(connection.where && { where: connection.where })
    })
    return counted.totalCount!
  }
  return { page, connection, count }
}

/** A list below a record: one statement for all records of the level. */
export async function nestedConnection(
  relation: Relation,
  parent: RecordRow,
  args: ConnectionArgs,
  { ctx, loaders }: GraphContext,
  info: GraphQLResolveInfo
): Promise<Connection> {
  const target = resourceNamed(relation.target)
  const columns = selectedColumns(target, info, true)
  const key = `${target.name}|${columns.key}|${JSON.stringify(args)}`
  const connection = loaders.connection(key, () =>
    connectionRequest(ctx, target, args, columns.names, 10, key)
  )
  const page = await loaders.many(target, relation, parent.id, connection)
  return { page, connection, count: () => loaders.count(target, relation, parent.id, connection) }
}

/** The record that a field of the parent, a record or an object in one, points to. */
export function nestedRecord(
  target: Resource,
  field: string,
  parent: Record<string, unknown>,
  { loaders }: GraphContext,
  info: GraphQLResolveInfo
): Promise<RecordRow | null> | null {
  const id = parent[field] as string | null
  return id === null ? null : loaders.one(target, id, selectedColumns(target, info, false))
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function idOf(value: string, parameter: string): string {
  if (uuid.test(value)) return value.toLowerCase()
  throw parameterError(parameter, `${parameter} is not an id.`, 'format')
}

/** A record by its id; null where there is none to be seen. */
export function rootRecord(
  resource: Resource,
  id: string,
  { loaders }: GraphContext,
  info: GraphQLResolveInfo
): Promise<RecordRow | null> {
  return loaders.one(resource, idOf(id, 'id'), selectedColumns(resource, info, false))
}

/** Records of any type by their ids, in the order asked for. */
export async function nodesByIds(ids: readonly string[], { ctx, loaders }: GraphContext, parameter: string) {
  if (ids.length > maxPageSize)
    throw parameterError(parameter, `Give at most ${maxPageSize} ids.`, 'maxItems')
  const wanted = ids.map(id => idOf(id, parameter))
  const readable = allResources().filter(r => ctx.scopes.has('admin') || ctx.scopes.has(r.permissions.read))
  const types = await findTypes(ctx, readable, [...new Set(wanted)])
  return Promise.all(
    wanted.map(async id => {
      const resource = types.get(id)
      if (!resource) return null
      const row = await loaders.one(resource, id, { names: publicFields(resource), key: 'all' })
      return row && { ...row, __typename: resource.typeName }
    })
  )
}

function pathOf(info: GraphQLResolveInfo): string {
  const parts: (string | number)[] = []
  for (let at: GraphQLResolveInfo['path'] | undefined = info.path; at; at = at.prev) parts.unshift(at.key)
  return parts.join('.')
}

/** Runs an operation; with an Idempotency-Key its result is kept per mutation field and repeated from there. */
export async function runOperation(
  operation: Operation,
  request: Request,
  { ctx, database }: GraphContext,
  info: GraphQLResolveInfo
): Promise<unknown> {
  const key = ctx.idempotencyKey
  const own =
    operation.kind === 'write' && key !== null ? { ...ctx, idempotencyKey: `${key}:${pathOf(info)}` } : ctx
  let fresh: unknown
  const { answer, replayed } = await invoke(database, own, operation, request, result => {
    fresh = result
    return { status: 200, headers: {}, body: key === null ? '' : JSON.stringify(result ?? null) }
  })
  return replayed ? (JSON.parse(answer.body) as unknown) : fresh
}

/** An execution error, by the executor or its compiled form, which leaves parts of it out. */
type ExecutionError = Pick<GraphQLError, 'message' | 'path' | 'originalError'> & {
  extensions?: Record<string, unknown>
}

/** An error of ours as GraphQL clients see it: the REST code, and items whose pointers are relative to the input. */
export function toGraphQLError(
  error: ExecutionError,
  asKithError: (error: unknown) => KithError
): GraphQLError {
  const known = asKithError(error.originalError ?? error)
  const errors = known.errors?.map(({ parameter, pointer, ...item }) => ({
    ...item,
    in: 'body' as const,
    pointer: pointer ?? `/${parameter}`
  }))
  return new GraphQLError(known.message, {
    path: error.path ?? null,
    extensions: { code: known.code, status: known.status, ...(errors && { errors }), ...known.extra }
  })
}
