import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { KithError, parameterError } from '../../kernel/errors.js'
import { noSuchType, payloadVersion, typesMatching, type eventSchema } from '../../kernel/event-types.js'
import {
  feedEnds,
  readEvents,
  scannedAtMost,
  type EventRow,
  type FeedEnds,
  type Watch
} from '../../kernel/events.js'
import type { Portion } from '../../kernel/operation.js'
import { allResources } from '../../kernel/resource.js'
import type { Static } from '../../kernel/schema.js'
import { suggestion } from '../../kernel/validate.js'

export type Event = Static<typeof eventSchema>

/** Gives what is committed in a workspace its sequence. */
export type Sequencer = (workspaceId: string) => Promise<unknown>

/** Which events a reader wants; `after` absent: from the oldest one that is kept. */
export interface FeedRequest {
  after?: string | undefined
  limit: number
  types?: string | undefined
  resource?: string | undefined
  recordId?: string | undefined
  /** How many bytes of records a page may have, but for its last event. */
  bytes?: number | undefined
}

export interface FeedPage {
  data: Event[]
  page: { hasMore: boolean; nextCursor: string }
}

/** An event as readers and webhooks get it. */
export function shown(row: EventRow): Event {
  const { actorType, actorId, ...event } = row
  const previous = row.previous as Record<string, unknown> | null
  return {
    ...event,
    payloadVersion,
    actor: { type: actorType, id: actorId },
    changedFields: Object.keys(previous ?? {})
  } as Event
}

const later = (a: string, b: string) => (BigInt(a) > BigInt(b) ? a : b)

// A position that was never given belongs to another feed; reading on from it would pass over events.
function refuseOutside(after: string, { sequence, forgotten }: FeedEnds): void {
  const item = (code: string, message: string) => ({
    in: 'query' as const,
    parameter: 'after',
    code,
    message
  })
  if (BigInt(after) > BigInt(sequence)) {
    const message = `after lies beyond ${sequence}, the last sequence given.`
    throw new KithError('unprocessable', message, { errors: [item('beyond_head', message)] })
  }
  if (BigInt(after) >= BigInt(forgotten)) return
  const message = `Events up to ${forgotten} are no longer kept: read the records anew, then the feed after ${forgotten}.`
  throw new KithError('events_forgotten', message, {
    errors: [item('forgotten', message)],
    extra: { startAfter: forgotten }
  })
}

// A misspelt name would be a feed that stays empty for ever.
function namedTypes(types: string | undefined): string[] | undefined {
  if (types === undefined) return undefined
  const found = [...new Set(types.split(','))].flatMap(name => {
    const matching = typesMatching(name).map(t => t.type)
    if (matching.length > 0) return matching
    throw parameterError('types', noSuchType(name), 'unknown_type')
  })
  return [...new Set(found)]
}

// By its name, or as its types of events begin.
function namedResource(resource: string | undefined): string | undefined {
  if (resource === undefined) return undefined
  const found = allResources().find(r => r.name === resource || r.eventName === resource)
  if (found) return found.name
  const hint = suggestion(
    resource,
    allResources().map(r => r.name)
  )
  throw parameterError('resource', `${resource} is not a resource.${hint}`, 'unknown_resource')
}

/** The scope that reading the feed needs. */
export const feedPermission = 'events:read'

// The caller as it is by now; a 401 or 403 where it may not read the feed any more.
async function renewed(ctx: Context): Promise<Context> {
  const now = { ...ctx, ...(await ctx.renew?.()) }
  authorize(now, feedPermission)
  return now
}

/** How often a stream on which nothing happens says that it lives. */
const heartbeatMs = 15_000

/** Reads the feed of a workspace: pages, pages that wait, and streams. */
export class Feed {
  constructor(
    private readonly sequence: Sequencer,
    private readonly watch: Watch
  ) {}

  /**
   * One page. Committed events are given their sequence before it is read, so a caller sees its own writes. Where none
   * of many events is the caller's it is empty, with more behind its cursor.
   */
  async page(ctx: Context, request: FeedRequest): Promise<FeedPage> {
    const { limit, recordId, bytes } = request
    const types = namedTypes(request.types)
    const resource = namedResource(request.resource)
    await this.sequence(ctx.workspaceId)
    const ends = await feedEnds(ctx)
    const after = request.after ?? ends.forgotten
    refuseOutside(after, ends)
    const rows = await readEvents(ctx, { after, limit, types, resource, recordId, bytes })
    const fitting = rows.slice(0, limit).filter(row => row.data !== null)
    const data = fitting.map(shown)
    if (rows.length > data.length) return { data, page: { hasMore: true, nextCursor: data.at(-1)!.sequence } }
    const seen = recordId === undefined ? BigInt(after) + BigInt(scannedAtMost) : BigInt(ends.sequence)
    if (seen < BigInt(ends.sequence)) return { data, page: { hasMore: true, nextCursor: String(seen) } }
    return {
      data,
      page: { hasMore: false, nextCursor: later(data.at(-1)?.sequence ?? after, ends.sequence) }
    }
  }

  /**
   * The first page that is not empty, or an empty one after `ms`, when the reader is gone or the process stops. Who
   * reads is asked anew before each page.
   */
  async nextPage(ctx: Context, request: FeedRequest, ms: number): Promise<FeedPage> {
    if (ms === 0) return this.page(ctx, request)
    return this.awaited(ctx, () => renewed(ctx), request, ms)
  }

  private async awaited(
    ctx: Context,
    reader: () => Promise<Context>,
    request: FeedRequest,
    ms: number
  ): Promise<FeedPage> {
    const gone = ctx.gone?.()
    const deadline = Date.now() + ms
    for (let after = request.after; ;) {
      // Begins to wait before it reads, so that nothing happens unseen in between.
      const found = new AbortController()
      const signal = gone ? AbortSignal.any([gone, found.signal]) : found.signal
      const changed = this.watch.changed(ctx.workspaceId, Math.max(0, deadline - Date.now()), signal)
      try {
        const page = await this.page(await reader(), { ...request, after })
        if (page.data.length > 0 || Date.now() >= deadline || gone?.aborted === true || this.watch.closed)
          return page
        after = page.page.nextCursor
        if (!page.page.hasMore) await changed
      } finally {
        found.abort()
      }
    }
  }

  /**
   * Pages without end, an empty one now and then while nothing happens; a reader that is slow is waited for. Whether it
   * may still read is for who passes the pages on.
   */
  async *follow(ctx: Context, request: FeedRequest, first: FeedPage): AsyncGenerator<Portion<Event>> {
    const gone = ctx.gone?.()
    for (let page = first; gone?.aborted !== true;) {
      yield { data: page.data, position: page.page.nextCursor }
      if (this.watch.closed) return
      const next = { ...request, after: page.page.nextCursor }
      page = await this.awaited(ctx, () => Promise.resolve(ctx), next, heartbeatMs)
    }
  }
}
