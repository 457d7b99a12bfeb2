import { Webhook } from 'standardwebhooks'
import { shown } from '../../resources/events/read.js'
import { version } from '../../version.js'
import type { Endpoint } from './lease.js'
import type { Due } from './portions.js'

const head = ['id', 'sequence', 'type', 'resource', 'recordId', 'occurredAt'] as const

/** The body of a delivery: the same bytes at every attempt, since they follow from the stored event alone. */
export function bodyOf({ payload }: Endpoint, due: Due): string {
  const { eventId, streamId, about, kept, round, failures, failingSince, body, ...row } = due
  const event: Record<string, unknown> = body ?? shown(row)
  return JSON.stringify(
    payload === 'full' ? event : Object.fromEntries(head.map(name => [name, event[name]]))
  )
}

/** The headers of one attempt, signed with every secret that is live. */
export function headersOf(endpoint: Endpoint, id: string, at: Date, body: string): Record<string, string> {
  const secrets = [endpoint.secret, endpoint.previousSecret].filter(s => s !== null)
  return {
    'content-type': 'application/json',
    'user-agent': `Kith/${version}`,
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': secrets.map(s => new Webhook(s).sign(id, at, body)).join(' ')
  }
}
