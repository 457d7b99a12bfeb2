import { raw } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import type { KithError } from '../../kernel/errors.js'
import { changeRecords, createRecords, type ChangeRow, type NewRow } from '../../kernel/write.js'
import { checkProposals, type Proposal, type Writer } from '../../kernel/writer.js'
import { databaseNow, futureProblem } from '../../kernel/clock.js'
import { aboutLeads, changedLeads, namesLead } from '../leads/became.js'
import { activities } from './resource.js'

interface NewActivity extends Record<string, unknown> {
  type: string
  status?: string
  dueAt?: string | null
  occurredAt?: string
  endedAt?: string | null
  completedAt?: string | null
}

// `now` is the database's time, in milliseconds, where a time was given.
type Clock = number | undefined

const liesAhead = (at: string | null | undefined, now: Clock) => at != null && Date.parse(at) > now!

function statusOf({ status, type, dueAt, occurredAt, completedAt }: NewActivity, now: Clock): string {
  if (status !== undefined) return status
  if (completedAt != null) return 'completed'
  const isDue = dueAt != null && occurredAt === undefined
  return type === 'task' || isDue || liesAhead(occurredAt, now) ? 'planned' : 'completed'
}

// What is told when it is over was completed when it ended. The database reads 'now' by its own clock.
function completionOf({ completedAt, endedAt, occurredAt }: NewActivity, now: Clock): string {
  const end = completedAt ?? endedAt ?? occurredAt
  return end === undefined || (completedAt == null && liesAhead(end, now)) ? 'now' : end
}

function completed({ values, prepared }: NewRow): Record<string, unknown> {
  const [given, now] = [values as NewActivity, prepared as Clock]
  const status = statusOf(given, now)
  return { ...given, status, ...(status === 'completed' && { completedAt: completionOf(given, now) }) }
}

async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, activities, rows)
  const times = ['occurredAt', 'endedAt', 'completedAt']
  const timed = rows.filter(r => r.created && !problems.has(r.id) && times.some(f => r.values[f] != null))
  if (timed.length === 0) return problems
  const now = Date.parse(await databaseNow(ctx))
  for (const row of timed) {
    row.prepared = now
    const problem = futureProblem(now, row.values.completedAt as string | null | undefined, '/completedAt')
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

const links = ['contactId', 'companyId', 'dealId'] as const

/**
 * Writes activities so that those that are completed, and no others, say when; one about a converted lead is also about
 * what it became.
 */
export const activityWriter: Writer = {
  atomic: namesLead,
  check,
  async create(ctx, rows) {
    const about = await aboutLeads(ctx, links, rows)
    return createRecords(
      ctx,
      activities,
      about.map(row => ({ ...row, values: completed(row) }))
    )
  },
  async change(ctx, rows) {
    const about = await changedLeads(ctx, activities, links, rows)
    return changeRecords(ctx, activities, about.map(withCompletion), { type })
  }
}
