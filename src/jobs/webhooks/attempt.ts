import { EgressError, type Answer, type Egress } from '../egress.js'
import { retryAfter } from './circuit.js'
import type { Endpoint } from './lease.js'
import type { Due } from './portions.js'
import { bodyOf, headersOf } from './request.js'

/** A request, and what came back. */
export interface Attempt {
  at: Date
  ms: number
  url: string
  headers: Record<string, string>
  code: number | null
  body: string | null
  /** Null for a success. */
  error: string | null
  /** Milliseconds that the endpoint asks to be left alone. */
  askedMs: number
}

async function answerTo(egress: Egress, url: string, headers: Record<string, string>, body: string) {
  try {
    return await egress.post(url, headers, body)
  } catch (error) {
    if (error instanceof EgressError) return error
    throw error
  }
}

function judged(
  answer: Answer | EgressError,
  now: number
): Pick<Attempt, 'code' | 'body' | 'error' | 'askedMs'> {
  if (answer instanceof EgressError) return { code: null, body: null, error: answer.message, askedMs: 0 }
  const { status } = answer
  const success = status >= 200 && status < 300
  return {
    code: status,
    body: answer.body === '' ? null : answer.body,
    error: success ? null : `It answered ${status}.`,
    askedMs: success ? 0 : retryAfter(answer.headers['retry-after'], now)
  }
}

/** Sends an event to an endpoint once. */
export async function attempt(egress: Egress, endpoint: Endpoint, due: Due): Promise<Attempt> {
  const at = new Date()
  const began = performance.now()
  const body = bodyOf(endpoint, due)
  const { url } = endpoint
  const headers = headersOf(endpoint, due.eventId, at, body)
  const answer = await answerTo(egress, url, headers, body)
  return { at, ms: Math.round(performance.now() - began), url, headers, ...judged(answer, Date.now()) }
}
