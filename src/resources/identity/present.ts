import sql from 'sql-template-tag'
import { may } from '../../kernel/authorize.js'
import type { Context, Db, Principal } from '../../kernel/context.js'
import { principalOfUser, systemPrincipal } from './principals.js'

/**
 * What a user or key that was seen before may do by now, or undefined where it is gone: deleted, inactive, revoked or
 * expired.
 */
export async function presentPrincipal(
  db: Db,
  workspaceId: string,
  { type, id }: Context['actor']
): Promise<Principal | undefined> {
  if (id === null) return systemPrincipal(workspaceId)
  if (type === 'user') return principalOfUser(db, workspaceId, id, 'id')
  const [key] = await db.query<{ scopes: string[]; userId: string | null }>(sql`
    select scopes, user_id as "userId" from api_keys
    where workspace_id = ${workspaceId} and id = ${id} and deleted_at is null and revoked_at is null
      and (expires_at is null or expires_at > now())`)
  if (!key) return undefined
  const actor = { type, id }
  if (key.userId === null) return { ...systemPrincipal(workspaceId), actor, scopes: new Set(key.scopes) }
  const user = await principalOfUser(db, workspaceId, key.userId, 'id')
  if (!user) return undefined
  const both = key.scopes.filter(scope => may(user, scope))
  return { ...user, actor, scopes: key.scopes.includes('admin') ? user.scopes : new Set(both) }
}
