import type { Context } from '../../kernel/context.js'
import { fieldError, type KithError } from '../../kernel/errors.js'
import type { Resource } from '../../kernel/resource.js'
import { changeRecords, createRecords, type NewRow } from '../../kernel/write.js'
import { checkProposals, type Proposal, type Writer } from '../../kernel/writer.js'
import { databaseNow, futureProblem } from '../../kernel/clock.js'
import { changedRows, firstRows, lastStage, type Entry } from './history.js'

interface Staged {
  lifecycleStage?: string | null
  lifecycleHistory?: Required<Entry>[]
}

function historyProblem({ lifecycleStage, lifecycleHistory = [] }: Staged, now: number) {
  for (const [i, { at }] of lifecycleHistory.entries()) {
    const problem = futureProblem(now, at, `/lifecycleHistory/${i}/at`)
    if (problem) return problem
  }
  if (lifecycleStage === undefined || lifecycleStage === lastStage(lifecycleHistory)) return undefined
  const message = 'The history ends in another stage.'
  return fieldError('unprocessable', '/lifecycleStage', message, 'history_mismatch')
}

async function check(
  ctx: Context,
  resource: Resource,
  rows: readonly Proposal[]
): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, resource, rows)
  const imported = rows.filter(r => r.created && r.values.lifecycleHistory && !problems.has(r.id))
  if (imported.length === 0) return problems
  const now = Date.parse(await databaseNow(ctx))
  for (const row of imported) {
    const problem = historyProblem(row.values, now)
    if (problem) problems.set(row.id, problem)
  }
  return problems
}

function entriesOf({ lifecycleStage, lifecycleHistory }: Staged): Entry[] {
  if (lifecycleHistory) return lifecycleHistory
  return lifecycleStage == null ? [] : [{ stage: lifecycleStage }]
}

function create(ctx: Context, resource: Resource, rows: readonly NewRow[]) {
  const entries = rows.flatMap(row => entriesOf(row.values).map(e => ({ ...e, recordId: row.id })))
  if (entries.length === 0) return createRecords(ctx, resource, rows)
  const staged = rows.map(row => ({
    ...row,
    values: { ...row.values, lifecycleStage: lastStage(entriesOf(row.values)) }
  }))
  return createRecords(ctx, resource, staged, firstRows(ctx, resource, entries))
}

/**
 * Writes records that have a lifecycle stage together with its history, which is a part of the same statement where
 * a stage is given, and nothing where none is.
 */
export function lifecycleWriter(resource: Resource): Writer {
  return {
    atomic: false,
    check: (ctx, rows) => check(ctx, resource, rows),
    create: (ctx, rows) => create(ctx, resource, rows),
    change(ctx, rows) {
      const staged = rows.some(row => row.patch.lifecycleStage !== undefined)
      return changeRecords(ctx, resource, rows, staged ? { also: changedRows(ctx, resource) } : {})
    }
  }
}
