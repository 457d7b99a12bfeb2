import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from './context.js'
import { KithError } from './errors.js'

export type Permission = string

/** Whether the credential may do this; `admin` may do everything in its workspace. */
export function may(ctx: Pick<Context, 'scopes'>, permission: Permission): boolean {
  return permission === 'authenticated' || ctx.scopes.has('admin') || ctx.scopes.has(permission)
}

/** Whether two credentials are of one caller who may do the same. */
export function sameRights(a: Context, b: Context): boolean {
  return (
    a.workspaceId === b.workspaceId &&
    a.actor.id === b.actor.id &&
    a.rowScope === b.rowScope &&
    a.scopes.size === b.scopes.size &&
    [...a.scopes].every(scope => b.scopes.has(scope))
  )
}

/** Throws a 403 that names the missing scope. */
export function authorize(ctx: Pick<Context, 'scopes'>, permission: Permission): void {
  if (may(ctx, permission)) return
  throw new KithError('forbidden', `The scope ${permission} is needed.`, { extra: { scope: permission } })
}

/**
 * The rows of a table that this caller may see, as a condition that every statement carries for every table it
 * touches. All credentials see their whole workspace until row scopes come; they are added here and nowhere else.
 */
export function visible(ctx: Context, alias: string): Sql {
  return sql`${raw(alias)}.workspace_id = ${ctx.workspaceId}`
}
