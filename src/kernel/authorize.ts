import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context, Principal } from './context.js'
import { KithError } from './errors.js'
import type { Resource } from './resource.js'

export type Permission = string

/** Whether the credential may do this; `admin` may do everything in its workspace. */
export function may(ctx: Pick<Context, 'scopes'>, permission: Permission): boolean {
  return permission === 'authenticated' || ctx.scopes.has('admin') || ctx.scopes.has(permission)
}

/** Whether two credentials are of one caller who may do the same. */
function sameRights(a: Principal, b: Principal): boolean {
  return (
    a.workspaceId === b.workspaceId &&
    a.actor.id === b.actor.id &&
    a.rowScope === b.rowScope &&
    String(a.owners) === String(b.owners) &&
    a.scopes.size === b.scopes.size &&
    [...a.scopes].every(scope => b.scopes.has(scope))
  )
}

/** Whether the caller, asked again, is still there and may do the same; a stream ends where that is not so. */
export async function stillMay(ctx: Context): Promise<boolean> {
  try {
    return !ctx.renew || sameRights(ctx, await ctx.renew())
  } catch {
    return false
  }
}

/** Throws a 403 that names the missing scope. */
export function authorize(ctx: Pick<Context, 'scopes'>, permission: Permission): void {
  if (may(ctx, permission)) return
  throw new KithError('forbidden', `The scope ${permission} is needed.`, { extra: { scope: permission } })
}

/** Whether row scopes apply to a resource: the owner decides, and nothing else does. */
export const isOwned = (resource: Resource) => resource.fields.has('ownerId')

/**
 * The records of a resource that this caller may see, as a condition that every statement carries for every table of
 * records it touches: those of the workspace and, where a row scope limits the caller, of the owners in it. A record
 * without an owner is visible only to callers who see all; a resource without owners to everyone with its scope.
 */
export function visible(ctx: Context, resource: Resource, alias: string): Sql {
  const workspace = sql`${raw(alias)}.workspace_id = ${ctx.workspaceId}`
  const { owners } = ctx
  if (owners === null || !isOwned(resource)) return workspace
  // Of a single owner a list comes sorted out of the owner's index; of a list of one it would not.
  const inScope = owners.length === 1 ? sql`= ${owners[0]}::uuid` : sql`= any(${owners}::uuid[])`
  return sql`${workspace} and ${raw(alias)}.owner_id ${inScope}`
}
