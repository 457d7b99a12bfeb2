import type { Operator } from '../kernel/filter-values.js'
import { isFilterParameter } from '../kernel/filter.js'
import type { Operation } from '../kernel/operation.js'
import type { Resource } from '../kernel/resource.js'
import type { TSchema } from '../kernel/schema.js'
import { meaningOf, operandsSchema } from './openapi-filters.js'
import type { Components, Json } from './openapi-schemas.js'
import { fieldTexts, parameterTexts } from './openapi-texts.js'

/** The headers that calls take; operations refer to them. */
export const headerParameters: Record<string, Json> = {
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description: 'Your own id of the request, for logs and events; answered back.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,128}$' }
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'Any text of your own, new for each write. Repeating the same request with the same key within 24 hours repeats the answer and writes nothing.',
    schema: { type: 'string', pattern: '^[!-~]{1,255}$' }
  },
  IfMatch: {
    name: 'If-Match',
    in: 'header',
    description: 'The ETag of the version that this change is based on. Another version answers 412.',
    schema: { type: 'string', examples: ['"3"'] }
  },
  IfAbsent: {
    name: 'If-None-Match',
    in: 'header',
    description: '`*` makes the record only if there is none; one that is there answers 412.',
    schema: { type: 'string', const: '*' }
  },
  IfNoneMatch: {
    name: 'If-None-Match',
    in: 'header',
    description: 'The ETag of the version you have. The same version answers 304.',
    schema: { type: 'string', examples: ['"3"'] }
  }
}

/** Whether the answer has an ETag that the caller may have already. */
export const takesIfNoneMatch = ({ result, rest, tag }: Operation) =>
  (result.kind === 'record' || tag !== undefined) && rest!.method === 'GET'

/** Whether an Idempotency-Key counts: on every write of somebody who is known. */
export const takesIdempotencyKey = ({ kind, permission }: Operation) =>
  kind === 'write' && permission !== 'public'

function headersOf(operation: Operation): Json[] {
  const names = [
    takesIdempotencyKey(operation) && 'IdempotencyKey',
    operation.versioned && 'IfMatch',
    operation.upserts && 'IfAbsent',
    takesIfNoneMatch(operation) && 'IfNoneMatch',
    'RequestId'
  ]
  return names.filter(n => typeof n === 'string').map(name => ({ $ref: `#/components/parameters/${name}` }))
}

/** What `include` and `fields` may name, as items of a list. */
export function namesSchema(resource: Resource, parameter: string): Json | undefined {
  const names =
    parameter === 'fields'
      ? [...resource.fields.keys()]
      : parameter === 'include'
        ? Object.keys(resource.relations).filter(name => resource.relations[name]!.kind === 'one')
        : undefined
  return names && { type: 'array', items: { type: 'string', enum: names } }
}

const commaSeparated = { style: 'form', explode: false }

function filterParameter(components: Components, resource: Resource, parameter: string): Json {
  const [, name = '', operator = 'eq'] = /^(.*?)(?:\[(.*)\])?$/.exec(parameter)!
  const field = resource.fields.get(name)!
  const schema = operandsSchema(components, field, operator as Operator)
  return {
    name: parameter,
    in: 'query',
    description: `\`${name}\` ${meaningOf(operator as Operator, field)}.`,
    ...(schema.type === 'array' && commaSeparated),
    schema
  }
}

function plainParameter(
  components: Components,
  where: 'path' | 'query',
  name: string,
  schema: TSchema
): Json {
  const { description, ...rest } = components.of(schema, 'input')
  const text = parameterTexts[name] ?? description ?? fieldTexts[name]
  return { name, in: where, ...(text !== undefined && { description: text }), schema: rest }
}

function queryParameter(components: Components, operation: Operation, name: string, schema: TSchema): Json[] {
  const { resource, kind } = operation.result
  if (resource && kind === 'page' && isFilterParameter(resource, name)) {
    return [filterParameter(components, resource, name)]
  }
  const named = resource && namesSchema(resource, name)
  if (!named) return [plainParameter(components, 'query', name, schema)]
  const nothing = ((named.items as Json).enum as string[]).length === 0
  return nothing
    ? []
    : [{ name, in: 'query', description: parameterTexts[name], ...commaSeparated, schema: named }]
}

// Each of a workspace's own fields is a parameter; an exploded object is how the document says so.
function customFieldsParameter(query: TSchema): Json[] {
  const patterns = query.patternProperties as Json | undefined
  if (!patterns) return []
  return [
    {
      name: 'customFields',
      in: 'query',
      description: parameterTexts.customFields,
      style: 'form',
      explode: true,
      schema: { type: 'object', patternProperties: patterns, additionalProperties: false }
    }
  ]
}

/** All parameters of an operation: path, query and headers. */
export function parametersOf(operation: Operation, components: Components): Json[] {
  const { params, query } = operation
  const path = Object.entries(params?.properties ?? {}).map(([name, schema]) => ({
    ...plainParameter(components, 'path', name, schema),
    required: true
  }))
  const asked = Object.entries(query?.properties ?? {}).flatMap(([name, schema]) =>
    queryParameter(components, operation, name, schema).map(p => ({
      ...p,
      ...(query!.required?.includes(name) && { required: true })
    }))
  )
  return [...path, ...asked, ...(query ? customFieldsParameter(query) : []), ...headersOf(operation)]
}
