import type { Context } from '../../kernel/context.js'
import {
  allEventTypes,
  eventSchema,
  payloadSchema,
  payloadVersion,
  publicSchema,
  Sequence
} from '../../kernel/event-types.js'
import { operation, stream, value, type Operation } from '../../kernel/operation.js'
import { About, Bool, Closed, Id, Integer, Json, Text, Type } from '../../kernel/schema.js'
import type { Watch } from '../../kernel/events.js'
import { Feed, feedPermission, type Sequencer } from './read.js'

const types = Type.Optional(
  Text(1000, {
    description: 'Comma-separated; `deal.*` stands for all of deals, `*.created` for all that is made.'
  })
)
const resource = Type.Optional(Text(50))
const recordId = Type.Optional(Id())
const after = Type.Optional(
  About('The last sequence that was read; from the oldest event that is kept unless said.', Sequence())
)
const common = { kind: 'read', permission: feedPermission } as const

const listEventTypes = operation({
  ...common,
  name: 'event-types.list',
  summary: 'The types of events',
  description: 'Each with a JSON Schema of its payload.',
  rest: 'GET /event-types',
  graphql: 'eventTypes',
  result: value(
    Closed({
      data: Type.Array(
        Closed({
          type: Text(100),
          payloadVersion: Text(10),
          resource: Text(50),
          description: Text(1000),
          schema: Json('The JSON Schema of such an event.')
        })
      )
    })
  ),
  run: () =>
    Promise.resolve({
      data: allEventTypes().map(t => ({
        type: t.type,
        payloadVersion,
        resource: t.resource.name,
        description: t.description,
        schema: publicSchema(payloadSchema(t))
      }))
    })
})

// What is held in memory of a reader that is slow.
const portion = { limit: 100, bytes: 128 * 1024 }

/** The change feed: pages, pages that wait, a stream, and the types of events. */
export function eventOperations(sequence: Sequencer, watch: Watch): Operation[] {
  const feed = new Feed(sequence, watch)
  return [
    operation({
      ...common,
      name: 'events.list',
      summary: 'The change feed',
      description:
        "Every change after a sequence, once and in order per record. Keep the last sequence and ask on from there; with `wait` the answer comes with the first event. A page looks at no more than 20,000 events: where few or none of these are the caller's or match the filters it is short or empty, and `hasMore` says to go on from `nextCursor`. A position whose events are no longer kept is a 410 that says where to start again.",
      rest: 'GET /events',
      graphql: 'events',
      query: Closed({
        after,
        limit: Type.Optional(Integer(1, 1000)),
        types,
        resource,
        recordId,
        wait: Type.Optional(About('Seconds to wait for an event where there is none yet.', Integer(0, 60)))
      }),
      result: value(
        Closed({
          data: Type.Array(eventSchema),
          page: Closed({ hasMore: Bool(), nextCursor: Sequence() })
        })
      ),
      run: (ctx: Context, { wait = 0, limit = 100, after, types, resource, recordId }) =>
        feed.nextPage(ctx, { after, limit, types, resource, recordId }, wait * 1000)
    }),
    operation({
      ...common,
      name: 'events.stream',
      summary: 'The change feed as a stream',
      description:
        'Server-sent events, one for each change, whose id is its sequence: a client that connects again with Last-Event-ID misses none.',
      rest: 'GET /events/stream',
      graphql: 'events',
      query: Closed({ after, types, resource, recordId }),
      result: stream(eventSchema),
      async run(ctx: Context, { after, types, resource, recordId }) {
        const request = { after, types, resource, recordId, ...portion }
        return feed.follow(ctx, request, await feed.page(ctx, request))
      }
    }),
    listEventTypes
  ]
}
