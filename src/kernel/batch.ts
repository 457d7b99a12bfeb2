import type { Transaction, TransactionContext } from './context.js'
import { KithError, problem, type ErrorItem } from './errors.js'
import { findRecords, type RecordRow } from './read.js'
import type { Resource } from './resource.js'
import { creationValues, inBin, keepsExternalId, withExternalId } from './upsert.js'
import { batchRow } from './standard-schemas.js'
import { compile, type Validator } from './validate.js'
import { memo } from './write-columns.js'
import { newId, type ChangeRow, type NewRow } from './write.js'
import { findExternal, settled, withOwner, type Proposal, type Writer } from './writer.js'

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

export interface BatchRow {
  index: number
  status: 'created' | 'updated' | 'unchanged' | 'deleted' | 'failed'
  id: string | null
  version: number | null
  error: Record<string, unknown> | null
}

interface Work {
  index: number
  given: BatchOperation
  /** The record's id: known, found by external id, or new. */
  id: string
  create?: NewRow
  change?: ChangeRow
}

type Failures = Map<number, KithError>

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

const invalid = (items: ErrorItem[]) =>
  new KithError('invalid_input', items[0]!.message, { errors: items })

// Pointers of a row's error are relative to the whole request.
function located(error: KithError, index: number, ofBody: boolean): KithError {
  const errors = error.errors?.map(item => ({
    ...item,
    pointer: `/operations/${index}${ofBody ? '/body' : ''}${item.pointer ?? ''}`
  }))
  return new KithError(error.code, error.message, {
    ...(errors && { errors }),
    extra: { ...error.extra, operation: index }
  })
}

async function foundByExternal(
  ctx: TransactionContext,
  resource: Resource,
  operations: readonly BatchOperation[]
): Promise<Map<string, string>> {
  const keys = operations
    .filter(o => o?.op === 'upsert' && typeof o.source === 'string' && typeof o.externalId === 'string')
    .map(o => ({ source: o.source!, id: o.externalId! }))
  if (keys.length === 0) return new Map()
  const found = await findExternal(ctx, resource, keys)
  return new Map(found.map(f => [`${f.source}\n${f.externalId}`, f.recordId]))
}

const keyOf = (o: BatchOperation) => `${o.source}\n${o.externalId}`

function toWork(
  ctx: TransactionContext,
  resource: Resource,
  index: number,
  given: BatchOperation,
  known: Map<string, string>
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
    return { index, given, id, change: { id, patch: deletion, expectedVersion, inBin: given.op === 'restore' } }
  }
  const target = { source: given.source!, externalId: given.externalId! }
  const id = known.get(keyOf(given))
  if (id === undefined) {
    const problems = inBody(validators(resource).create!(creationValues(body)))
    if (problems.length > 0) throw invalid(problems)
    const values = withExternalId(withOwner(ctx, resource, creationValues(body)), target)
    const claim = { source: target.source, id: target.externalId }
    const fresh = newId()
    return { index, given, id: fresh, create: { id: fresh, values, claim } }
  }
  const patch = keepsExternalId(body, target)
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

// Runs rows together; a constraint that one of them breaks is found by halving, each half in its own savepoint.
async function bisect<T>(
  db: Transaction,
  rows: readonly Work[],
  run: (rows: readonly Work[]) => Promise<Map<string, T>>,
  failures: Failures
): Promise<Map<string, T>> {
  if (rows.length === 0) return new Map()
  try {
    return await db.savepoint(() => run(rows))
  } catch (error) {
    if (!(error instanceof KithError) || error.status >= 500) throw error
    if (rows.length === 1) {
      failures.set(rows[0]!.index, located(error, rows[0]!.index, true))
      return new Map()
    }
    const middle = rows.length >> 1
    const left = await bisect(db, rows.slice(0, middle), run, failures)
    return new Map([...left, ...(await bisect(db, rows.slice(middle), run, failures))])
  }
}

function plan(
  ctx: TransactionContext,
  resource: Resource,
  operations: readonly BatchOperation[],
  known: Map<string, string>,
  failures: Failures
): Work[] {
  const seen = new Set<string>()
  const work: Work[] = []
  operations.forEach((given, index) => {
    try {
      const problems = shapeProblems(resource, given)
      if (problems.length > 0) throw invalid(problems)
      const row = toWork(ctx, resource, index, given, known)
      const name = row.create?.claim ? keyOf(given) : row.id
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

async function checked(
  ctx: TransactionContext,
  writer: Writer,
  work: readonly Work[],
  failures: Failures
): Promise<Work[]> {
  const proposals = work.map(
    (w): Proposal => ({ id: w.id, values: w.create?.values ?? w.change!.patch, created: w.create !== undefined })
  )
  const problems = await writer.check(ctx, proposals)
  return work.filter((w, i) => {
    const found = problems.get(w.id)
    if (found) failures.set(w.index, located(found, w.index, true))
    if (w.create) w.create.prepared = proposals[i]!.prepared
    return !found
  })
}

async function binned(ctx: TransactionContext, resource: Resource, work: readonly Work[]): Promise<Set<string>> {
  const upserts = work.filter(w => w.given.op === 'upsert' && w.change?.inBin === false).map(w => w.id)
  if (upserts.length === 0) return new Set()
  const outside = await findRecords(ctx, resource, upserts, ['id'])
  return new Set(upserts.filter(id => !outside.has(id)))
}

// A failed row may be anything, so its id is shown only if it is one.
const givenId = (given: unknown): string | null => {
  const id = (given as { id?: unknown } | null)?.id
  return typeof id === 'string' && /^[0-9a-f-]{36}$/i.test(id) ? id : null
}

const done = (w: Work, status: BatchRow['status'], record: RecordRow): BatchRow => ({
  index: w.index,
  status,
  id: record.id,
  version: record.version,
  error: null
})

/**
 * Runs up to a thousand independent operations in a few set-based statements. A failed row leaves the others alone,
 * unless `atomic`, when the first failure is thrown and nothing is written.
 */
export async function runBatch(
  ctx: TransactionContext,
  resource: Resource,
  writer: Writer,
  operations: readonly BatchOperation[],
  atomic: boolean
): Promise<BatchRow[]> {
  const failures: Failures = new Map()
  const known = await foundByExternal(ctx, resource, operations)
  const planned = plan(ctx, resource, operations, known, failures)
  const work = await checked(ctx, writer, planned, failures)
  const rows = await written(ctx, resource, writer, work, failures)
  const first = [...failures.keys()].sort((a, b) => a - b)[0]
  if (atomic && first !== undefined) throw failures.get(first)!
  const failed = [...failures].map(
    ([index, error]): BatchRow => ({
      index,
      status: 'failed',
      id: givenId(operations[index]),
      version: null,
      error: problem(error)
    })
  )
  return [...rows, ...failed].sort((a, b) => a.index - b.index)
}

async function written(
  ctx: TransactionContext,
  resource: Resource,
  writer: Writer,
  work: readonly Work[],
  failures: Failures
): Promise<BatchRow[]> {
  const inTheBin = await binned(ctx, resource, work)
  const creates = work.filter(w => w.create)
  const changes = work.filter(w => w.change && !inTheBin.has(w.id))
  const made = await bisect(ctx.db, creates, rows => writer.create(ctx, rows.map(w => w.create!)), failures)
  const changed = await bisect(ctx.db, changes, rows => writer.change(ctx, rows.map(w => w.change!)), failures)
  return work.flatMap(w => {
    if (failures.has(w.index)) return []
    try {
      if (inTheBin.has(w.id)) throw inBin(resource, w.id)
      if (w.create) {
        const record = made.get(w.id)
        if (!record) throw new KithError('contention')
        return [done(w, 'created', record)]
      }
      const { outcome, record } = settled(resource, changed.get(w.id))
      const status = outcome === 'unchanged' ? 'unchanged' : w.given.op === 'delete' ? 'deleted' : 'updated'
      return [done(w, status, record)]
    } catch (error) {
      if (!(error instanceof KithError) || error.code === 'contention') throw error
      failures.set(w.index, located(error, w.index, true))
      return []
    }
  })
}
