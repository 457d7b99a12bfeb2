import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import Negotiator from 'negotiator'
import type { Context, Database } from '../kernel/context.js'
import { fieldError, KithError, parameterError } from '../kernel/errors.js'
import { invoke, type Answer, type Operation, type RecordAnswer } from '../kernel/operation.js'
import type { Page } from '../kernel/read.js'
import { compile } from '../kernel/validate.js'
import { Closed } from '../kernel/schema.js'
import { answerSchema, writerOf } from './serialize.js'
import { sseRoute } from './sse.js'

/** What the program gives a surface: the operations, the database, and how a request becomes a context. */
export interface SurfaceOptions {
  operations: readonly Operation[]
  database: Database
  context(request: FastifyRequest): Context
}

const json = 'application/json; charset=utf-8'

function recordAnswer(operation: Operation, answer: RecordAnswer, write: (v: unknown) => string): Answer {
  const { record, created, partial } = answer
  return {
    status: created ? 201 : 200,
    headers: {
      'content-type': json,
      ...(!partial && { etag: `"${record.version}"` }),
      ...(created && { location: `/v1/${operation.result.resource!.plural}/${record.id}` })
    },
    body: write(record)
  }
}

// The address of the next page is this one's with another cursor.
function nextLink(request: FastifyRequest, cursor: string): string {
  const [path, query = ''] = request.url.split('?')
  const parameters = new URLSearchParams(query)
  parameters.set('after', cursor)
  return `<${path}?${parameters.toString()}>; rel="next"`
}

function pageAnswer(request: FastifyRequest, page: Page, write: (v: unknown) => string): Answer {
  const last = page.rows.at(-1)
  const nextCursor = page.more && last ? page.cursor(last) : null
  const { totalCount } = page
  return {
    status: 200,
    headers: {
      'content-type': json,
      ...(nextCursor !== null && request.method === 'GET' && { link: nextLink(request, nextCursor) })
    },
    body: write({ data: page.rows, page: { hasMore: page.more, nextCursor, totalCount } })
  }
}

const jsonType = 'application/json'

// Pictures and pages bring their own styles, and load nothing.
const seen = {
  'content-security-policy':
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
}
const seenTypes = new Set(['image/svg+xml', 'text/html'])

/** The media type that the caller would rather have of those that an operation answers in. */
function mediaType({ formats }: Operation, request: FastifyRequest): string {
  if (!formats) return jsonType
  const others = Object.keys(formats)
  const type = new Negotiator(request.raw).mediaType(jsonType in formats ? others : [jsonType, ...others])
  if (type === undefined) throw new KithError('not_acceptable')
  return type
}

function valueAnswer(
  operation: Operation,
  type: string,
  result: unknown,
  write: (v: unknown) => string
): Answer | Promise<Answer> {
  const format = operation.formats?.[type]
  const answer = (body: string): Answer => ({
    status: operation.status ?? 200,
    headers: { 'content-type': `${type}; charset=utf-8`, ...(seenTypes.has(type) && seen) },
    body
  })
  // The format is one of the operation that gave the result.
  return format ? Promise.resolve(format(result as never)).then(answer) : answer(write(result))
}

// The same answer of one operation in another media type is another one, and so is one that was written later of facts
// that are the same.
const weakTag = (tag: string, type: string) => `W/"${tag}.${type.split('/')[1]!.split('+')[0]!}"`

type Render = (request: FastifyRequest, result: unknown) => Answer | Promise<Answer>

function renderer(operation: Operation): Render {
  const schema = answerSchema(operation)
  if (!schema) return () => ({ status: operation.status ?? 204, headers: {}, body: '' })
  const write = writerOf(schema)
  switch (operation.result.kind) {
    case 'record':
      return (_request, result) => recordAnswer(operation, result as RecordAnswer, write)
    case 'page':
      return (request, result) => pageAnswer(request, result as Page, write)
    default:
      return (request, result) => valueAnswer(operation, mediaType(operation, request), result, write)
  }
}

const version = /^"([1-9][0-9]{0,9})"$/
const maxVersion = 2 ** 31 - 1

const meaningless = (header: string, what: string) =>
  parameterError(
    header,
    `${header} means nothing here: the call is not about ${what}.`,
    'not_allowed',
    'header'
  )

// A weak or foreign tag never matches strongly, so it stands for no version at all.
function expectedVersion(
  { versioned, result, kind }: Operation,
  request: FastifyRequest
): number | undefined {
  const header = request.headers['if-match']
  if (header === undefined) return undefined
  const hasVersion = versioned || (kind === 'read' && result.kind === 'record')
  if (!hasVersion) throw meaningless('If-Match', 'one version of a record')
  if (header.trim() === '*') return undefined
  const match = version.exec(header.trim())
  if (match) return Math.min(Number(match[1]), maxVersion)
  if (/^(W\/)?"[^"]*"$/.test(header.trim())) return 0
  throw parameterError('If-Match', 'If-Match takes one ETag.', 'invalid', 'header')
}

// What an upsert is told by `If-Match: *` and `If-None-Match: *`.
function existence({ upserts, rest }: Operation, { headers }: FastifyRequest): boolean | undefined {
  const none = headers['if-none-match']
  if (none === undefined || rest!.method === 'GET') {
    return upserts && headers['if-match']?.trim() === '*' ? true : undefined
  }
  if (!upserts) throw meaningless('If-None-Match', 'a record that may be there already')
  if (none.trim() === '*') return false
  throw parameterError('If-None-Match', 'If-None-Match takes * here.', 'invalid', 'header')
}

const noQuery = compile(Closed({}), 'query')

function queryOf(operation: Operation, request: FastifyRequest): Record<string, unknown> {
  const query = { ...(request.query as Record<string, unknown>) }
  const twice = Object.keys(query).find(name => Array.isArray(query[name]))
  if (twice !== undefined) throw parameterError(twice, `${twice} is given twice.`, 'duplicate')
  const items = operation.query ? [] : noQuery(query)
  if (items.length > 0) throw new KithError('invalid_input', items[0]!.message, { errors: items })
  return query
}

function bodyOf(operation: Operation, request: FastifyRequest): unknown {
  if (operation.body) return request.body
  const body: unknown = request.body
  const empty =
    body === undefined || body === null || (typeof body === 'object' && Object.keys(body).length === 0)
  if (!empty) throw fieldError('invalid_input', '', 'This call takes no body.', 'not_allowed')
  return undefined
}

function unchanged(request: FastifyRequest, etag: string | undefined): boolean {
  const header = request.headers['if-none-match']
  if (header === undefined || etag === undefined || request.method !== 'GET') return false
  const bare = (tag: string) => tag.trim().replace(/^W\//, '')
  return header.trim() === '*' || header.split(',').some(tag => bare(tag) === bare(etag))
}

function send(request: FastifyRequest, reply: FastifyReply, answer: Answer, replayed: boolean): FastifyReply {
  if (replayed) void reply.header('idempotency-replayed', 'true')
  if (unchanged(request, answer.headers.etag)) {
    return reply.code(304).header('etag', answer.headers.etag!).send()
  }
  void reply.code(answer.status).headers(answer.headers)
  return reply.send(answer.status === 204 ? undefined : answer.body)
}

function checkVersion(request: FastifyRequest, answer: Answer, expected: number | undefined): void {
  if (expected === undefined || request.method !== 'GET') return
  if (answer.headers.etag === undefined) throw meaningless('If-Match', 'the whole record, which has the ETag')
  if (answer.headers.etag !== `"${expected}"`) throw new KithError('version_mismatch')
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

function handlerOf(options: SurfaceOptions, operation: Operation): Handler {
  if (operation.result.kind === 'stream') {
    const stream = sseRoute(operation, r => options.context(r))
    return (request, reply) => {
      expectedVersion(operation, request)
      return stream(request, reply, {
        params: { ...(request.params as Record<string, unknown>) },
        query: queryOf(operation, request)
      })
    }
  }
  const { method } = operation.rest!
  const render = renderer(operation)
  return async (request, reply) => {
    const type = mediaType(operation, request)
    const expected = expectedVersion(operation, request)
    const exists = existence(operation, request)
    const { answer, replayed } = await invoke(
      options.database,
      options.context(request),
      operation,
      {
        params: { ...(request.params as Record<string, unknown>) },
        query: queryOf(operation, request),
        body: bodyOf(operation, request),
        ...(method === 'GET' && { has: tag => unchanged(request, weakTag(tag, type)) }),
        ...(method !== 'GET' && { expectedVersion: expected }),
        ...(exists !== undefined && { exists })
      },
      result => render(request, result)
    )
    if (operation.tag && method === 'GET') answer.headers.etag = weakTag(answer.headers.etag!, type)
    checkVersion(request, answer, expected)
    if (operation.formats) void reply.header('vary', 'Accept')
    return send(request, reply, answer, replayed)
  }
}

function route(app: FastifyInstance, options: SurfaceOptions, operation: Operation): void {
  const { method, path } = operation.rest!
  app.route({
    method,
    url: `/v1${path}`,
    bodyLimit: operation.bodyLimit ?? 1024 * 1024,
    config: { operation },
    handler: handlerOf(options, operation)
  })
}

const methods: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** Makes a path that exists answer other methods with a 405 that names those it has. */
export function refuseOtherMethods(app: FastifyInstance, path: string, taken: Iterable<string>): void {
  const known = new Set(taken)
  if (known.has('GET')) known.add('HEAD')
  const others = methods.filter(m => !known.has(m))
  const allow = [...known].join(', ')
  app.options(path, { exposeHeadRoute: false }, (_request, reply) =>
    reply.code(204).header('allow', allow).send()
  )
  app.route({
    method: others,
    url: path,
    exposeHeadRoute: false,
    handler: () => {
      throw new KithError('method_not_allowed', `Use ${allow}.`, { headers: { allow } })
    }
  })
}

/** Every operation with a REST form as a route under /v1. */
export function restRoutes(app: FastifyInstance, options: SurfaceOptions): void {
  const byPath = new Map<string, Set<string>>()
  for (const operation of options.operations) {
    if (!operation.rest) continue
    route(app, options, operation)
    const path = `/v1${operation.rest.path}`
    byPath.set(path, (byPath.get(path) ?? new Set<string>()).add(operation.rest.method))
  }
  for (const [path, known] of byPath) refuseOtherMethods(app, path, known)
}
