import {
  Type,
  type ObjectOptions,
  type Static,
  type TObject,
  type TSchema,
  type TUnsafe
} from '@sinclair/typebox'

/**
 * What a value means. From the kind follow its filter operators, its GraphQL scalar and how it is compared, so a
 * resource says it once.
 */
export type Kind =
  | 'id'
  | 'text'
  | 'email'
  | 'integer'
  | 'number'
  | 'decimal'
  | 'boolean'
  | 'instant'
  | 'day'
  | 'enum'
  | 'list'
  | 'object'
  | 'json'
  | 'customFields'
  | 'externalIds'
  | 'links'

/** Where the links of a field of that kind are kept: a row for each, with the id of the record and of what it names. */
export interface Link {
  /** The resource that the links point to. */
  target: string
  /** The member of an item that holds the id. */
  member: string
  table: string
  record: string
  linked: string
}

/** A field's schema: JSON Schema with its kind; enums also carry the name that GraphQL gives them. */
export type Field<T = unknown> = TUnsafe<T> & {
  'x-kind': Kind
  'x-enum'?: string
  enum?: readonly unknown[]
  items?: Field
  'x-link'?: Link
}

function field<T>(kind: Kind, schema: Record<string, unknown>): Field<T> {
  return Type.Unsafe<T>({ 'x-kind': kind, ...schema }) as Field<T>
}

/** One-line text of any script, at least one character. */
export const Text = (maxLength: number, extra: Record<string, unknown> = {}) =>
  field<string>('text', { type: 'string', minLength: 1, maxLength, ...extra })

export const Id = (description?: string) =>
  field<string>('id', { type: 'string', format: 'uuid', maxLength: 36, ...(description && { description }) })

/** The id of a record of that resource inside of a nested object; GraphQL shows the record beside it. */
export const Reference = (target: string, description: string) =>
  field<string>('id', { ...Id(description), 'x-reference': target })

export const Email = () => field<string>('email', { type: 'string', format: 'email', maxLength: 254 })

/** A phone number in E.164. */
export const Phone = () =>
  Text(16, { pattern: '^\\+[1-9][0-9]{6,14}$', examples: ['+4930123456'], description: 'E.164' })

export const Url = () => Text(2000, { format: 'http-url', examples: ['https://example.com'] })

export const Domain = () =>
  Text(253, {
    pattern: '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
    examples: ['example.com']
  })

/** ISO 3166-1 alpha-2. */
export const Country = () =>
  Text(2, { pattern: '^[A-Z]{2}$', format: 'country', examples: ['BD'], description: 'ISO 3166-1 alpha-2' })

/** ISO 4217. */
export const Currency = () =>
  Text(3, { pattern: '^[A-Z]{3}$', format: 'currency', examples: ['EUR'], description: 'ISO 4217' })

/** BCP 47. */
export const Language = () => Text(35, { format: 'language', examples: ['bn'], description: 'BCP 47' })

/** An IANA time zone. */
export const TimeZone = () => Text(64, { format: 'time-zone', examples: ['Asia/Dhaka'], description: 'IANA' })

/** An RFC 3339 instant; answered in UTC with milliseconds. */
export const Instant = () =>
  field<string>('instant', {
    type: 'string',
    format: 'instant',
    maxLength: 40,
    examples: ['2026-01-31T09:30:00.000Z']
  })

/** A calendar day, YYYY-MM-DD. */
export const Day = () =>
  field<string>('day', { type: 'string', format: 'day', maxLength: 10, examples: ['2026-01-31'] })

const moneyPattern = '^-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,4})?$'

/** Money, a string with at most four decimals; the field `currency` beside it says of which currency. */
export const Money = () =>
  field<string>('decimal', {
    type: 'string',
    pattern: moneyPattern,
    maxLength: 21,
    examples: ['1200.5']
  })

/** Whether a field holds money. */
export const isMoney = (schema: TSchema) => schema.pattern === moneyPattern

/** An exact decimal that was worked out, of more decimals than a record keeps. */
export const Computed = (description: string) =>
  field<string>('decimal', {
    type: 'string',
    pattern: '^-?[0-9]{1,30}(\\.[0-9]{1,10})?$',
    maxLength: 42,
    examples: ['6139.748243'],
    description
  })

/** An amount that figures are computed from instead of records: a decimal of at most 18 decimals. */
export const GivenAmount = () =>
  field<string>('decimal', {
    type: 'string',
    pattern: '^-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,18})?$',
    maxLength: 36,
    examples: ['1200.5']
  })

/** An exchange rate: a positive decimal string with at most twelve decimals. */
export const Rate = () =>
  field<string>('decimal', {
    type: 'string',
    pattern: '^(?=.*[1-9])(0|[1-9][0-9]{0,11})(\\.[0-9]{1,12})?$',
    maxLength: 25,
    examples: ['0.939037']
  })

export const Integer = (minimum: number, maximum: number) =>
  field<number>('integer', { type: 'integer', minimum, maximum })

/** Any finite number. */
export const Number = () => field<number>('number', { type: 'number' })

/** Any JSON value, shown as it is stored. */
export const Json = <T>(description: string) => field<T | null>('json', { description })

/** A JSON object that is kept and shown as it is, at least one member. */
export const JsonObject = (description: string, example: Record<string, unknown>) =>
  field<Record<string, unknown>>('json', {
    type: 'object',
    minProperties: 1,
    maxProperties: 100,
    additionalProperties: true,
    examples: [example],
    description
  })

/** A share between 0 and 1. */
export const Share = () => field<number>('number', { type: 'number', minimum: 0, maximum: 1 })

export const Bool = () => field<boolean>('boolean', { type: 'boolean' })

/** A closed choice, snake_case in REST and SCREAMING_SNAKE in GraphQL under `name`. */
export const Enum = <const V extends readonly string[]>(name: string, values: V) =>
  field<V[number]>('enum', { type: 'string', enum: values, 'x-enum': name })

/** A set of values, replaced whole by an update. */
export const List = <T>(items: Field<T>, maxItems: number) =>
  field<T[]>('list', { type: 'array', items, maxItems, uniqueItems: true })

/** A list of objects of that GraphQL type that each point to a record, no record twice; replaced whole by an update. */
export const Links = <T>(
  name: string,
  link: Link,
  properties: Record<string, TSchema>,
  maxItems: number,
  description: string
) =>
  field<T[]>('links', {
    type: 'array',
    maxItems,
    description,
    items: { ...Closed(properties), 'x-type': name },
    'x-link': link
  })

/** A nested object of that GraphQL type; an update merges into it, `null` clears a member. */
export const Merged = <T>(name: string, properties: Record<string, TSchema>) =>
  field<T>('object', { type: 'object', properties, additionalProperties: false, 'x-type': name })

/** A flat object of the workspace's own fields. */
export const CustomFieldsSchema = <T>() =>
  field<T>('customFields', {
    type: 'object',
    maxProperties: 200,
    propertyNames: { pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$' },
    additionalProperties: { type: ['string', 'number', 'boolean', 'null'], maxLength: 10000 },
    description: 'Fields of your own: text, number, boolean or null by name.'
  })

/** The partners' own ids of a record, one per source. */
export const ExternalIdsSchema = <T>() =>
  field<T>('externalIds', {
    type: 'array',
    maxItems: 20,
    items: {
      type: 'object',
      required: ['source', 'id'],
      additionalProperties: false,
      properties: {
        source: { type: 'string', minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._-]+$' },
        id: { type: 'string', minLength: 1, maxLength: 255 }
      }
    },
    description: "Partners' own ids, one per source."
  })

/** The same field where null is a value too: a type array, which serialises faster than anyOf. */
export function Nullable<T>(schema: Field<T>): Field<T | null> {
  const copy = {
    ...schema,
    type: [schema.type as string, 'null'],
    ...(schema.enum && { enum: [...schema.enum, null] })
  }
  return copy
}

/** The same field with a sentence for readers of the contracts. */
export const About = <T>(description: string, schema: Field<T>): Field<T> => ({ ...schema, description })

/** Whether null is among a schema's types. */
export const isNullable = (schema: TSchema) =>
  Array.isArray(schema.type) && (schema.type as string[]).includes('null')

/** A closed object: names that it does not know are refused. `x-type` among the options names its GraphQL type. */
export const Closed = <P extends Record<string, TSchema>>(
  properties: P,
  options: ObjectOptions = {}
): TObject<P> => Type.Object(properties, { additionalProperties: false, ...options })

/** The same object with every property optional. */
export const Partial = (properties: Record<string, TSchema>) =>
  Closed(Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, Type.Optional(v)])))

export { Type, type Static, type TObject, type TSchema }
