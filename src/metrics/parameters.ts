import { isDeepStrictEqual } from 'node:util'
import type { Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import { KithError, parameterError, type Code, type ErrorItem } from '../kernel/errors.js'
import { filterSql } from '../kernel/filter.js'
import type { Resource } from '../kernel/resource.js'
import { compile, refuse, type Validator } from '../kernel/validate.js'
import {
  Bool,
  Closed,
  Enum,
  Id,
  Instant,
  isNullable,
  List,
  Nullable,
  Number as AnyNumber,
  Text,
  TimeZone,
  Type,
  type Field,
  type TObject,
  type TSchema
} from '../kernel/schema.js'

/** The same field with what a reader should know of it; `value` is its default where that is a constant. */
export const described = <T>(schema: Field<T>, description: string, value?: T): Field<T> => ({
  ...schema,
  description,
  ...(value !== undefined && { default: value })
})

const Bound = () => Text(40, { anyOf: [{ format: 'day' }, { format: 'instant' }], examples: ['2026-01-31'] })

/** How many ids behind a number an answer shows. */
export const mostIds = 100

/** The parameters that every figure takes. */
export const commonParameters = {
  from: described(Bound(), 'Start of the period: a local date, or an instant. Absent: since ever.'),
  to: described(Bound(), 'End of the period, itself outside: a local date, or an instant. Absent: no end.'),
  asOf: described(Instant(), 'Facts after this instant do not exist. Absent: now.'),
  knownAt: described(
    Instant(),
    'Only facts recorded by this instant, and fields of records as they were then, in `groupBy` also those of records that others point to. Absent: now. Links, owners and the bin are as they are now, and so is what a deal says without a history (company, channel, campaign), and what `filter` asks of related records.'
  ),
  timeZone: described(TimeZone(), "Where local dates begin, IANA. Absent: the workspace's."),
  explain: described(
    Bool(),
    `Adds \`explain\`: the formula, and at the place of a number the first ${mostIds} ids behind it, where the figure tells them.`,
    false
  ),
  explainAfter: described(
    Text(1000),
    'With `explain`: the `nextCursor` of a number, for its next ids; give the `asOf` and `knownAt` of the answer too.'
  )
}

/** A number of days that a figure takes. */
export const Days = () => ({ ...AnyNumber(), minimum: 0, maximum: 36500 })

/** Several of them, at most twenty. */
export const DaysList = () => List(Days(), 20)

/** How durations are measured. */
export const DurationsParameter = () =>
  described(
    Enum('MetricDurations', ['elapsed', 'calendar']),
    'Days of 86,400 seconds that went by, or the difference of local dates, for sources that have dates only.',
    'elapsed'
  )

/** The pipeline that a figure of deals is about. */
export const PipelineParameter = () =>
  described(Id(), 'The pipeline. Absent: the only one; needed when the workspace has several.')

/** The JSON filter of a resource, as its search takes it; of one of several where a figure is about one of them. */
export const FilterParameter = (...resources: readonly Resource[]) =>
  described(
    Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      'x-kind': 'json',
      'x-filter': resources.length === 1 ? resources[0]!.name : resources.map(r => r.name)
    }) as Field<Record<string, unknown>>,
    `Only these ${resources.map(r => r.plural).join(' or ')}: the JSON filter of their search.`
  )

/** The values that a request may give for declared parameters. */
export type Given<P extends Record<string, Field>> = {
  [K in keyof P]?: P[K] extends Field<infer V> ? V : never
}

/** Where a request had its parameters. */
export type Place = 'query' | 'body'

/** The parameters of one request: what was given, and how an error points at one of them. */
export interface Request<G> {
  given: G
  place: Place
  /** What to compute the figure from instead of the workspace's records. */
  data?: unknown
}

const optional = (parameters: Record<string, Field>, form: (schema: Field) => TSchema): TObject =>
  Closed(Object.fromEntries(Object.entries(parameters).map(([k, v]) => [k, Type.Optional(form(v))])))

/** The parameters as a body, where null is the same as absent; with `data` where a figure takes some. */
export function asBody(parameters: Record<string, Field>, data: TObject | undefined): TObject {
  const body = optional(parameters, schema => (isNullable(schema) ? schema : Nullable(schema)))
  if (!data) return body
  return Closed({
    ...body.properties,
    data: Type.Optional({
      ...data,
      description:
        "What to compute it from instead of the workspace's records; parameters that pick or cut those do not go with it."
    })
  })
}

const textual: Partial<Record<Field['x-kind'], string>> = { json: 'As JSON.', list: 'Comma-separated.' }

/** The parameters as a query: objects become JSON texts, lists comma-separated ones. */
export const asQuery = (parameters: Record<string, Field>) =>
  optional(parameters, schema => {
    const form = textual[schema['x-kind']]
    return form === undefined ? schema : described(Text(10000), `${schema.description ?? ''} ${form}`)
  })

/** The parameters of a body. */
export function fromBody<G>({ data, ...body }: Record<string, unknown>): Request<G> {
  const given = Object.fromEntries(Object.entries(body).filter(([, v]) => v !== null))
  return { given: given as G, place: 'body', ...(data != null && { data }) }
}

function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw parameterError(name, `${name} is not valid JSON.`, 'invalid_json')
  }
}

const validators = new WeakMap<Field, Validator>()

function listed(name: string, schema: Field, text: string): unknown {
  const validator = validators.get(schema) ?? compile(Closed({ [name]: schema }), 'query')
  validators.set(schema, validator)
  const given = { [name]: text.split(',').map(item => item.trim()) }
  refuse(validator(given))
  return given[name]
}

function read(name: string, schema: Field, value: unknown): unknown {
  if (schema['x-kind'] === 'json') return parsed(name, value as string)
  return schema['x-kind'] === 'list' ? listed(name, schema, value as string) : value
}

/** The parameters of a query; a 400 for a text that should be JSON or a list and is not. */
export function fromQuery<G>(parameters: Record<string, Field>, query: Record<string, unknown>): Request<G> {
  const given = Object.entries(parameters)
    .filter(([name]) => query[name] !== undefined)
    .map(([name, schema]) => [name, read(name, schema, query[name])])
  return { given: Object.fromEntries(given) as G, place: 'query' }
}

/** The request without the parameters that say their own default: these ask for nothing, whatever else is asked. */
export function withoutDefaults<R extends Request<object>>(parameters: Record<string, Field>, request: R): R {
  const given = Object.entries(request.given).filter(
    ([name, value]) => !isDeepStrictEqual(value, parameters[name]?.default)
  )
  return { ...request, given: Object.fromEntries(given) }
}

const at = (place: Place, name: string): Pick<ErrorItem, 'in' | 'pointer' | 'parameter'> =>
  place === 'body' ? { in: place, pointer: `/${name}` } : { in: place, parameter: name }

/** An error that names one parameter. */
export const refused = (
  place: Place,
  name: string,
  message: string,
  code: string,
  status: Code = 'invalid_input',
  extra: Record<string, unknown> = {}
): KithError => new KithError(status, message, { errors: [{ ...at(place, name), code, message }], extra })

/** The parameter `filter` as SQL over the alias; a 400 points at the parameter, and within a body into it. */
export function filtered(
  ctx: Context,
  resource: Resource,
  alias: string,
  { given, place }: Request<{ filter?: Record<string, unknown> }>
): Sql {
  try {
    return filterSql(ctx, resource, alias, given.filter ?? {})
  } catch (error) {
    if (!(error instanceof KithError) || place === 'body' || !error.errors) throw error
    const errors = error.errors.map(({ code, message }) => ({ ...at(place, 'filter'), code, message }))
    throw new KithError('invalid_input', error.message, { errors })
  }
}
