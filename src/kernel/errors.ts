/** Every error code a client can see, with its HTTP status and title. A code stands here once, for both surfaces. */
export const codes = {
  invalid_input: [400, 'The request is not valid'],
  invalid_json: [400, 'The body is not valid JSON'],
  bad_request: [400, 'The request cannot be understood'],
  too_complex: [400, 'The document asks for too much'],
  unauthenticated: [401, 'Authentication is needed'],
  forbidden: [403, 'The credential lacks a scope'],
  not_found: [404, 'There is nothing here'],
  method_not_allowed: [405, 'The method is not allowed here'],
  not_acceptable: [406, 'None of the accepted media types can be answered'],
  conflict: [409, 'The request conflicts with another record'],
  in_use: [409, 'The record is in use'],
  in_bin: [409, 'The record is in the bin'],
  already_converted: [409, 'The lead was converted before'],
  ambiguous_match: [409, 'Several records match'],
  idempotency_in_progress: [409, 'A request with this Idempotency-Key is still running'],
  secret_already_shown: [409, 'The secret was shown once and cannot be shown again'],
  password_login_disabled: [409, 'This server does not issue access tokens'],
  events_forgotten: [410, 'The events are no longer kept'],
  version_mismatch: [412, 'The record has changed since'],
  payload_too_large: [413, 'The body is too large'],
  uri_too_long: [414, 'The address is too long'],
  unsupported_media_type: [415, 'The media type is not supported'],
  unprocessable: [422, 'The request cannot be carried out on this data'],
  unknown_reference: [422, 'A reference does not point to a record'],
  idempotency_mismatch: [422, 'The Idempotency-Key was used for another request'],
  duplicate_in_batch: [422, 'The record is named twice in the batch'],
  rate_limited: [429, 'Too many requests'],
  headers_too_large: [431, 'The headers are too large'],
  internal: [500, 'Something went wrong on our side'],
  unavailable: [503, 'The service cannot answer for the moment'],
  contention: [503, 'Other requests were in the way'],
  timeout: [503, 'The request took too long']
} as const satisfies Record<string, readonly [number, string]>

export type Code = keyof typeof codes

/** One thing wrong with the input, and where: a JSON pointer in the body, or the name of a parameter. */
export interface ErrorItem {
  in: 'body' | 'query' | 'path' | 'header'
  pointer?: string
  parameter?: string
  code: string
  message: string
}

interface Details {
  errors?: ErrorItem[]
  headers?: Record<string, string>
  /** Extra members of the problem document, such as the record a conflict is about. */
  extra?: Record<string, unknown>
  cause?: unknown
}

/** The one error that operations throw; a surface turns it into its own form by its code. */
export class KithError extends Error {
  readonly status: number
  readonly errors: ErrorItem[] | undefined
  readonly headers: Record<string, string>
  readonly extra: Record<string, unknown>

  constructor(
    readonly code: Code,
    message?: string,
    details: Details = {}
  ) {
    super(message ?? codes[code][1], { cause: details.cause })
    this.name = 'KithError'
    this.status = codes[code][0]
    this.errors = details.errors
    this.headers = details.headers ?? {}
    this.extra = details.extra ?? {}
  }

  get title(): string {
    return codes[this.code][1]
  }
}

/** A 4xx that names one field of the body by its JSON pointer. */
export function fieldError(code: Code, pointer: string, message: string, itemCode: string = code): KithError {
  return new KithError(code, message, { errors: [{ in: 'body', pointer, code: itemCode, message }] })
}

/** A 400 about one query parameter or header. */
export function parameterError(
  parameter: string,
  message: string,
  code = 'invalid',
  where: 'query' | 'header' | 'path' = 'query'
): KithError {
  return new KithError('invalid_input', message, { errors: [{ in: where, parameter, code, message }] })
}

/** What it means to a client when a constraint of the database refuses a record. */
export interface Rule {
  pointer: string
  code: string
  message: string
}

const rules = new Map<string, Rule>()

/** Makes the database's refusal by this constraint an error that names the field. */
export const declareRule = (constraint: string, rule: Rule) => void rules.set(constraint, rule)

/** The rule behind a constraint, where a resource declares one. */
export const ruleOf = (constraint: string | undefined) => rules.get(constraint ?? '')

export const notFound = (what: string) => new KithError('not_found', `There is no such ${what}.`)

/** The part of an error that a batch row and a GraphQL error carry, the same as in a problem document. */
export function problem(error: KithError): Record<string, unknown> {
  return {
    type: `urn:kith:error:${error.code}`,
    title: error.title,
    status: error.status,
    detail: error.message,
    code: error.code,
    ...(error.errors && { errors: error.errors }),
    ...error.extra
  }
}
