import sql from 'sql-template-tag'
import type { Db } from '../../kernel/context.js'

/**
 * The first event of a workspace that an enabled webhook is yet to get: not looked at, not delivered, or given up but
 * to be sent again. Null where there is none. Tests are in nobody's feed.
 */
export async function neededFrom(db: Db, workspaceId: string): Promise<string | null> {
  const [row] = await db.query<{ sequence: string | null }>(sql`
    select min(least(s.cursor + 1, open.sequence))::text as sequence
    from webhooks w
    join webhook_states s on s.workspace_id = w.workspace_id and s.webhook_id = w.id
    cross join lateral (
      select min(d.sequence) as sequence from webhook_deliveries d
      where d.workspace_id = ${workspaceId} and d.webhook_id = w.id and d.status in ('pending', 'failed')
        and d.sequence > 0
    ) open
    where w.workspace_id = ${workspaceId} and s.workspace_id = ${workspaceId} and w.enabled and w.deleted_at is null`)
  return row!.sequence
}
