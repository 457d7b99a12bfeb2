import sql from 'sql-template-tag'
import type { Db, Principal, RowScope } from '../../kernel/context.js'
import { parseKey } from './keys.js'
import { grantOf, type Grant } from './roles.js'

/** What a credential's user brings to it. */
interface Holder {
  [column: string]: unknown
  userId: string
  role: string
  teamId: string | null
  /** Of a role of the workspace; null where the role is built in, or gone. */
  roleScopes: string[] | null
  rowScope: RowScope | null
}

type KeyRow = { id: string; scopes: string[]; expiresAt: string | null } & (Holder | { userId: null })

const holderColumns = sql`u.id as "userId", u.role, u.team_id as "teamId", r.scopes as "roleScopes",
  r.row_scope as "rowScope"`
const joinRole = sql`left join roles r on r.workspace_id = u.workspace_id and r.key = u.role and r.deleted_at is null`

// Everybody in one's team, in those that one manages and in all below them. A leaver's records stay with the team, so
// users count who are inactive or in the bin; a team in the bin is none.
async function teamMates(db: Db, workspaceId: string, { userId, teamId }: Holder): Promise<string[]> {
  const rows = await db.query<{ id: string }>(sql`
    with recursive tree as (
      select t.id from teams t
      where t.workspace_id = ${workspaceId} and t.deleted_at is null
        and (t.id = ${teamId}::uuid or t.manager_id = ${userId}::uuid)
      union
      select t.id from tree p join teams t on t.parent_id = p.id
      where t.workspace_id = ${workspaceId} and t.deleted_at is null
    )
    select u.id from users u where u.workspace_id = ${workspaceId} and u.team_id in (select id from tree)`)
  return rows.map(r => r.id)
}

/** All that follows from the user behind a credential. */
type Standing = Pick<Principal, 'userId' | 'scopes' | 'rowScope' | 'owners'>

async function standingOf(db: Db, workspaceId: string, holder: Holder): Promise<Standing> {
  const { userId, role, roleScopes } = holder
  const own: Grant | null = roleScopes && { scopes: roleScopes, rowScope: holder.rowScope! }
  const { scopes, rowScope } = grantOf(role, own)
  const mates = rowScope === 'team' ? await teamMates(db, workspaceId, holder) : []
  const owners = rowScope === 'all' ? null : [...new Set([userId, ...mates])]
  return { userId, scopes: new Set(scopes), rowScope, owners }
}

const unbound = (scopes: readonly string[]): Standing => ({
  userId: null,
  scopes: new Set(scopes),
  rowScope: 'all',
  owners: null
})

// A key can do no more than its user, and sees what the user sees.
function withKey({ scopes: ofUser, ...standing }: Standing, ofKey: readonly string[]): Standing {
  if (ofUser.has('admin')) return { ...standing, scopes: new Set(ofKey) }
  return { ...standing, scopes: ofKey.includes('admin') ? ofUser : new Set(ofKey.filter(s => ofUser.has(s))) }
}

/**
 * Whom an API key stands for and until when, or undefined where it is unknown, revoked or expired. A key bound to a
 * user can do and see no more than the user, and nothing once the user is gone.
 */
export async function principalOfKey(
  db: Db,
  key: string
): Promise<{ principal: Principal; expires: number } | undefined> {
  const parsed = parseKey(key)
  if (!parsed) return undefined
  const { workspaceId, hash } = parsed
  const [row] = await db.query<KeyRow>(sql`
    select k.id, k.scopes, ${holderColumns},
      least(k.expires_at, case when k.secret_hash <> ${hash} then k.previous_expires_at end) as "expiresAt"
    from api_keys k
    left join users u on u.workspace_id = k.workspace_id and u.id = k.user_id and u.deleted_at is null and u.active
    ${joinRole}
    where k.workspace_id = ${workspaceId} and k.deleted_at is null and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > now())
      and (k.secret_hash = ${hash} or (k.previous_hash = ${hash} and k.previous_expires_at > now()))
      and (k.user_id is null or u.id is not null)`)
  if (!row) return undefined
  await db.query(sql`
    update api_keys set last_used_at = date_trunc('milliseconds', clock_timestamp())
    where workspace_id = ${workspaceId} and id = ${row.id}
      and (last_used_at is null or last_used_at < now() - interval '1 minute')`)
  const standing =
    row.userId === null ? unbound(row.scopes) : withKey(await standingOf(db, workspaceId, row), row.scopes)
  return {
    principal: { workspaceId, actor: { type: 'key', id: row.id }, ...standing },
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
  const [holder] = await db.query<Holder>(sql`
    select ${holderColumns} from users u ${joinRole}
    where u.workspace_id = ${workspaceId} and ${match} and u.deleted_at is null and u.active`)
  if (!holder) return undefined
  const standing = await standingOf(db, workspaceId, holder)
  return { workspaceId, actor: { type: 'user', id: holder.userId }, ...standing }
}

/** Kith itself at work in a workspace: jobs and the command line act as this, never by default. */
export const systemPrincipal = (workspaceId: string): Principal => ({
  workspaceId,
  actor: { type: 'system', id: null },
  ...unbound(['admin'])
})
