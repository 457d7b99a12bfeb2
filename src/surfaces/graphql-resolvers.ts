import { GraphQLError, type GraphQLResolveInfo } from 'graphql'
import { authorize, may, stillMay } from '../kernel/authorize.js'
import { type KithError, parameterError } from '../kernel/errors.js'
import { begin, invoke, type Operation, type Request } from '../kernel/operation.js'
import { defaultSort, maxPageSize } from '../kernel/page.js'
import { findRecord, findRecords, findTypes, listRecords, type RecordRow } from '../kernel/read.js'
import { allResources, type Resource } from '../kernel/resource.js'
import {
  connectionRequest,
  rootPageSize,
  type Connection,
  type ConnectionArgs,
  type GraphContext
} from './graphql-requests.js'
import { hasFormat } from '../kernel/validate.js'
import { Level } from './graphql-levels.js'
import { readAhead } from './graphql-relations.js'
import { selectionOf } from './graphql-selection.js'

/** A list at the root of a query. */
export async function rootConnection(
  resource: Resource,
  args: ConnectionArgs,
  context: GraphContext,
  info: GraphQLResolveInfo
): Promise<Connection> {
  const { ctx } = context
  authorize(ctx, resource.permissions.read)
  const selection = selectionOf(resource, info.fieldNodes, info.fragments, true)
  const connection = connectionRequest(ctx, resource, args, selection, rootPageSize)
  const page = await listRecords(ctx, resource, connection.request)
  await readAhead(resource, page.rows, selection, context, info)
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

const notAnId = (parameter: string) => parameterError(parameter, `${parameter} is not an id.`, 'format')

/** The id that an argument names, in lower case; a 400 where it is none. */
export function idOf(value: string, parameter: string): string {
  if (hasFormat('uuid', value)) return value.toLowerCase()
  throw notAnId(parameter)
}

/** A record by its id; null where there is none to be seen. */
export async function rootRecord(
  resource: Resource,
  id: string,
  context: GraphContext,
  info: GraphQLResolveInfo
): Promise<RecordRow | null> {
  authorize(context.ctx, resource.permissions.read)
  const selection = selectionOf(resource, info.fieldNodes, info.fragments, false)
  const row = await findRecord(context.ctx, resource, idOf(id, 'id'), { fields: selection.columns })
  if (!row) return null
  await readAhead(resource, [row], selection, context, info)
  return row
}

/** A record that tells its type. */
type Node = RecordRow & { __typename: string }

/** Records of any type by their ids, in the order asked for; an error in the place of what is no id. */
export async function nodesByIds(
  ids: readonly string[],
  { ctx }: GraphContext
): Promise<(Node | KithError | null)[]> {
  if (ids.length > maxPageSize) throw parameterError('ids', `Give at most ${maxPageSize} ids.`, 'maxItems')
  const wanted = ids.filter(id => hasFormat('uuid', id)).map(id => id.toLowerCase())
  const readable = allResources().filter(r => may(ctx, r.permissions.read))
  const types = await findTypes(ctx, readable, [...new Set(wanted)])
  const found = await Promise.all(
    readable.map(async resource => {
      const own = [...types].filter(([, type]) => type === resource).map(([id]) => id)
      const rows = [...(await findRecords(ctx, resource, own)).values()]
      new Level(rows)
      return rows.map(row => [row.id, { ...row, __typename: resource.typeName }] as const)
    })
  )
  const byId = new Map<string, Node>(found.flat())
  return ids.map((id, i) =>
    hasFormat('uuid', id) ? (byId.get(id.toLowerCase()) ?? null) : notAnId(`ids/${i}`)
  )
}

/** A record of any type by its id; null where there is none to be seen. */
export async function nodeById(id: string, context: GraphContext): Promise<Node | null> {
  const [found] = await nodesByIds([idOf(id, 'id')], context)
  return found as Node | null
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

/** Runs an operation that streams; its values one by one. What can be refused is refused before the first. */
export async function subscribe(
  operation: Operation,
  request: Request,
  { ctx }: GraphContext
): Promise<AsyncGenerator<unknown>> {
  const portions = await begin(ctx, operation, request)
  return (async function* () {
    for await (const portion of portions) {
      if (!(await stillMay(ctx))) return
      yield* portion.data
    }
  })()
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
