import { createHash } from 'node:crypto'
import type { Context, Snapshots } from '../kernel/context.js'
import { operation, value, type Format, type Operation, type Result } from '../kernel/operation.js'
import { camel, type Resource } from '../kernel/resource.js'
import type { Field, Static, TObject, TSchema } from '../kernel/schema.js'
import { answerOf, type MetricWarning } from './answer-schema.js'
import { parameterEntry, type CatalogueEntry } from './catalogue.js'
import { drawn, type Drawable, type Picture } from './charts/of-figure.js'
import { csvOf } from './csv.js'
import { dimensionsOf } from './dimensions.js'
import {
  asBody,
  asQuery,
  fromBody,
  fromQuery,
  refused,
  withoutDefaults,
  type commonParameters,
  type Given,
  type Request
} from './parameters.js'
import { frameOf, type Frame } from './period.js'
import type { Shared } from './shared.js'

/** What a figure finds out. */
export interface Answered<V> {
  value: V
  /** Parameters that it settled itself, over those that were given. */
  parameters: Record<string, unknown>
  /** Records looked at. */
  counts: Record<string, number>
  /** Records left out, by reason. */
  excluded: Record<string, number>
  /** Why a number is null, by its JSON pointer in the answer. */
  reasons: Record<string, string>
  warnings?: MetricWarning[]
  /** The members of the answer besides: buckets, groups, and those that only this figure has. */
  more?: Record<string, unknown>
}

/** Works out an answer from what was read. */
export type WorkOut<V> = (stop: AbortSignal) => Promise<Answered<V>>

interface Config<P extends Record<string, Field>, V extends TObject, D extends TObject> extends Omit<
  CatalogueEntry,
  'parameters' | 'dimensions'
> {
  /** What the calls say of themselves. */
  summary: string
  /** What is counted, unless a parameter says otherwise: `groupBy` takes its fields. */
  subject?: Resource
  /** What `groupBy` takes where that are not the fields of the subject. */
  dimensions?: string[]
  parameters: P
  /** With an `x-type`: the types of buckets and groups are named after it. */
  value: V
  /** The members that its answer has besides those of all figures. */
  more?: Record<string, TSchema>
  /** Whether it changes while time goes by and nothing is written, as the age of what is open does. */
  ages?(given: Given<P>): boolean
  /**
   * Reads the records, and answers; or returns what works out the answer, where that takes long: it reads nothing, and
   * ends with the signal.
   */
  answer(
    ctx: Context,
    request: Request<Given<P>>,
    frame: Frame
  ): Promise<Answered<Static<V>> | WorkOut<Static<V>>>
  /** What POST takes as `data`, and the same figure out of it. */
  data?: {
    schema: D
    /** The parameters of its own that mean something beside it; what picks or cuts records does not. */
    takes: readonly (keyof P & string)[]
    answer(
      data: Static<D>,
      request: Request<Given<P>>,
      frame: Frame,
      stop: AbortSignal
    ): Answered<Static<V>> | Promise<Answered<Static<V>>>
  }
  /** Whether REST calls it: false where its calls may do more than answer, and are declared apart. */
  rest?: false
  /** The answer as a picture. */
  picture?: Picture<Static<V>>
}

/** Where figures are computed. */
export interface Computing {
  snapshots: Snapshots
  shared: Shared
}

/** A figure: its entry in the catalogue, and its calls. */
export interface Figure {
  entry(): CatalogueEntry
  operations(computing: Computing): Operation[]
  /** Its answer and picture for a report, with the parameters among those given that it takes; none for one that has no picture. */
  portrait?: (
    computing: Computing,
    ctx: Context,
    request: Request<Record<string, unknown>>
  ) => Promise<Portrait>
}

/** A figure with what calls of its own need. */
export interface OwnFigure<G, V> extends Figure {
  result: Result<unknown>
  formats: Readonly<Record<string, Format>>
  /** Its answer, of the workspace's records. */
  answer(
    computing: Computing,
    ctx: Context,
    request: Request<G>
  ): Promise<{ value: V; parameters: Record<string, unknown> }>
}

/** A figure in a report. */
export interface Portrait {
  answer: unknown
  svg: string
}

const settledByFrame = new Set(['asOf', 'knownAt', 'timeZone'])

// What every answer tells of itself, whatever it was computed from.
const besideData = [...settledByFrame, 'currency', 'explain']

/** A 400 for a parameter that only the workspace's records give a meaning. */
function refuseOfRecords({ given, place, data }: Request<object>, takes: readonly string[]): void {
  if (data === undefined) return
  const name = Object.keys(given).find(n => !besideData.includes(n) && !takes.includes(n))
  if (name !== undefined) throw refused(place, name, `${name} does not go with data.`, 'not_allowed')
}

function echoed(parameters: Record<string, Field>, given: Record<string, unknown>): Record<string, unknown> {
  const names = Object.keys(parameters).filter(name => !settledByFrame.has(name))
  return Object.fromEntries(names.map(name => [name, given[name] ?? parameters[name]!.default ?? null]))
}

function entryOf(
  config: Omit<CatalogueEntry, 'parameters' | 'dimensions'> & {
    parameters: Record<string, Field>
    subject?: Resource
    dimensions?: string[]
  }
): CatalogueEntry {
  const { name, version, definition, formula, unit, source, subject } = config
  const entries = Object.entries(config.parameters).map(([name, schema]) => parameterEntry(name, schema))
  const ofSubject = subject && config.parameters.groupBy ? dimensionsOf(subject) : []
  const { dimensions = ofSubject } = config
  return { name, version, definition, formula, unit, parameters: entries, dimensions, source }
}

/** All that an answer depends on, but for the moment where that is not given. */
function identityOf(
  ctx: Context,
  name: string,
  version: number,
  request: Request<object>,
  frame: Frame
): string {
  const { asOf: _asOf, knownAt: _knownAt, ...rest } = frame
  const rights = [ctx.workspaceId, ctx.owners, [...ctx.scopes].sort()]
  return JSON.stringify([name, version, rights, request.given, request.data, rest])
}

/** Declares a figure: GET and POST calls with the same parameters, and GraphQL's `metrics { name }`. */
export function figure<
  P extends typeof commonParameters & Record<string, Field>,
  V extends TObject,
  D extends TObject
>(config: Config<P, V, D>): OwnFigure<Given<P>, Static<V>> {
  const { name, version, parameters, summary, data, picture } = config
  const field = camel(name)
  const typeName = `${field[0]!.toUpperCase()}${field.slice(1)}Answer`
  const result = value(answerOf(config.value, parameters, typeName, config.more))
  const svg = (answer: Drawable<Static<V>>) => drawn(summary, picture!, answer)
  const formats = { 'text/csv': csvOf, ...(picture && { 'image/svg+xml': svg }) }
  const common = { kind: 'read', permission: 'metrics:read', description: config.definition, result } as const
  const formatted = formats as Record<string, Format>
  const shared = { ...common, formats: formatted }
  const frames = new WeakMap<object, Promise<Frame>>()

  function framed(ctx: Context, input: object, request: Request<Given<P>>): Promise<Frame> {
    const frame = frames.get(input) ?? frameOf(ctx, request)
    frames.set(input, frame)
    return frame
  }

  async function find(
    { snapshots }: Computing,
    ctx: Context,
    request: Request<Given<P>>,
    frame: Frame,
    stop: AbortSignal
  ) {
    const inTime = () => AbortSignal.any([stop, AbortSignal.timeout(snapshots.longestMs)])
    if (request.data) return data!.answer(request.data as Static<D>, request, frame, inTime())
    const found = await snapshots.read(
      db => config.answer({ ...ctx, db, gone: inTime }, request, frame),
      stop
    )
    // Models wait for each other: they must not keep a connection meanwhile.
    return typeof found === 'function' ? await found(inTime()) : found
  }

  function shownAnswer(
    { more, warnings = [], ...answered }: Answered<Static<V>>,
    request: Request<Given<P>>,
    frame: Frame
  ): unknown {
    const { timeZone, asOf, knownAt } = frame
    return {
      metric: name,
      version,
      ...answered,
      ...(parameters.currency && {
        currency: (request.given as { currency?: string }).currency ?? frame.baseCurrency
      }),
      ...more,
      parameters: { ...echoed(parameters, request.given), ...answered.parameters },
      timeZone,
      asOf,
      knownAt,
      warnings,
      ...(request.given.explain && { explain: { formula: config.formula, ...(more?.explain as object) } })
    }
  }

  async function run(computing: Computing, ctx: Context, input: object, asked: Request<Given<P>>) {
    const request = withoutDefaults(parameters, asked)
    refuseOfRecords(request, data?.takes ?? [])
    const frame = await framed(ctx, input, request)
    const key = identityOf(ctx, name, version, request, frame)
    return computing.shared.join(key, ctx.gone?.(), async stop =>
      shownAnswer(await find(computing, ctx, request, frame, stop), request, frame)
    )
  }

  async function tagOf(ctx: Context, input: object, request: Request<Given<P>>): Promise<string> {
    const frame = await framed(ctx, input, request)
    const moment = request.given.asOf === undefined && config.ages?.(request.given) ? frame.asOf : ''
    const identity = identityOf(ctx, name, version, request, frame)
    return createHash('sha1').update(`${identity} ${moment}`).digest('base64url')
  }

  async function portrait(
    computing: Computing,
    ctx: Context,
    { given, place }: Request<Record<string, unknown>>
  ) {
    const own = Object.fromEntries(Object.entries(given).filter(([key]) => key in parameters))
    const answer = await run(computing, ctx, {}, { given: own as Given<P>, place })
    return { answer, svg: await svg(answer as Drawable<Static<V>>) }
  }

  const got = (computing: Computing) =>
    operation({
      ...shared,
      name: `metrics.${field}`,
      summary,
      rest: `GET /metrics/${name}`,
      graphql: null,
      query: asQuery(parameters),
      tag: (ctx, query) => tagOf(ctx, query, fromQuery<Given<P>>(parameters, query)),
      run: (ctx, query) => run(computing, ctx, query, fromQuery<Given<P>>(parameters, query))
    })

  const posted = (computing: Computing) =>
    operation({
      ...shared,
      name: config.rest === false ? `metrics.${field}` : `metrics.${field}.post`,
      summary: config.rest === false ? summary : `${summary}, with the parameters as a body`,
      rest: config.rest === false ? null : `POST /metrics/${name}`,
      graphql: `metrics.${field}`,
      body: asBody(parameters, data?.schema),
      run: (ctx, input) => {
        const { body } = input as { body: Record<string, unknown> }
        return run(computing, ctx, input, fromBody<Given<P>>(body))
      }
    })

  return {
    entry: () => entryOf(config),
    result,
    formats: formatted,
    answer: (computing, ctx, request) =>
      run(computing, ctx, {}, request) as Promise<{ value: Static<V>; parameters: Record<string, unknown> }>,
    ...(picture && { portrait }),
    operations: computing => [...(config.rest === false ? [] : [got(computing)]), posted(computing)]
  }
}
