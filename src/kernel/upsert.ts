import type { Context } from './context.js'
import { KithError } from './errors.js'
import { findRecord, type RecordRow } from './read.js'
import type { Resource } from './resource.js'
import { compile, refuse } from './validate.js'
import { memo } from './write-columns.js'
import { changeOne, createOne, findExternal, type Writer } from './writer.js'

interface Target {
  source: string
  externalId: string
}

const creation = memo((resource: Resource) => compile(resource.createBody, 'body'))

/** The body of an upsert as the body of a create: a null that clears custom fields is an absent one. */
export function creationValues(body: Record<string, unknown>): Record<string, unknown> {
  if (body.customFields !== null) return body
  const { customFields: _none, ...others } = body
  return others
}

/** The external ids of a new record: its own and the one it is upserted by. */
export function withExternalId(values: Record<string, unknown>, target: Target): Record<string, unknown> {
  const given = (values.externalIds ?? []) as { source: string; id: string }[]
  const others = given.filter(e => e.source !== target.source)
  return { ...values, externalIds: [...others, { source: target.source, id: target.externalId }] }
}

/**
 * The patch of a found record: what only a creation takes (the first stage of a deal, a password) is of no account,
 * and a list of external ids must keep the one it was found by.
 */
export function upsertPatch(
  resource: Resource,
  body: Record<string, unknown>,
  target: Target
): Record<string, unknown> {
  const patch = Object.fromEntries(
    Object.entries(body).filter(([name]) => Object.hasOwn(resource.updateBody.properties, name))
  )
  return patch.externalIds === undefined ? patch : withExternalId(patch, target)
}

/** A 409 for a record in the bin that an upsert did not ask to restore. */
export function inBin(resource: Resource, id: string): KithError {
  return new KithError(
    'in_bin',
    `The ${resource.name} is in the bin; ask for restore=true to bring it back.`,
    {
      extra: { conflictsWith: { resource: resource.name, id } }
    }
  )
}

const attempts = 3

// Whoever claims the id first also takes what must be unique, such as an e-mail: then the record is there to be
// changed. After an error of the database a transaction is over and cannot look.
function mayBeLostRace(ctx: Context, error: unknown): boolean {
  const over = error instanceof KithError && error.cause !== undefined && 'savepoint' in ctx.db
  return error instanceof KithError && error.code === 'conflict' && !over
}

/**
 * Writes the record that a partner's id stands for, making it if there is none. Race-free: the external id is
 * claimed in the statement that makes the record, and whoever comes second changes it.
 */
export async function upsertOne(
  ctx: Context,
  resource: Resource,
  writer: Writer,
  target: Target,
  body: Record<string, unknown>,
  options: { restore: boolean; expectedVersion?: number | undefined }
): Promise<{ record: RecordRow; created: boolean }> {
  const key = { source: target.source, id: target.externalId }
  for (let attempt = 0; attempt < attempts; attempt++) {
    const [found] = await findExternal(ctx, resource, [key])
    if (found?.seen) {
      return {
        record: await changeFound(ctx, resource, writer, found.recordId, target, body, options),
        created: false
      }
    }
    if (options.expectedVersion !== undefined) {
      throw new KithError('version_mismatch', `There is no ${resource.name} with this external id yet.`)
    }
    const values = creationValues(body)
    refuse(creation(resource)(values))
    // To who does not see the record there is none, but its external id is taken, as in any other create.
    const claim = found ? undefined : key
    const made = createOne(ctx, resource, writer, withExternalId(values, target), claim)
    const record = await made.catch((error: unknown) => {
      if (found || attempt === attempts - 1 || !mayBeLostRace(ctx, error)) throw error
      return undefined
    })
    if (record) return { record, created: true }
  }
  throw new KithError('contention')
}

async function changeFound(
  ctx: Context,
  resource: Resource,
  writer: Writer,
  id: string,
  target: Target,
  body: Record<string, unknown>,
  options: { restore: boolean; expectedVersion?: number | undefined }
): Promise<RecordRow> {
  const existing = await findRecord(ctx, resource, id, { fields: ['deletedAt'], deleted: true })
  if (existing && existing.deletedAt !== null && !options.restore) throw inBin(resource, id)
  const patch = upsertPatch(resource, body, target)
  const change = await changeOne(ctx, resource, writer, {
    id,
    patch: options.restore ? { ...patch, deletedAt: null } : patch,
    inBin: options.restore ? null : false,
    expectedVersion: options.expectedVersion
  })
  return change.record
}
