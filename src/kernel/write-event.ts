import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from './context.js'
import type { Resource } from './resource.js'

/** The instant of a write. */
export const clock = raw(`date_trunc('milliseconds', clock_timestamp())`)

/** Who wrote, and by which request. */
export type Origin = Record<'workspaceId' | 'actorType' | 'actorId' | 'requestId' | 'idempotencyKey', unknown>

export const originOf = (ctx: Context): Origin => ({
  workspaceId: ctx.workspaceId,
  actorType: ctx.actor.type,
  actorId: ctx.actor.id,
  requestId: ctx.requestId,
  idempotencyKey: ctx.idempotencyKey
})

/** Where a statement says who wrote: type, id and request. */
export const actorSql = (by: Origin) => sql`${by.actorType}, ${by.actorId}::uuid, ${by.requestId}`

/** One event for each changed record, ordered by a number drawn after the record was locked. */
export function eventSql(by: Origin, resource: Resource, source: Sql): Sql {
  return sql`event as (
    insert into events (workspace_id, id, ord, type, resource, record_id, occurred_at, actor_type, actor_id,
      request_id, idempotency_key, data, previous)
    select ${by.workspaceId}, s.event_id, nextval('event_order'), s.event_type, ${raw(`'${resource.name}'`)}, s.record_id,
      s.now, ${actorSql(by)}, ${by.idempotencyKey}, s.data, s.previous
    from (${source}) s returning ord, id
  ), outbox as (
    insert into event_outbox (workspace_id, ord, event_id) select ${by.workspaceId}, ord, id from event
  )`
}
