import sql from 'sql-template-tag'
import type { Db } from '../../kernel/context.js'

const portion = 1000

/** Deletes the log of what was delivered or skipped so many days ago, a portion at a time. */
export async function forgetOldDeliveries(db: Db, days: number): Promise<void> {
  for (;;) {
    const [row] = await db.query<{ n: number }>(sql`
      with old as materialized (
        select d.workspace_id, d.webhook_id, d.event_id from webhook_deliveries d
        where d.created_at < now() - ${days} * interval '1 day' and d.status in ('delivered', 'skipped')
        limit ${portion}
      ), attempts as (
        delete from webhook_attempts a using old
        where a.workspace_id = old.workspace_id and a.webhook_id = old.webhook_id and a.event_id = old.event_id
      ), gone as (
        delete from webhook_deliveries d using old
        where d.workspace_id = old.workspace_id and d.webhook_id = old.webhook_id and d.event_id = old.event_id
        returning 1
      )
      select count(*)::int as n from gone`)
    if (row!.n < portion) return
  }
}
