import sql from 'sql-template-tag'
import type { Db } from '../../kernel/context.js'

/**
 * Locks an endpoint until the transaction ends. Whoever changes which deliveries are given up does so first and counts
 * them afterwards: a count from before somebody else's commit would overwrite theirs.
 */
export async function lockEndpoint(db: Db, workspaceId: string, id: string): Promise<void> {
  await db.query(sql`
    select 1 from webhooks where workspace_id = ${workspaceId} and id = ${id} for no key update`)
}

/** How many deliveries of an endpoint are given up. */
export async function countGivenUp(db: Db, workspaceId: string, id: string): Promise<number> {
  const [row] = await db.query<{ n: number }>(sql`
    select count(*)::int as n from webhook_deliveries
    where workspace_id = ${workspaceId} and webhook_id = ${id} and status = 'failed'`)
  return row!.n
}
