import sql from 'sql-template-tag'
import type { Context, Db } from '../../kernel/context.js'
import { parseKey } from './keys.js'
import { scopesOf, type Role } from './roles.js'

/** Who a credential stands for: all of a context but the request. */
export type Principal = Pick<Context, 'workspaceId' | 'actor' | 'userId' | 'scopes' | 'rowScope'>

interface KeyRow {
  [column: string]: unknown
  id: string
  scopes: string[]
  userId: string | null
  role: Role | null
  expiresAt: string | null
}

function keyScopes(row: KeyRow): Set<string> {
  if (row.role === null) return new Set(row.scopes)
  const ofUser = new Set(scopesOf(row.role))
  if (ofUser.has('admin')) return new Set(row.scopes)
  return row.scopes.includes('admin') ? ofUser : new Set(row.scopes.filter(s => ofUser.has(s)))
}

/**
 * Whom an API key stands for and until when, or undefined where it is unknown, revoked or expired. A key bound to a user can do no
 * more than the user, and nothing once the user is gone.
 */
export async function principalOfKey(
  db: Db,
  key: string
): Promise<{ principal: Principal; expires: number } | undefined> {
  const parsed = parseKey(key)
  if (!parsed) return undefined
  const { workspaceId, hash } = parsed
  const [row] = await db.query<KeyRow>(sql`
    select k.id, k.scopes, k.user_id as "userId", u.role,
      least(k.expires_at, case when k.secret_hash <> ${hash} then k.previous_expires_at end) as "expiresAt"
    from api_keys k
    left join users u on u.workspace_id = k.workspace_id and u.id = k.user_id and u.deleted_at is null and u.active
    where k.workspace_id = ${workspaceId} and k.deleted_at is null and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > now())
      and (k.secret_hash = ${hash} or (k.previous_hash = ${hash} and k.previous_expires_at > now()))
      and (k.user_id is null or u.id is not null)`)
  if (!row) return undefined
  await db.query(sql`
    update api_keys set last_used_at = date_trunc('milliseconds', clock_timestamp())
    where workspace_id = ${workspaceId} and id = ${row.id}
      and (last_used_at is null or last_used_at < now() - interval '1 minute')`)
  return {
    principal: {
      workspaceId,
      actor: { type: 'key', id: row.id },
      userId: row.userId,
      scopes: keyScopes(row),
      rowScope: 'all'
    },
    expires: row.expiresAt === null ? Infinity : Date.parse(row.expiresAt)
  }
}

/** Whom a verified token's claims stand for: our user id, or the subject of an identity provider. */
export async function principalOfUser(
  db: Db,
  workspaceId: string,
  subject: string,
  by: 'id' | 'externalSubject'
): Promise<Principal | undefined> {
  const match = by === 'id' ? sql`u.id = ${subject}::uuid` : sql`u.external_subject = ${subject}`
  const [row] = await db.query<{ id: string; role: Role }>(sql`
    select u.id, u.role from users u
    where u.workspace_id = ${workspaceId} and ${match} and u.deleted_at is null and u.active`)
  if (!row) return undefined
  return {
    workspaceId,
    actor: { type: 'user', id: row.id },
    userId: row.id,
    scopes: new Set(scopesOf(row.role)),
    rowScope: 'all'
  }
}

/** Kith itself at work in a workspace: jobs and the command line act as this, never by default. */
export const systemPrincipal = (workspaceId: string): Principal => ({
  workspaceId,
  actor: { type: 'system', id: null },
  userId: null,
  scopes: new Set(['admin']),
  rowScope: 'all'
})
