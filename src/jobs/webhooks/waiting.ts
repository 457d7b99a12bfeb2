import sql from 'sql-template-tag'
import type { Db } from '../../kernel/context.js'
import { allResources } from '../../kernel/resource.js'

const lookedAt = 1000

/**
 * Shows on endpoints that get nothing for now since when an event waits for them: a delivery, or one of the next events
 * of the log that is of their types. Whether it meets their filter shows when it is delivered.
 */
export async function showWaiting(db: Db): Promise<void> {
  const permissions = Object.fromEntries(allResources().map(r => [r.name, r.permissions.read]))
  await db.query(sql`
    update webhooks w set oldest_undelivered_at = found.oldest
    from (
      select w.workspace_id, w.id, coalesce(pending.oldest, logged.oldest) as oldest
      from webhooks w
      join webhook_states s on s.workspace_id = w.workspace_id and s.webhook_id = w.id
      left join lateral (
        select d.occurred_at as oldest from webhook_deliveries d
        where d.workspace_id = w.workspace_id and d.webhook_id = w.id and d.status = 'pending'
        order by d.sequence limit 1
      ) pending on true
      left join lateral (
        select e.occurred_at as oldest from (
          select l.event_id, l.sequence from event_log l
          where l.workspace_id = w.workspace_id and l.sequence > s.cursor order by l.sequence limit ${lookedAt}
        ) l
        join events e on e.workspace_id = w.workspace_id and e.id = l.event_id
        where e.type like any(
            select replace(replace(pattern, '_', '\\_'), '*', '%') from unnest(w.types) as pattern)
          and w.scopes && array['admin', ${JSON.stringify(permissions)}::jsonb ->> e.resource]
        order by l.sequence limit 1
      ) logged on true
      where w.status in ('disabled', 'parked') and w.deleted_at is null and w.oldest_undelivered_at is null
    ) found
    where w.workspace_id = found.workspace_id and w.id = found.id and found.oldest is not null
      and w.status in ('disabled', 'parked')`)
}
