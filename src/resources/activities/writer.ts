import { raw } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import type { KithError } from '../../kernel/errors.js'
import { changeRecords, createRecords, type ChangeRow } from '../../kernel/write.js'
import { checkProposals, type Proposal, type Writer } from '../../kernel/writer.js'
import { databaseNow, futureProblem } from '../../kernel/clock.js'
import { activities } from './resource.js'

interface NewActivity extends Record<string, unknown> {
  type: string
  status?: string
  dueAt?: string | null
  occurredAt?: string
  endedAt?: string | null
  completedAt?: string | null
}

const liesAhead = (at: string | null | undefined) => at != null && Date.parse(at) > Date.now()

function statusOf({ status, type, dueAt, occurredAt, completedAt }: NewActivity): string {
  if (status !== undefined) return status
  if (completedAt != null) return 'completed'
  const isDue = dueAt != null && occurredAt === undefined
  return type === 'task' || isDue || liesAhead(occurredAt) ? 'planned' : 'completed'
}

// What is told when it is over was completed when it ended. The database reads 'now' by its own clock.
function completionOf({ completedAt, endedAt, occurredAt }: NewActivity): string {
  const end = completedAt ?? endedAt ?? occurredAt
  return end === undefined || (completedAt == null && liesAhead(end)) ? 'now' : end
}

function completed(given: NewActivity): Record<string, unknown> {
  const status = statusOf(given)
  return { ...given, status, ...(status === 'completed' && { completedAt: completionOf(given) }) }
}

async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, activities, rows)
  const imported = rows.filter(r => r.created && r.values.completedAt != null && !problems.has(r.id))
  if (imported.length === 0) return problems
  const now = Date.parse(await databaseNow(ctx))
  for (const row of imported) {
    const problem = futureProblem(now, row.values.completedAt as string, '/completedAt')
    if (problem) problems.set(row.id, problem)
  }
  return problems
}

function withCompletion(row: ChangeRow): ChangeRow {
  const { status, completedAt = true } = row.patch
  if (status === undefined) return row
  return { ...row, patch: { ...row.patch, completedAt: status === 'completed' ? completedAt : null } }
}

const type = raw(`case when t.status = 'completed' and o.status <> 'completed' then 'activity.completed' end`)

/** Writes activities so that those that are completed, and no others, say when. */
export const activityWriter: Writer = {
  atomic: false,
  check,
  create: (ctx, rows) =>
    createRecords(
      ctx,
      activities,
      rows.map(row => ({ ...row, values: completed(row.values as NewActivity) }))
    ),
  change: (ctx, rows) => changeRecords(ctx, activities, rows.map(withCompletion), { type })
}
