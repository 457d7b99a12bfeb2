import pg from 'pg'
import { fieldError, KithError, ruleOf } from '../kernel/errors.js'

const { DatabaseError } = pg

const connectionCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN'
])

const away = (cause: unknown) =>
  new KithError('unavailable', undefined, { headers: { 'retry-after': '1' }, cause })

function conflict(error: pg.DatabaseError): KithError {
  const value = /\)=\(([^)]*)\)/
    .exec(error.detail ?? '')?.[1]
    ?.split(', ')
    .at(-1)
  const message =
    error.constraint === 'external_ids_pkey'
      ? 'An external id belongs to another record.'
      : `Another record has ${value === undefined ? 'this value' : `the value ${value}`} already.`
  return new KithError('conflict', message, { cause: error })
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
function fromServer(error: pg.DatabaseError): unknown {
  const code = error.code ?? ''
  const rule = ruleOf(error.constraint)
  if (rule) {
    return fieldError(code === '23505' ? 'conflict' : 'unprocessable', rule.pointer, rule.message, rule.code)
  }
  if (code === '23505') return conflict(error)
  if (code === '23503') return new KithError('unknown_reference', undefined, { cause: error })
  if (error.constraint?.endsWith('_custom_fields_size')) {
    return fieldError(
      'unprocessable',
      '/customFields',
      'A record keeps at most 200 custom fields.',
      'maxProperties'
    )
  }
  if (code === '23514' || code === '23502') return new KithError('unprocessable', undefined, { cause: error })
  if (code === '40001' || code === '40P01') {
    return new KithError('contention', undefined, { headers: { 'retry-after': '1' }, cause: error })
  }
  if (code === '57014')
    return new KithError('timeout', undefined, { headers: { 'retry-after': '5' }, cause: error })
  if (code.startsWith('22')) return new KithError('bad_request', 'A value cannot be read.', { cause: error })
  const gone = code.startsWith('08') || code.startsWith('57P') || code === '53300' || code === '25P03'
  return gone ? away(error) : error
}

/** The error a client should see for one of the driver or the server; ours and unforeseen ones pass unchanged. */
export function translate(error: unknown): unknown {
  if (error instanceof KithError) return error
  if (error instanceof DatabaseError) return fromServer(error)
  if (!(error instanceof Error)) return error
  const code = 'code' in error ? String(error.code) : ''
  if (connectionCodes.has(code)) return away(error)
  const lost =
    /connection (terminated|timeout|error)|timeout exceeded when trying to connect|query read timeout|not queryable/i
  return lost.test(error.message) ? away(error) : error
}
