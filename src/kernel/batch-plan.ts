import type { TransactionContext } from './context.js'
import { KithError, type ErrorItem } from './errors.js'
import type { Resource } from './resource.js'
import { batchRow } from './standard-schemas.js'
import { creationValues, upsertPatch, withExternalId } from './upsert.js'
import { compile, refuse, type Validator } from './validate.js'
import { memo } from './write-columns.js'
import { newId, type ChangeRow, type NewRow } from './write.js'
import { findExternal, withOwner, type ExternalOwner } from './writer.js'

/** One operation of a batch as it comes in. */
export interface BatchOperation {
  op: 'create' | 'update' | 'upsert' | 'delete' | 'restore'
  id?: string
  source?: string
  externalId?: string
  restore?: boolean
  expectedVersion?: number
  body?: Record<string, unknown>
}

/** An operation made ready: the row to write and where it stood. */
export interface Work {
  index: number
  given: BatchOperation
  /** The record's id: known, found by external id, or new. */
  id: string
  create?: NewRow
  change?: ChangeRow
}

/** What went wrong, by place. */
export type Failures = Map<number, KithError>

const validators = memo((resource: Resource): Record<string, Validator> => {
  const create = compile(resource.createBody, 'body')
  const update = compile(resource.updateBody, 'body')
  const row = compile(batchRow(resource), 'body')
  return { create, update, row }
})

const needs: Record<BatchOperation['op'], readonly (keyof BatchOperation)[]> = {
  create: ['body'],
  update: ['id', 'body'],
  upsert: ['source', 'externalId', 'body'],
  delete: ['id'],
  restore: ['id']
}

function shapeProblems(resource: Resource, given: BatchOperation): ErrorItem[] {
  const ofRow = validators(resource).row!(given)
  if (ofRow.length > 0) return ofRow
  const missing = needs[given.op].filter(name => given[name] === undefined)
  if (missing.length > 0) {
    return missing.map(name => ({
      in: 'body',
      pointer: `/${name}`,
      code: 'required',
      message: `${given.op} needs ${name}.`
    }))
  }
  const { create, update } = validators(resource)
  const validate = given.op === 'create' ? create! : given.op === 'update' ? update! : undefined
  return inBody(validate?.(given.body) ?? [])
}

const inBody = (items: ErrorItem[]): ErrorItem[] =>
  items.map(item => ({ ...item, pointer: `/body${item.pointer}` }))

// Pointers of a row's error are relative to the whole request.
export function located(error: KithError, index: number, ofBody: boolean): KithError {
  const errors = error.errors?.map(item => ({
    ...item,
    pointer: `/operations/${index}${ofBody ? '/body' : ''}${item.pointer ?? ''}`
  }))
  return new KithError(error.code, error.message, {
    ...(errors && { errors }),
    extra: { ...error.extra, operation: index }
  })
}

/** Which records the upserts of a batch mean, by source and external id. */
export async function foundByExternal(
  ctx: TransactionContext,
  resource: Resource,
  operations: readonly BatchOperation[]
): Promise<Map<string, ExternalOwner>> {
  const keys = operations
    .filter(o => o?.op === 'upsert' && typeof o.source === 'string' && typeof o.externalId === 'string')
    .map(o => ({ source: o.source!, id: o.externalId! }))
  if (keys.length === 0) return new Map()
  const found = await findExternal(ctx, resource, keys)
  return new Map(found.map(f => [`${f.source}\n${f.externalId}`, f]))
}

const keyOf = (o: BatchOperation) => `${o.source}\n${o.externalId}`

function toWork(
  ctx: TransactionContext,
  resource: Resource,
  index: number,
  given: BatchOperation,
  known: Map<string, ExternalOwner>
): Work {
  const body = given.body ?? {}
  const expectedVersion = given.expectedVersion
  if (given.op === 'create') {
    const id = newId()
    return { index, given, id, create: { id, values: withOwner(ctx, resource, body) } }
  }
  if (given.op !== 'upsert') {
    const id = given.id!.toLowerCase()
    const deletion = { delete: { deletedAt: true }, restore: { deletedAt: null }, update: body }[given.op]
    return {
      index,
      given,
      id,
      change: { id, patch: deletion, expectedVersion, inBin: given.op === 'restore' }
    }
  }
  const target = { source: given.source!, externalId: given.externalId! }
  const found = known.get(keyOf(given))
  if (!found?.seen) {
    const problems = inBody(validators(resource).create!(creationValues(body)))
    refuse(problems)
    const values = withExternalId(withOwner(ctx, resource, creationValues(body)), target)
    const claim = found ? undefined : { source: target.source, id: target.externalId }
    const fresh = newId()
    return { index, given, id: fresh, create: { id: fresh, values, claim } }
  }
  const id = found.recordId
  const patch = upsertPatch(resource, body, target)
  const restore = given.restore ?? false
  return {
    index,
    given,
    id,
    change: {
      id,
      patch: restore ? { ...patch, deletedAt: null } : patch,
      inBin: restore ? null : false,
      expectedVersion
    }
  }
}

/** Checks the shape of every operation and turns it into work; what is wrong goes to the failures. */
export function plan(
  ctx: TransactionContext,
  resource: Resource,
  operations: readonly BatchOperation[],
  known: Map<string, ExternalOwner>,
  failures: Failures
): Work[] {
  const seen = new Set<string>()
  const work: Work[] = []
  operations.forEach((given, index) => {
    try {
      const problems = shapeProblems(resource, given)
      refuse(problems)
      const row = toWork(ctx, resource, index, given, known)
      const name = row.create && given.op === 'upsert' ? keyOf(given) : row.id
      if (seen.has(name)) throw new KithError('duplicate_in_batch')
      seen.add(name)
      work.push(row)
    } catch (error) {
      if (!(error instanceof KithError)) throw error
      failures.set(index, located(error, index, false))
    }
  })
  return work
}
