import sql from 'sql-template-tag'
import type { Context, Database, Db } from '../../kernel/context.js'
import { createRecords, newId } from '../../kernel/write.js'
import { createKey } from './api-keys.js'
import { systemPrincipal } from './principals.js'
import { workspaces } from './resource.js'

/** A context for work that no request asked for. */
export const systemContext = (db: Db, workspaceId: string): Context => ({
  ...systemPrincipal(workspaceId),
  requestId: `system-${newId()}`,
  idempotencyKey: null,
  db
})

/** What the command line was asked cannot be done; the message says why. */
export class WorkspaceError extends Error {}

/** Refuses a name that a workspace has already, since commands find workspaces by name. */
export async function refuseTakenName(db: Db, name: string): Promise<void> {
  const rows = await db.query<{ id: string }>(
    sql`select id from workspaces where name = ${name} and deleted_at is null`
  )
  if (rows.length > 0) throw new WorkspaceError(`The workspace ${rows[0]!.id} is called ${name} already.`)
}

/** Makes a workspace and answers its id. */
export async function createWorkspace(db: Database, name: string): Promise<string> {
  const id = newId()
  await createRecords(systemContext(db, id), workspaces, [{ id, values: { name } }])
  return id
}

/** Makes the workspace `demo` where there is none at all. */
export async function ensureDemoWorkspace(db: Database): Promise<boolean> {
  return db.transaction(async tx => {
    await tx.query(sql`select pg_advisory_xact_lock(hashtextextended('kith demo workspace', 0))`)
    const rows = await tx.query(sql`select 1 from workspaces limit 1`)
    if (rows.length > 0) return false
    const id = newId()
    await createRecords(systemContext(tx, id), workspaces, [{ id, values: { name: 'demo' } }])
    return true
  })
}

/** The workspace of that id or name; throws where there is none, or several of the name. */
export async function findWorkspace(db: Db, idOrName: string): Promise<string> {
  const rows = await db.query<{ id: string }>(
    sql`select id from workspaces
        where (id::text = lower(${idOrName}) or name = ${idOrName}) and deleted_at is null limit 2`
  )
  if (rows.length === 0) throw new WorkspaceError(`There is no workspace ${idOrName}.`)
  if (rows.length > 1)
    throw new WorkspaceError(
      `Several workspaces are called ${idOrName}: give the id, one of ${rows.map(r => r.id).join(', ')}.`
    )
  return rows[0]!.id
}

/** Makes an API key and answers it; without scopes it may do everything in its workspace. */
export async function createWorkspaceKey(
  db: Db,
  workspaceId: string,
  name: string,
  scopes: string[]
): Promise<string> {
  const { key } = await createKey(systemContext(db, workspaceId), { name, scopes })
  return key
}
