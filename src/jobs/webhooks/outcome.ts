import { changeRecords, type ChangeRow } from '../../kernel/write.js'
import { systemContext } from '../../resources/identity/create.js'
import { webhooks } from '../../resources/webhooks/resource.js'
import type { Attempt } from './attempt.js'
import { failed, isExhausted, retryDelay, succeeded } from './circuit.js'
import type { Due } from './portions.js'
import { endWaits, type Result } from './store.js'
import type { Turn } from './turn.js'

/** Changes the endpoint's record, which tells the workspace by an event. */
export async function changeEndpoint(
  { database, lease }: Turn,
  patch: ChangeRow['patch'],
  eventType: string
): Promise<void> {
  const ctx = systemContext(database, lease.workspaceId)
  await changeRecords(ctx, webhooks, [{ id: lease.webhookId, patch, eventType }])
}

const stored = ({ at, ms, url, headers, code, body, error }: Attempt, due: Due) => ({
  id: due.eventId,
  round: due.round,
  at: at.toISOString(),
  ms,
  url,
  headers,
  code,
  body,
  error
})

async function delivered(turn: Turn, due: Due, attempt: Attempt): Promise<void> {
  const { circuit, lease, failing } = turn
  const wasHeld = circuit.holds > 0
  succeeded(circuit, turn.settings.concurrency)
  failing.delete(due.streamId)
  await turn.store({ ...stored(attempt, due), status: 'delivered', delay: null })
  if (!wasHeld) return
  failing.clear()
  await endWaits(turn.database, lease)
}

// What an endpoint never takes, while it takes others, is given up by itself; what fails with all others parks it.
function verdict(turn: Turn, due: Due, now: number): 'again' | 'park' | 'give up' {
  const { retryScale } = turn.settings
  const { failingSince } = turn.circuit
  if (failingSince !== null && isExhausted(failingSince, now, retryScale)) return 'park'
  const since = due.failingSince === null ? now : Date.parse(due.failingSince)
  return isExhausted(since, now, retryScale) ? 'give up' : 'again'
}

async function missed(turn: Turn, due: Due, attempt: Attempt): Promise<void> {
  const { circuit, settings, failing } = turn
  const now = Date.now()
  failing.add(due.streamId)
  failed(circuit, {
    now,
    failingRecords: failing.size,
    askedMs: attempt.askedMs,
    scale: settings.retryScale
  })
  const gone = attempt.code === 410
  const next = gone ? 'again' : verdict(turn, due, now)
  const delay = Math.max(retryDelay(due.failures + 1, settings.retryScale), attempt.askedMs)
  const result: Result = { ...stored(attempt, due), status: next === 'give up' ? 'failed' : 'pending', delay }
  await turn.store(next === 'give up' ? { ...result, delay: null } : result)
  // One 410 ends the turn. Others of requests that were under way say no more, and by now somebody may have enabled it again.
  if (gone && turn.ended()) return
  if (gone) {
    turn.end()
    await changeEndpoint(
      turn,
      { enabled: false, status: 'disabled', statusReason: 'gone' },
      'webhook.disabled'
    )
  } else if (next === 'park') {
    turn.end()
    const parkedAt = new Date(now).toISOString()
    await changeEndpoint(turn, { status: 'parked', statusReason: 'exhausted', parkedAt }, 'webhook.parked')
  } else if (next === 'give up') {
    failing.delete(due.streamId)
  }
}

/** Stores what became of an attempt and draws its consequences. Answers whether the record's next event may go. */
export async function conclude(turn: Turn, due: Due, attempt: Attempt): Promise<boolean> {
  const success = attempt.error === null
  await (success ? delivered(turn, due, attempt) : missed(turn, due, attempt))
  return success
}
