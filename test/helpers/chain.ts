import type { Test } from 'tap'
import { feed, type Send } from './http.js'

const moving = new Set(['version', 'updatedAt'])

/**
 * Asserts that the events of a record tell its whole life: versions without a gap, each event's `previous` what the
 * event before it left, nothing else changed, and the end what the record is now. Answers the events.
 */
export async function assertChain(t: Test, send: Send, plural: string, id: string) {
  const events = await feed(send, `&recordId=${id}`)
  t.same(
    events.map(e => e.data.version),
    events.map((_, i) => i + 1),
    'events come in order of versions, without a gap'
  )
  t.equal(events[0]!.previous, null, 'the first event is of a new record')
  const broken = events.slice(1).flatMap((event, i) => {
    const expected = events[i]!.data as Record<string, unknown>
    const undone = { ...(event.data as object), ...event.previous } as Record<string, unknown>
    const differing = Object.keys(expected).filter(
      field => !moving.has(field) && JSON.stringify(undone[field]) !== JSON.stringify(expected[field])
    )
    return differing.map(field => `version ${event.data.version}: ${field}`)
  })
  t.same(broken, [], 'what each event calls previous is what the one before it left')
  const { body } = await send('GET', `/v1/${plural}/${id}?deleted=true`)
  t.same(body, events.at(-1)!.data, 'the record is what its last event says')
  return events
}

/** The versions of which the change log of a record tells, oldest first. */
export async function changeVersions(send: Send, plural: string, id: string): Promise<number[]> {
  const { body } = await send('GET', `/v1/${plural}/${id}/changes?limit=200`)
  return (body.data as { version: number }[]).map(c => c.version).reverse()
}
