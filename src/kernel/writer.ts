import sql, { join, raw } from 'sql-template-tag'
import { visible } from './authorize.js'
import type { Context } from './context.js'
import { fieldError, KithError, notFound } from './errors.js'
import { pointed } from './links.js'
import type { RecordRow } from './read.js'
import type { Resource } from './resource.js'
import { changeRecords, createRecords, newId, type Change, type ChangeRow, type NewRow } from './write.js'

/** What is about to be written of a record, before it is; `created` tells a new record from a changed one. */
export interface Proposal {
  id: string
  values: Record<string, unknown>
  created: boolean
  /** The external id it is upserted by: claimed by the write itself, so nobody's having it speaks against it. */
  claim?: NewRow['claim']
  /** What the check found out and the write needs. */
  prepared?: unknown
}

/**
 * How records of a resource are written, one or a thousand at a time: single calls, upserts and batches all pass
 * here. A resource with rules of its own replaces parts of it.
 */
export interface Writer {
  /** What speaks against a proposal, by id, found set by set before anything is written. */
  check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>>
  create(ctx: Context, rows: readonly NewRow[]): Promise<Map<string, RecordRow>>
  change(ctx: Context, rows: readonly ChangeRow[]): Promise<Map<string, Change>>
  /** Whether it needs a transaction around it. */
  atomic: boolean
}

const text = (value: unknown) => (typeof value === 'string' ? value.toLowerCase() : undefined)

async function knownIds(
  ctx: Context,
  wanted: Map<Resource, Set<string>>
): Promise<Map<Resource, Set<string>>> {
  const targets = [...wanted]
  const probes = targets.map(
    ([target, ids], i) =>
      sql`select ${i}::int as i, t.id from ${raw(`"${target.table}" t`)}
          where ${visible(ctx, target, 't')} and t.id = any(${[...ids]}::uuid[]) and t.deleted_at is null`
  )
  const rows = await ctx.db.query<{ i: number; id: string }>(join(probes, ' union all '))
  const known = new Map(targets.map(([target]) => [target, new Set<string>()]))
  for (const row of rows) known.get(targets[row.i]![0])!.add(row.id)
  return known
}

/** Finds references that are unknown, foreign or invisible: alike for all three, in one statement. */
export async function checkReferences(
  ctx: Context,
  resource: Resource,
  rows: readonly Proposal[]
): Promise<Map<string, KithError>> {
  const wanted = new Map<Resource, Set<string>>()
  const used = rows.flatMap(row =>
    pointed(resource, row.values).flatMap(({ pointer, target, id: given }) => {
      const id = text(given)
      if (id === undefined) return []
      const ids = wanted.get(target) ?? new Set<string>()
      wanted.set(target, ids.add(id))
      return [{ row, pointer, target, id }]
    })
  )
  const problems = new Map<string, KithError>()
  if (used.length === 0) return problems
  const known = await knownIds(ctx, wanted)
  for (const { row, pointer, target, id } of used) {
    if (target === resource && id === row.id.toLowerCase()) {
      const message = `A ${resource.name} cannot point to itself.`
      problems.set(row.id, fieldError('unprocessable', pointer, message, 'self_reference'))
    }
    if (known.get(target)!.has(id) || problems.has(row.id)) continue
    problems.set(
      row.id,
      fieldError(
        'unknown_reference',
        pointer,
        `${pointer.slice(1)} does not point to a ${target.name} we know.`
      )
    )
  }
  return problems
}

interface Given {
  row: string
  source: string
  id: string
  claimed: boolean
}

/** Finds external ids that belong to another record, naming it where the caller may see it. */
export async function checkExternalIds(
  ctx: Context,
  resource: Resource,
  rows: readonly Proposal[]
): Promise<Map<string, KithError>> {
  const problems = new Map<string, KithError>()
  const given: Given[] = rows.flatMap(row => {
    const ids = (row.values.externalIds ?? []) as { source: string; id: string }[]
    if (new Set(ids.map(e => e.source)).size < ids.length) {
      problems.set(row.id, fieldError('invalid_input', '/externalIds', 'Give one external id per source.'))
    }
    return ids.map(({ source, id }) => {
      const claimed = row.claim?.source === source && row.claim.id === id
      return { row: row.id, source, id, claimed }
    })
  })
  const foreign = given.filter(g => !g.claimed)
  const known = foreign.length === 0 ? [] : await findExternal(ctx, resource, foreign)
  const owners = new Map(known.map(r => [`${r.source}\n${r.externalId}`, r]))
  for (const { row, source, id } of given) {
    const key = `${source}\n${id}`
    const owner = owners.get(key)
    if (owner === undefined) owners.set(key, { source, externalId: id, recordId: row, seen: true })
    else if (owner.recordId !== row) problems.set(row, externalIdTaken(resource, owner))
  }
  return problems
}

function externalIdTaken(
  resource: Resource,
  { source, externalId: id, recordId, seen }: ExternalOwner
): KithError {
  const message = `The external id ${id} of ${source} belongs to another ${resource.name}.`
  return new KithError('conflict', message, {
    errors: [{ in: 'body', pointer: '/externalIds', code: 'conflict', message }],
    ...(seen && { extra: { conflictsWith: { resource: resource.name, id: recordId } } })
  })
}

/** Whose an external id is. A record that the caller does not see must not be named. */
export interface ExternalOwner {
  [column: string]: unknown
  source: string
  externalId: string
  recordId: string
  seen: boolean
}

/** Which records have these external ids, those out of sight among them: an external id is given once a workspace. */
export async function findExternal(
  ctx: Context,
  resource: Resource,
  ids: readonly { source: string; id: string }[]
): Promise<ExternalOwner[]> {
  return ctx.db.query(sql`
    select x.source, x.external_id as "externalId", x.record_id as "recordId", exists (
      select from ${raw(`"${resource.table}" t`)} where ${visible(ctx, resource, 't')} and t.id = x.record_id) as seen
    from unnest(${ids.map(i => i.source)}::text[], ${ids.map(i => i.id)}::text[]) as g(source, external_id)
    join external_ids x on x.source = g.source and x.external_id = g.external_id
    where x.workspace_id = ${ctx.workspaceId} and x.resource = ${resource.name}`)
}

/** Both standard checks; the first problem of a row counts. */
export async function checkProposals(
  ctx: Context,
  resource: Resource,
  rows: readonly Proposal[]
): Promise<Map<string, KithError>> {
  const unknown = await checkReferences(ctx, resource, rows)
  const taken = await checkExternalIds(ctx, resource, rows)
  return new Map([...taken, ...unknown])
}

/** The writer of a resource without rules of its own. */
export function standardWriter(resource: Resource): Writer {
  return {
    atomic: false,
    check: (ctx, rows) => checkProposals(ctx, resource, rows),
    create: (ctx, rows) => createRecords(ctx, resource, rows),
    change: (ctx, rows) => changeRecords(ctx, resource, rows)
  }
}

const writers = new Map<Resource, Writer>()

/** Makes known how a resource is written, to operations that write records of any kind. */
export const registerWriter = (resource: Resource, writer: Writer) => void writers.set(resource, writer)

/** How records of a resource are written; one without standard operations is a fault of the program here. */
export function writerOf(resource: Resource): Writer {
  const found = writers.get(resource)
  if (!found) throw new Error(`Nothing writes ${resource.plural}`)
  return found
}

/** The values of a create, with the caller as owner where none is named. */
export function withOwner(
  ctx: Context,
  resource: Resource,
  values: Record<string, unknown>
): Record<string, unknown> {
  if (!resource.fields.has('ownerId') || values.ownerId !== undefined || ctx.userId === null) return values
  return { ...values, ownerId: ctx.userId }
}

async function seenIds(ctx: Context, resource: Resource, ids: readonly string[]): Promise<Set<string>> {
  const rows = await ctx.db.query<{ id: string }>(
    sql`select t.id from ${raw(`"${resource.table}" t`)}
        where ${visible(ctx, resource, 't')} and t.id = any(${ids}::uuid[])`
  )
  return new Set(rows.map(r => r.id))
}

/**
 * What speaks against the rows. A change of a record that the caller does not see is a 404 whatever else is wrong with
 * it: a check that knows more of a record than the caller may must not show in the answer.
 */
export async function checkRows(
  ctx: Context,
  resource: Resource,
  writer: Writer,
  rows: readonly Proposal[]
): Promise<Map<string, KithError>> {
  const problems = await writer.check(ctx, rows)
  const changed = rows.filter(r => !r.created && problems.has(r.id)).map(r => r.id)
  if (changed.length === 0) return problems
  const seen = await seenIds(ctx, resource, changed)
  for (const id of changed) if (!seen.has(id)) problems.set(id, notFound(resource.name))
  return problems
}

async function checkedOne(ctx: Context, resource: Resource, writer: Writer, row: Proposal): Promise<unknown> {
  const problem = (await checkRows(ctx, resource, writer, [row])).get(row.id)
  if (problem) throw problem
  return row.prepared
}

/** Makes one record. */
export async function createOne(
  ctx: Context,
  resource: Resource,
  writer: Writer,
  given: Record<string, unknown>,
  claim?: NewRow['claim']
): Promise<RecordRow | undefined> {
  const values = withOwner(ctx, resource, given)
  const id = newId()
  const prepared = await checkedOne(ctx, resource, writer, { id, values, created: true, claim })
  return (await writer.create(ctx, [{ id, values, claim, prepared }])).get(id)
}

/** The changed record, or the error that its outcome stands for. */
export function settled(resource: Resource, change: Change | undefined): Change {
  if (!change) throw notFound(resource.name)
  if (change.error) throw change.error
  if (change.outcome === 'stale') {
    throw new KithError('version_mismatch', `The ${resource.name} is at version ${change.record.version}.`, {
      extra: { currentVersion: change.record.version }
    })
  }
  return change
}

/** Changes one record; 404 where there is none to change, 412 where its version is another. */
export async function changeOne(
  ctx: Context,
  resource: Resource,
  writer: Writer,
  row: ChangeRow
): Promise<Change> {
  const id = row.id.toLowerCase()
  await checkedOne(ctx, resource, writer, { id, values: row.patch, created: false })
  return settled(resource, (await writer.change(ctx, [{ ...row, id }])).get(id))
}
