import sql from 'sql-template-tag'
import type { Context, TransactionContext } from '../kernel/context.js'
import { operation, value, type Operation } from '../kernel/operation.js'
import { camel } from '../kernel/resource.js'
import {
  Closed,
  Instant,
  Integer,
  Text,
  TimeZone,
  Type,
  type Field,
  type Static,
  type TObject,
  type TSchema
} from '../kernel/schema.js'
import { JsonValue } from '../kernel/standard-schemas.js'
import type { CatalogueEntry } from './catalogue.js'
import {
  asBody,
  asQuery,
  described,
  fromBody,
  fromQuery,
  type commonParameters,
  type Given,
  type Request
} from './parameters.js'
import { frameOf, type Frame } from './period.js'
import { Count } from './rate.js'

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
  warnings?: Static<typeof Warning>[]
  /** The members of the answer that only this figure has. */
  more?: Record<string, unknown>
}

interface Config<P extends Record<string, Field>, V extends TObject> extends Omit<
  CatalogueEntry,
  'parameters'
> {
  /** What the calls say of themselves. */
  summary: string
  parameters: P
  value: V
  /** The members that its answer has besides those of all figures. */
  more?: Record<string, TSchema>
  answer(ctx: Context, request: Request<Given<P>>, frame: Frame): Promise<Answered<Static<V>>>
}

/** A figure: its entry in the catalogue, and its calls. */
export interface Figure {
  entry: CatalogueEntry
  operations: Operation[]
}

const Warning = Closed(
  {
    code: described(Text(100), 'Which warning it is.'),
    message: described(Text(1000), 'The same in words.'),
    count: Type.Optional(Count('How many records it is about.'))
  },
  { 'x-type': 'MetricWarning', description: 'What a reader should know of an answer.' }
)

const answerOf = (shape: TObject, name: string, more: Record<string, TSchema> = {}): TSchema =>
  Closed(
    {
      metric: described(Text(100), 'The figure, as the catalogue has it.'),
      version: described(Integer(1, 1000), 'The version of its definition.'),
      parameters: JsonValue('As given, with their defaults.'),
      timeZone: described(TimeZone(), 'Where local dates began.'),
      asOf: described(Instant(), 'Facts after it did not exist for the answer.'),
      knownAt: described(Instant(), 'Give it to get the same answer again.'),
      value: shape,
      ...more,
      counts: JsonValue('Records looked at.'),
      excluded: JsonValue('Records left out, by reason.'),
      reasons: JsonValue('Why a number is null, by its JSON pointer.'),
      warnings: Type.Array(Warning)
    },
    { 'x-type': name, description: 'A figure with all that it rests on.' }
  )

const settledByFrame = new Set(['asOf', 'knownAt', 'timeZone'])

function echoed(parameters: Record<string, Field>, given: Record<string, unknown>): Record<string, unknown> {
  const names = Object.keys(parameters).filter(name => !settledByFrame.has(name))
  return Object.fromEntries(names.map(name => [name, given[name] ?? parameters[name]!.default ?? null]))
}

// How a figure is best found depends on the period and the filter, so a plan made for any of them is no good; and a
// figure keeps to one core, since there are others to serve. It joins sets, and looks up row by row only where it says
// so: the planner takes a workspace that its statistics do not know yet for one of a single row.
const planAnew = (ctx: TransactionContext) =>
  ctx.db.query(sql`
    select set_config('plan_cache_mode', 'force_custom_plan', true),
      set_config('max_parallel_workers_per_gather', '0', true), set_config('enable_nestloop', 'off', true)`)

function entryOf(
  config: Omit<CatalogueEntry, 'parameters'> & { parameters: Record<string, Field> }
): CatalogueEntry {
  const { name, version, definition, formula, unit, dimensions, source } = config
  const entries = Object.entries(config.parameters).map(([name, schema]) => ({
    name,
    description: schema.description ?? '',
    default: (schema.default as unknown) ?? null,
    choices: (schema.enum as string[] | undefined) ?? null
  }))
  return { name, version, definition, formula, unit, parameters: entries, dimensions, source }
}

/** Declares a figure: GET and POST calls with the same parameters, and GraphQL's `metrics { name }`. */
export function figure<P extends typeof commonParameters & Record<string, Field>, V extends TObject>(
  config: Config<P, V>
): Figure {
  const { name, version, parameters, summary } = config
  const field = camel(name)
  const typeName = `${field[0]!.toUpperCase()}${field.slice(1)}Answer`
  const result = value(answerOf(config.value, typeName, config.more))
  const shared = { kind: 'read', permission: 'metrics:read', description: config.definition, result } as const

  async function run(ctx: TransactionContext, request: Request<Given<P>>): Promise<unknown> {
    await planAnew(ctx)
    const frame = await frameOf(ctx, request)
    const { more, warnings = [], ...answered } = await config.answer(ctx, request, frame)
    const { timeZone, asOf, knownAt } = frame
    const settled = { ...echoed(parameters, request.given), ...answered.parameters }
    return {
      metric: name,
      version,
      ...answered,
      ...more,
      parameters: settled,
      timeZone,
      asOf,
      knownAt,
      warnings
    }
  }

  return {
    entry: entryOf(config),
    operations: [
      operation({
        ...shared,
        name: `metrics.${field}`,
        summary,
        rest: `GET /metrics/${name}`,
        graphql: null,
        query: asQuery(parameters),
        atomic: true,
        run: (ctx, query) => run(ctx, fromQuery<Given<P>>(parameters, query))
      }),
      operation({
        ...shared,
        name: `metrics.${field}.post`,
        summary: `${summary}, with the parameters as a body`,
        rest: `POST /metrics/${name}`,
        graphql: `metrics.${field}`,
        body: asBody(parameters),
        atomic: true,
        run: (ctx, { body }) => run(ctx, fromBody<Given<P>>(body))
      })
    ]
  }
}
