import type { Attached } from './attached.js'
import { authorize } from './authorize.js'
import type { Context, Database, TransactionContext } from './context.js'
import { KithError } from './errors.js'
import { idempotent } from './idempotency.js'
import type { Page, RecordRow } from './read.js'
import type { Resource } from './resource.js'
import type { Static, TObject, TSchema } from './schema.js'
import { compile, refuse, type Validator } from './validate.js'

/** What an operation answers; a surface knows how to show each kind. The type parameter is what `run` returns. */
export interface Result<R> {
  kind: 'record' | 'page' | 'value' | 'nothing' | 'stream'
  resource?: Resource
  schema?: TSchema
  readonly returns?: R
}

/** One record; `created` decides between 201 and 200. */
export interface RecordAnswer {
  record: RecordRow
  created?: boolean
  /** Whether parts were left out or embedded, so that the answer is not the record its ETag names. */
  partial?: boolean
}

export const record = (resource: Resource): Result<RecordAnswer> => ({ kind: 'record', resource })
export const page = (resource: Resource): Result<Page> => ({ kind: 'page', resource })
export const value = <S extends TSchema>(schema: S): Result<Static<S>> => ({ kind: 'value', schema })
/** Some values of a stream, and the position up to which it has looked; an empty one says that the stream lives. */
export interface Portion<T = unknown> {
  data: readonly T[]
  position: string
}

/** Values without end, in portions. */
export const stream = <S extends TSchema>(schema: S): Result<AsyncIterable<Portion<Static<S>>>> => ({
  kind: 'stream',
  schema
})
export const nothing: Result<void> = { kind: 'nothing' }

/** On which state of the record a write insists. */
interface Conditions {
  expectedVersion?: number | undefined
  /** Of an upsert: whether the record must be there already, or must not. */
  exists?: boolean | undefined
}

type Part<S> = S extends TSchema ? Static<S> : unknown
type Input<P, Q, B> = Part<P> & Part<Q> & Conditions & { body: Part<B> }
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** How an answer is written in another media type. */
export type Format<R = unknown> = (result: R) => string | Promise<string>

interface Config<P, Q, B, R, A extends boolean> {
  /** `contacts.merge`: the resource's plural and a verb. */
  name: string
  kind: 'read' | 'write'
  /** A scope, `authenticated` for anybody with a credential, or `public`. */
  permission: string
  /** The scopes that it needs besides, by what its body asks for. */
  alsoNeeds?(body: Part<B>): string[]
  summary: string
  description?: string
  rest: `${Method} /${string}` | null
  /** The name of the query or mutation field; a dot puts it into a namespace. */
  graphql: string | null
  params?: P
  query?: Q
  body?: B
  /** What the body is checked against where `run` judges its parts by itself. */
  accepts?: TSchema
  result: Result<R>
  /** The status of a success where it is not 200, 201 for a made record, or 204 for nothing. */
  status?: number
  /** Runs in one transaction. */
  atomic?: A
  /** Whether a body needs a transaction, where not all do. */
  atomicFor?(body: Part<B>): boolean
  /** Makes a record or changes it, so that the caller may insist on the one or the other. */
  upserts?: boolean
  /** The answer holds a secret that must not be kept for a replay. */
  secret?: boolean
  /** The list of entries that it reads of one record, and GraphQL as a connection of many. */
  attached?: Attached
  /** The bytes that a body may have; 1 MiB unless said. */
  bodyLimit?: number
  /** Its answer in other media types than JSON. */
  formats?: Readonly<Record<string, Format<R>>>
  /** What its answer is known by, where that is cheaper to find than the answer. */
  tag?(ctx: Context, input: Input<P, Q, B>): Promise<string>
  run(ctx: A extends true ? TransactionContext : Context, input: Input<P, Q, B>): Promise<R>
}

type Parts = 'params' | 'query' | 'body'

/** A use case as a value: REST, GraphQL and the contracts are loops over a list of these. */
export interface Operation extends Omit<
  Config<TObject, TObject, TSchema, unknown, boolean>,
  'run' | 'rest' | 'atomic' | 'secret' | 'formats' | 'tag'
> {
  rest: { method: Method; path: string } | null
  atomic: boolean
  secret: boolean
  /** Whether it is about one version of one record, which the caller may name. */
  versioned: boolean
  validators: Record<Parts, Validator | undefined>
  formats?: Readonly<Record<string, Format<never>>>
  tag?(ctx: Context, input: never): Promise<string>
  run(ctx: Context, input: never): Promise<unknown>
}

/** Declares an operation; its input and output types follow from its schemas. */
export function operation<
  P extends TObject | undefined = undefined,
  Q extends TObject | undefined = undefined,
  B extends TSchema | undefined = undefined,
  R = unknown,
  A extends boolean = false
>(config: Config<P, Q, B, R, A>): Operation {
  const { rest, run, params, query, body, ...others } = config
  const [method, path] = (rest?.split(' ') ?? []) as [Method, string]
  return {
    ...others,
    ...(params && { params }),
    ...(query && { query }),
    ...(body && { body }),
    rest: rest === null ? null : { method, path },
    atomic: config.atomic ?? false,
    secret: config.secret ?? false,
    versioned: config.kind === 'write' && rest !== null && (params !== undefined || method !== 'POST'),
    validators: {
      params: params && compile(params, 'path'),
      query: query && compile(query, 'query'),
      body: body && compile(config.accepts ?? body, 'body')
    },
    run: run
  }
}

/** What a surface hands over: the parts of the request as they came. */
export interface Request extends Conditions {
  params?: Record<string, unknown>
  query?: Record<string, unknown>
  body?: unknown
  /** Whether the caller has the answer of that tag; given only where tags are spoken of. */
  has?(tag: string): boolean
}

/** An answer in its final form, so that a replay repeats it byte for byte. */
export interface Answer {
  status: number
  headers: Record<string, string>
  body: string
}

const attempts = 3

async function untangled<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      const again = error instanceof KithError && error.code === 'contention' && attempt < attempts
      if (!again) throw error
    }
  }
}

function validated(operation: Operation, request: Request): never {
  const { params, query, body } = operation.validators
  refuse([
    ...(params?.(request.params ?? {}) ?? []),
    ...(query?.(request.query ?? {}) ?? []),
    ...(body?.(request.body) ?? [])
  ])
  return {
    ...request.params,
    ...request.query,
    body: request.body,
    expectedVersion: request.expectedVersion,
    ...(request.exists !== undefined && { exists: request.exists })
  } as never
}

/** Begins a stream: authorizes and validates as `invoke` does. What can be refused is refused before the first value. */
export async function begin(
  ctx: Context,
  operation: Operation,
  request: Request
): Promise<AsyncIterable<Portion>> {
  authorize(ctx, operation.permission)
  return (await operation.run(ctx, validated(operation, request))) as AsyncIterable<Portion>
}

/**
 * Runs an operation: authorize, validate, then run it, in a transaction where it needs one, and with an
 * Idempotency-Key store the rendered answer in that same transaction or repeat the stored one.
 */
export async function invoke(
  database: Database,
  ctx: Context,
  operation: Operation,
  request: Request,
  render: (result: unknown) => Answer | Promise<Answer>
): Promise<{ answer: Answer; replayed: boolean }> {
  if (operation.permission !== 'public') authorize(ctx, operation.permission)
  const input = validated(operation, request)
  for (const scope of operation.alsoNeeds?.(request.body) ?? []) authorize(ctx, scope)
  const tag = request.has && (await operation.tag?.(ctx, input))
  if (tag !== undefined && request.has!(tag)) {
    return { answer: { status: 304, headers: { etag: tag }, body: '' }, replayed: false }
  }
  const fresh = async (context: Context) => {
    const answer = await render(await operation.run(context, input))
    return tag === undefined ? answer : { ...answer, headers: { ...answer.headers, etag: tag } }
  }
  return untangled(async () => {
    if (operation.kind === 'write' && ctx.idempotencyKey !== null) {
      const key = ctx.idempotencyKey
      return database.transaction(db => idempotent({ ...ctx, db }, operation, key, request, fresh))
    }
    const atomic = operation.atomic || operation.atomicFor?.(request.body)
    const answer = atomic ? await database.transaction(db => fresh({ ...ctx, db })) : await fresh(ctx)
    return { answer, replayed: false }
  })
}
