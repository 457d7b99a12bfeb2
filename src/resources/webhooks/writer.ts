import sql from 'sql-template-tag'
import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { fieldError, KithError } from '../../kernel/errors.js'
import { changeRecords, createRecords, type ChangeRow, type NewRow } from '../../kernel/write.js'
import { checkProposals, standardWriter, type Proposal, type Writer } from '../../kernel/writer.js'
import { checkTypes, filterSql, type EventFilter } from './matching.js'
import { webhooks } from './resource.js'

/** What is wrong with an address before anybody asks the network about it, as a sentence; undefined where nothing is. */
export type CheckUrl = (url: string) => string | undefined

interface Known {
  [column: string]: unknown
  id: string
  types: string[]
  filter: EventFilter | null
  scopes: string[]
  enabled: boolean
  version: number
}

async function known(ctx: Context, ids: readonly string[]): Promise<Map<string, Known>> {
  if (ids.length === 0) return new Map()
  const rows = await ctx.db.query<Known>(sql`
    select id, types, filter, scopes, enabled, version from webhooks
    where workspace_id = ${ctx.workspaceId} and id = any(${ids}::uuid[])`)
  return new Map(rows.map(r => [r.id, r]))
}

/** Refuses whose row scope is limited: an endpoint gets, and its log tells, what happens to the records of all. */
export function refuseLimited({ rowScope }: Pick<Context, 'rowScope'>): void {
  if (rowScope !== 'all') {
    throw new KithError('forbidden', 'Only a credential that sees all records has to do with webhooks.')
  }
}

// It gets what its credential may read, so only who may do as much may change where it goes.
function refuseLesser(ctx: Context, scopes: readonly string[]): void {
  refuseLimited(ctx)
  for (const scope of scopes) authorize(ctx, scope)
}

/**
 * Refuses a credential that may do less than the one that made the endpoint, and a stale version; an unknown endpoint
 * is left to others.
 */
export async function guard(ctx: Context, id: string, expectedVersion: number | undefined): Promise<void> {
  const endpoint = (await known(ctx, [id])).get(id.toLowerCase())
  refuseLesser(ctx, endpoint?.scopes ?? [])
  if (!endpoint || expectedVersion === undefined || endpoint.version === expectedVersion) return
  throw new KithError('version_mismatch', `The webhook is at version ${endpoint.version}.`, {
    extra: { currentVersion: endpoint.version }
  })
}

function wrong(ctx: Context, row: Proposal, before: Known | undefined, checkUrl: CheckUrl): void {
  refuseLesser(ctx, before?.scopes ?? [])
  const { url, types, filter } = row.values as { url?: string; types?: string[]; filter?: EventFilter | null }
  const problem = url === undefined ? undefined : checkUrl(url)
  if (problem !== undefined) throw fieldError('invalid_input', '/url', problem, 'forbidden_address')
  if (types !== undefined) checkTypes(ctx, types)
  if (types === undefined && filter === undefined) return
  filterSql(ctx, types ?? before?.types ?? ['*'], filter === undefined ? (before?.filter ?? null) : filter)
}

function checked(checkUrl: CheckUrl) {
  return async (ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> => {
    const problems = await checkProposals(ctx, webhooks, rows)
    const before = await known(
      ctx,
      rows.filter(r => !r.created).map(r => r.id)
    )
    for (const row of rows) {
      try {
        wrong(ctx, row, before.get(row.id), checkUrl)
      } catch (error) {
        if (!(error instanceof KithError)) throw error
        problems.set(row.id, error)
      }
    }
    return problems
  }
}

const mostWebhooks = 100

// Whoever makes or restores one waits for the others, so that no two take the last place.
async function makeRoom(ctx: Context, more: number): Promise<void> {
  if (more === 0) return
  await ctx.db.query(
    sql`select pg_advisory_xact_lock(hashtextextended(${`webhooks\n${ctx.workspaceId}`}, 0))`
  )
  const [row] = await ctx.db.query<{ n: number }>(sql`
    select count(*)::int as n from webhooks where workspace_id = ${ctx.workspaceId} and deleted_at is null`)
  if (row!.n + more <= mostWebhooks) return
  throw fieldError('unprocessable', '', `A workspace has at most ${mostWebhooks} webhooks.`, 'too_many')
}

// An endpoint's place in the feed is its end.
async function create(ctx: Context, rows: readonly NewRow[]) {
  await makeRoom(ctx, rows.length)
  const made = await createRecords(
    ctx,
    webhooks,
    rows.map(row => ({
      ...row,
      values: { ...row.values, status: row.values.enabled === false ? 'disabled' : 'active' }
    }))
  )
  await ctx.db.query(sql`
    insert into webhook_states (workspace_id, webhook_id, cursor)
    select ${ctx.workspaceId}, i.id, coalesce((
      select h.sequence from event_heads h where h.workspace_id = ${ctx.workspaceId}), 0)
    from unnest(${[...made.keys()]}::uuid[]) as i(id)`)
  return made
}

/** What makes an endpoint start afresh: nothing counts against it. */
export const fresh = {
  status: 'active',
  statusReason: null,
  parkedAt: null,
  consecutiveFailures: 0,
  lastError: null
}

/** Has the worker try at once what waits after failures. */
export async function tryAtOnce(ctx: Context, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await ctx.db.query(sql`
    with state as (
      update webhook_states set hold_until = null, holds = 0, failing_since = null, width = 1, due_at = now()
      where workspace_id = ${ctx.workspaceId} and webhook_id = any(${ids}::uuid[])
    )
    update webhook_deliveries set next_attempt_at = null, failures = 0, failing_since = null
    where workspace_id = ${ctx.workspaceId} and webhook_id = any(${ids}::uuid[]) and status = 'pending'
      and next_attempt_at is not null`)
}

// Enabling starts afresh; disabling keeps the place.
async function change(ctx: Context, rows: readonly ChangeRow[]) {
  await makeRoom(ctx, rows.filter(r => r.patch.deletedAt === null).length)
  const switched = rows.filter(r => typeof r.patch.enabled === 'boolean')
  const before = await known(
    ctx,
    switched.map(r => r.id)
  )
  const turned = new Map(
    switched.filter(r => before.get(r.id)?.enabled !== r.patch.enabled).map(r => [r.id, r.patch.enabled])
  )
  const changes = await changeRecords(
    ctx,
    webhooks,
    rows.map(row => {
      const to = turned.get(row.id)
      if (to === undefined) return row
      return { ...row, patch: { ...row.patch, ...(to === true ? fresh : { status: 'disabled' }) } }
    })
  )
  await tryAtOnce(
    ctx,
    [...turned].filter(([, to]) => to === true).map(([id]) => id)
  )
  return changes
}

/** How endpoints are written. */
export const webhookWriter = (checkUrl: CheckUrl): Writer => ({
  ...standardWriter(webhooks),
  atomic: true,
  check: checked(checkUrl),
  create,
  change
})
