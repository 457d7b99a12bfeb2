import { codes, KithError, problem, type Code } from '../kernel/errors.js'
import type { Operation } from '../kernel/operation.js'
import { Examples } from './openapi-examples.js'
import { partsOf, resultName } from './openapi-names.js'
import { takesIdempotencyKey, takesIfNoneMatch } from './openapi-parameters.js'
import type { Components, Json } from './openapi-schemas.js'

const text = (description: string, example: string): Json => ({
  description,
  schema: { type: 'string', examples: [example] }
})

/** The headers of answers; responses refer to them. */
export const responseHeaders: Record<string, Json> = {
  'X-Request-Id': text(
    'The id of this request, in logs and events too.',
    '019b4c1a-3c00-7c4e-8f10-0242ac120002'
  ),
  ETag: text(
    'The version of the record, absent with `include` or `fields`; of a figure what it was found from.',
    '"3"'
  ),
  Vary: text('What the form of the answer depends on.', 'Accept'),
  Location: text('Where the new record is.', '/v1/contacts/019b4c1a-3c00-7a10-8b20-0242ac120002'),
  Link: text('The next page, if there is one.', '</v1/contacts?after=WyJjb250YWN0Il0>; rel="next"'),
  'Idempotency-Replayed': text('`true` where this repeats an earlier answer.', 'true'),
  RateLimit: text(
    'What is left of each limit: `r` requests for the next `t` seconds.',
    '"default";r=5999;t=60'
  ),
  'RateLimit-Policy': text('The limits that hold: `q` requests in `w` seconds.', '"default";q=6000;w=60'),
  'Retry-After': text('Seconds to wait before trying again.', '1'),
  'WWW-Authenticate': text('How to authenticate.', 'Bearer realm="kith"')
}

const headers = (...names: (string | false)[]): Json => ({
  headers: Object.fromEntries(
    ['X-Request-Id', 'RateLimit', 'RateLimit-Policy', ...names]
      .filter(n => n !== false)
      .map(n => [n, { $ref: `#/components/headers/${n}` }])
  )
})

const errorResponses: Record<number, { name: string; headers?: string[] }> = {
  400: { name: 'BadRequest' },
  401: { name: 'Unauthorized', headers: ['WWW-Authenticate'] },
  403: { name: 'Forbidden' },
  404: { name: 'NotFound' },
  406: { name: 'NotAcceptable' },
  410: { name: 'Gone' },
  409: { name: 'Conflict', headers: ['Retry-After'] },
  412: { name: 'PreconditionFailed' },
  413: { name: 'ContentTooLarge' },
  415: { name: 'UnsupportedMediaType' },
  422: { name: 'UnprocessableContent' },
  429: { name: 'TooManyRequests', headers: ['Retry-After'] },
  503: { name: 'ServiceUnavailable', headers: ['Retry-After'] }
}

const errorItem = {
  type: 'object',
  description: 'One thing wrong with the input, and where.',
  required: ['in', 'code', 'message'],
  properties: {
    in: { type: 'string', enum: ['body', 'query', 'path', 'header'] },
    pointer: { type: 'string', description: 'A JSON pointer into the body.', examples: ['/email'] },
    parameter: { type: 'string', description: 'The name of a parameter or header.' },
    code: { type: 'string', examples: ['format'] },
    message: { type: 'string', examples: ['/email must match format "email".'] }
  }
}

/** Adds the schemas of problem documents. */
export function addProblem(components: Components): void {
  const item = components.add('ErrorItem', () => errorItem)
  components.add('Problem', () => ({
    type: 'object',
    description: 'An RFC 9457 problem document. Some codes add members, such as the record of a conflict.',
    required: ['type', 'title', 'status', 'detail', 'code'],
    properties: {
      type: { type: 'string', format: 'uri', description: '`urn:kith:error:` and the code.' },
      title: { type: 'string', description: 'The code in words.' },
      status: { type: 'integer', minimum: 400, maximum: 599 },
      detail: { type: 'string', description: 'What went wrong this time.' },
      instance: { type: 'string', description: 'The path of the request.' },
      code: {
        type: 'string',
        description: `What went wrong, for programs: ${Object.keys(codes).join(', ')}. More may come.`
      },
      requestId: { type: 'string', description: 'The id of the request, to ask us about.' },
      errors: { type: 'array', items: item }
    }
  }))
}

const wrongEmail = {
  in: 'body',
  pointer: '/email',
  code: 'format',
  message: '/email must match format "email".'
} as const
const unknownCompany = {
  in: 'body',
  pointer: '/companyId',
  code: 'unknown_reference',
  message: 'There is no such company.'
} as const
const itemsOf: Partial<Record<Code, (typeof wrongEmail | typeof unknownCompany)[]>> = {
  invalid_input: [wrongEmail],
  unknown_reference: [unknownCompany]
}

function problemExample(code: Code): Json {
  const errors = itemsOf[code]
  const error = new KithError(code, errors?.[0]!.message, errors && { errors })
  return { ...problem(error), instance: '/v1/contacts', requestId: '019b4c1a-3c00-7c4e-8f10-0242ac120002' }
}

function errorResponse(status: number, extra: readonly string[]): Json {
  const known = (Object.keys(codes) as Code[]).filter(code => codes[code][0] === status)
  return {
    description: known.map(code => `\`${code}\`: ${codes[code][1]}.`).join(' '),
    ...headers(...extra),
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(
          known.map(code => [code, { summary: codes[code][1], value: problemExample(code) }])
        )
      }
    }
  }
}

/** The error responses, each with an example of every code it may have. */
export const errorComponents = (): Json =>
  Object.fromEntries(
    Object.entries(errorResponses).map(([status, { name, headers: extra }]) => [
      name,
      errorResponse(Number(status), extra ?? [])
    ])
  )

function errorStatuses(operation: Operation): number[] {
  const { kind, permission, params, result, rest } = operation
  const body = operation.body as { properties?: Record<string, unknown> } | undefined
  const creates = partsOf(operation).action === 'create'
  const scoped = permission !== 'public' && permission !== 'authenticated'
  const isFeed = partsOf(operation).subject === 'events'
  // With `atomic` the first failure of a row is the answer.
  const manyRows = body?.properties?.atomic !== undefined
  const applies: [number, boolean][] = [
    [400, true],
    [401, permission !== 'public' || kind === 'write'],
    [403, scoped],
    [404, params !== undefined || (result.kind === 'record' && !creates) || manyRows],
    [406, operation.formats !== undefined],
    [409, kind === 'write'],
    [410, isFeed],
    [412, operation.versioned || manyRows],
    [413, rest!.method !== 'GET'],
    [415, rest!.method !== 'GET'],
    [422, kind === 'write' || isFeed || partsOf(operation).subject === 'metrics'],
    [429, true],
    [503, true]
  ]
  return applies.filter(([, applied]) => applied).map(([status]) => status)
}

const streamExample =
  'id: 4711\nevent: contact.created\ndata: {"id":"019b4c1a-3c00-7c4e-8f10-0242ac120002"}\n\n'

function successSchema(operation: Operation, components: Components): Json {
  const { kind, resource, schema } = operation.result
  if (kind === 'record') return components.model(resource!)
  if (kind === 'page') return components.page(resource!)
  return components.result(resultName(operation), schema!)
}

const textExamples: Record<string, string> = {
  'text/csv': 'part,list,item,deals\r\ntotal,,,12\r\n',
  'image/svg+xml': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  'text/html': '<!doctype html><title>Figures</title>'
}
const textTypes = ({ formats = {} }: Operation) => Object.keys(formats).filter(type => type in textExamples)
const asText = (type: string): Json => ({ schema: { type: 'string' }, example: textExamples[type] })

const descriptions: Record<string, string> = {
  record: 'The record.',
  page: 'A page of records.',
  value: 'The answer.',
  stream: 'Server-sent events without end; `id` is the sequence, `data` an event as the feed shows it.'
}

function success(operation: Operation, components: Components, created: boolean): Json {
  const { result, rest } = operation
  const schema = successSchema(operation, components)
  return {
    description: created && result.kind === 'record' ? 'The new record.' : descriptions[result.kind],
    ...headers(
      (result.kind === 'record' || operation.tag !== undefined) && 'ETag',
      operation.formats !== undefined && 'Vary',
      created && result.kind === 'record' && 'Location',
      result.kind === 'page' && rest!.method === 'GET' && 'Link',
      takesIdempotencyKey(operation) && 'Idempotency-Replayed'
    ),
    content:
      result.kind === 'stream'
        ? { 'text/event-stream': { schema: { type: 'string' }, example: streamExample } }
        : {
            'application/json': { schema, example: new Examples(components, 'answer').of(schema) },
            ...Object.fromEntries(textTypes(operation).map(type => [type, asText(type)]))
          }
  }
}

function successes(operation: Operation, components: Components): Json {
  const { result, status } = operation
  if (result.kind === 'nothing') {
    const replayed = takesIdempotencyKey(operation) && 'Idempotency-Replayed'
    return { [status ?? 204]: { description: 'Done.', ...headers(replayed) } }
  }
  if (result.kind !== 'record') return { [status ?? 200]: success(operation, components, status === 201) }
  const { action } = partsOf(operation)
  return {
    ...(action !== 'create' && { 200: success(operation, components, false) }),
    ...((action === 'create' || action === 'upsert') && { 201: success(operation, components, true) })
  }
}

/** All responses of an operation by status. */
export function responsesOf(operation: Operation, components: Components): Json {
  const errors = errorStatuses(operation).map(status => [
    status,
    { $ref: `#/components/responses/${errorResponses[status]!.name}` }
  ])
  return {
    ...successes(operation, components),
    ...(takesIfNoneMatch(operation) && {
      304: { description: 'It is what you have.', ...headers('ETag') }
    }),
    ...(Object.fromEntries(errors) as Json)
  }
}
