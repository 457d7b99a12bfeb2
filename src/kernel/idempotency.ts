import { createHash, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { stringify } from 'safe-stable-stringify'
import sql from 'sql-template-tag'
import type { Context, Db } from './context.js'
import { KithError } from './errors.js'
import type { Answer, Operation, Request } from './operation.js'

interface Stored {
  [column: string]: unknown
  fingerprint: string
  status: number
  headers: Record<string, string>
  body: string
}

const ownerOf = (ctx: Context) =>
  ctx.userId === null ? `${ctx.actor.type}:${ctx.actor.id}` : `user:${ctx.userId}`

const derive = promisify<string, string, number, object, Buffer>(scrypt)
const cost = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 }

// A plain hash of a password could be guessed at leisure, so passwords count by a slow one, salted by the key's place.
async function fingerprintOf(operation: Operation, request: Request, place: string): Promise<string> {
  const secrets: unknown[] = []
  const text = stringify(request, (name, value: unknown) => {
    if (!/password/i.test(name)) return value
    secrets.push(value)
    return null
  })
  const hidden =
    secrets.length === 0 ? '' : (await derive(JSON.stringify(secrets), place, 32, cost)).toString('hex')
  return createHash('sha256').update(`${operation.name}\n${text}${hidden}`).digest('hex')
}

async function lock(ctx: Context, place: string): Promise<void> {
  const [row] = await ctx.db.query<{ granted: boolean }>(
    sql`select pg_try_advisory_xact_lock(hashtextextended(${place}, 0)) as granted`
  )
  if (row!.granted) return
  throw new KithError('idempotency_in_progress', undefined, { headers: { 'retry-after': '1' } })
}

/**
 * Runs a write under its Idempotency-Key, inside the caller's transaction: the first time its answer is stored with
 * the write, later it is repeated. A failed write stores nothing, so that its key stays free. The lock and the look
 * are two statements, because one statement would look at a snapshot from before the lock.
 */
export async function idempotent(
  ctx: Context,
  operation: Operation,
  key: string,
  request: Request,
  run: (ctx: Context) => Promise<Answer>
): Promise<{ answer: Answer; replayed: boolean }> {
  const owner = ownerOf(ctx)
  const place = `${ctx.workspaceId}\n${owner}\n${key}`
  const fingerprint = await fingerprintOf(operation, request, place)
  await lock(ctx, place)
  const [stored] = await ctx.db.query<Stored>(
    sql`select fingerprint, status, headers, body from idempotency_keys
        where workspace_id = ${ctx.workspaceId} and owner = ${owner} and key = ${key}
          and created_at > now() - interval '24 hours'`
  )
  if (stored) {
    if (stored.fingerprint !== fingerprint) throw new KithError('idempotency_mismatch')
    if (operation.secret) throw new KithError('secret_already_shown')
    return { answer: stored, replayed: true }
  }
  const answer = await run(ctx)
  const kept = operation.secret ? { ...answer, body: '' } : answer
  await ctx.db.query(
    sql`insert into idempotency_keys (workspace_id, owner, key, fingerprint, status, headers, body, created_at)
        values (${ctx.workspaceId}, ${owner}, ${key}, ${fingerprint}, ${kept.status},
          ${JSON.stringify(kept.headers)}::json, ${kept.body}, now())
        on conflict (workspace_id, owner, key) do update set fingerprint = excluded.fingerprint,
          status = excluded.status, headers = excluded.headers, body = excluded.body, created_at = now()`
  )
  return { answer, replayed: false }
}

/** Forgets answers older than a day, over all workspaces; a keeper's job, not a request's. */
export async function forgetOldAnswers(db: Db): Promise<void> {
  await db.query(sql`delete from idempotency_keys where created_at < now() - interval '24 hours'`)
}
