import {
  foundByExternal,
  located,
  plan,
  type BatchOperation,
  type Failures,
  type Work
} from './batch-plan.js'
import type { Transaction, TransactionContext } from './context.js'
import { KithError, problem } from './errors.js'
import { findRecords, type RecordRow } from './read.js'
import type { Resource } from './resource.js'
import { inBin } from './upsert.js'
import { checkRows, settled, type Proposal, type Writer } from './writer.js'

/** What became of one operation. */
export interface BatchRow {
  index: number
  status: 'created' | 'updated' | 'unchanged' | 'deleted' | 'failed'
  id: string | null
  version: number | null
  error: Record<string, unknown> | null
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

async function checked(
  ctx: TransactionContext,
  resource: Resource,
  writer: Writer,
  work: readonly Work[],
  failures: Failures
): Promise<Work[]> {
  const proposals = work.map((w): Proposal => ({
    id: w.id,
    values: w.create?.values ?? w.change!.patch,
    created: w.create !== undefined,
    claim: w.create?.claim
  }))
  const problems = await checkRows(ctx, resource, writer, proposals)
  return work.filter((w, i) => {
    const found = problems.get(w.id)
    if (found) failures.set(w.index, located(found, w.index, true))
    if (w.create) w.create.prepared = proposals[i]!.prepared
    return !found
  })
}

async function binned(
  ctx: TransactionContext,
  resource: Resource,
  work: readonly Work[]
): Promise<Set<string>> {
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
  const work = await checked(ctx, resource, writer, planned, failures)
  const rows = await written(ctx, resource, writer, work, failures)
  const first = [...failures.keys()].sort((a, b) => a - b)[0]
  if (atomic && first !== undefined) throw failures.get(first)!
  const failed = [...failures].map(([index, error]): BatchRow => ({
    index,
    status: 'failed',
    id: givenId(operations[index]),
    version: null,
    error: problem(error)
  }))
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
  const made = await bisect(
    ctx.db,
    creates,
    rows =>
      writer.create(
        ctx,
        rows.map(w => w.create!)
      ),
    failures
  )
  const changed = await bisect(
    ctx.db,
    changes,
    rows =>
      writer.change(
        ctx,
        rows.map(w => w.change!)
      ),
    failures
  )
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
