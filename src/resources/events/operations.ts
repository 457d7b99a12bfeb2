import type { Context } from '../../kernel/context.js'
import { KithError, parameterError } from '../../kernel/errors.js'
import { feedHead, readEvents, type EventRow } from '../../kernel/events.js'
import { operation, value, type Operation } from '../../kernel/operation.js'
import { allResources } from '../../kernel/resource.js'
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
import { suggestion } from '../../kernel/validate.js'

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

/** An event as readers and webhooks get it. */
export function shown(row: EventRow): Static<typeof eventSchema> {
  const { actorType, actorId, ...event } = row
  const previous = row.previous as Record<string, unknown> | null
  return {
    ...event,
    actor: { type: actorType, id: actorId },
    changedFields: Object.keys(previous ?? {})
  } as Static<typeof eventSchema>
}

const later = (a: string, b: string) => (BigInt(a) > BigInt(b) ? a : b)

// A position that was never given belongs to another feed; reading on from it would pass over events.
function refuseBeyond(after: string, head: string): void {
  if (BigInt(after) <= BigInt(head)) return
  const message = `after lies beyond ${head}, the last sequence given.`
  throw new KithError('unprocessable', message, {
    errors: [{ in: 'query', parameter: 'after', code: 'beyond_head', message }]
  })
}

// A misspelt name would be a feed that stays empty for ever.
function checkNames(types: string[] | undefined, resource: string | undefined): void {
  const resources = allResources().map(r => r.name)
  if (resource !== undefined && !resources.includes(resource)) {
    const hint = suggestion(resource, resources)
    throw parameterError('resource', `${resource} is not a resource.${hint}`, 'unknown_resource')
  }
  const prefixes = allResources().map(r => r.eventName)
  const wrong = types?.find(type => !/^[a-z_]*\*/.test(type) && !prefixes.includes(type.split('.')[0]!))
  if (wrong === undefined) return
  const hint = suggestion(wrong.split('.')[0]!, prefixes)
  throw parameterError('types', `${wrong} is not a type of events.${hint}`, 'unknown_type')
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
        const names = types?.split(',')
        checkNames(names, resource)
        await sequence(ctx.workspaceId)
        const head = await feedHead(ctx)
        refuseBeyond(after, head)
        const rows = await readEvents(ctx, { after, limit, types: names, resource, recordId })
        const data = rows.slice(0, limit).map(shown)
        const hasMore = rows.length > limit
        const last = data.at(-1)?.sequence ?? after
        return { data, page: { hasMore, nextCursor: hasMore ? last : later(last, head) } }
      }
    })
  ]
}
