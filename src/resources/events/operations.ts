import type { Context } from '../../kernel/context.js'
import { readEvents, type EventRow } from '../../kernel/events.js'
import { operation, value, type Operation } from '../../kernel/operation.js'
import {
  Bool,
  Closed,
  Enum,
  Id,
  Instant,
  Integer,
  List,
  Nullable,
  Text,
  Type,
  type Static
} from '../../kernel/schema.js'
import { JsonValue } from '../../kernel/standard-schemas.js'

const Sequence = () => Text(19, { pattern: '^[0-9]{1,18}$', examples: ['4711'] })

export const eventSchema = Closed({
  id: Id('Stable across retries and readers.'),
  sequence: Sequence(),
  type: Text(100),
  resource: Text(50),
  recordId: Id(),
  occurredAt: Instant(),
  recordedAt: Instant(),
  actor: Closed({ type: Enum('ActorType', ['user', 'key', 'system']), id: Nullable(Id()) }),
  requestId: Text(200),
  idempotencyKey: Nullable(Text(255)),
  data: JsonValue('The record after the change.'),
  previous: JsonValue('The fields that changed, as they were; null for a new record.'),
  changedFields: List(Text(100), 200)
})

function shown(row: EventRow): Static<typeof eventSchema> {
  const { actorType, actorId, ...event } = row
  const previous = row.previous as Record<string, unknown> | null
  return {
    ...event,
    actor: { type: actorType, id: actorId },
    changedFields: Object.keys(previous ?? {})
  } as Static<typeof eventSchema>
}

/** The change feed. Committed events are given their sequence before it is read, so a caller sees its own writes. */
export function eventOperations(sequence: (workspaceId: string) => Promise<void>): Operation[] {
  return [
    operation({
      name: 'events.list',
      kind: 'read',
      permission: 'events:read',
      summary: 'The change feed',
      description:
        'Every change after a sequence, once and in order per record. Keep the last sequence and ask on from there.',
      rest: 'GET /events',
      graphql: 'eventFeed',
      query: Closed({
        after: Type.Optional(Sequence()),
        limit: Type.Optional(Integer(1, 1000)),
        types: Type.Optional(
          Text(1000, { description: 'Comma-separated; `deal.*` stands for all of deals.' })
        ),
        resource: Type.Optional(Text(50)),
        recordId: Type.Optional(Id())
      }),
      result: value(
        Closed({
          data: Type.Array(eventSchema),
          page: Closed({ hasMore: Bool(), nextCursor: Sequence() })
        })
      ),
      async run(ctx: Context, { after = '0', limit = 100, types, resource, recordId }) {
        await sequence(ctx.workspaceId)
        const rows = await readEvents(ctx, { after, limit, types: types?.split(','), resource, recordId })
        const data = rows.slice(0, limit).map(shown)
        return { data, page: { hasMore: rows.length > limit, nextCursor: data.at(-1)?.sequence ?? after } }
      }
    })
  ]
}
