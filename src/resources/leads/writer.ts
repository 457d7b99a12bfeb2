import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import { databaseNow, refuseFuture } from '../../kernel/clock.js'
import type { Context } from '../../kernel/context.js'
import { KithError } from '../../kernel/errors.js'
import type { RecordRow } from '../../kernel/read.js'
import { changeRecords, createRecords, type ChangeRow, type NewRow } from '../../kernel/write.js'
import { checkProposals, type Proposal, type Writer } from '../../kernel/writer.js'
import { deals } from '../deals/resource.js'
import { leads } from './resource.js'
import {
  checkNew,
  refuseReason,
  refuseTransition,
  stamped,
  timeFields,
  withStatus,
  type LeadStatus,
  type StatusValues
} from './status.js'

const ruled = [...timeFields, 'status', 'unqualifiedReason']

function checkOne(row: Proposal, now: string): void {
  const values: StatusValues = row.values
  if (!row.created) return refuseFuture(Date.parse(now), values.capturedAt, '/capturedAt')
  checkNew(values, Date.parse(now))
  row.prepared = now
}

async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, leads, rows)
  const timed = rows.filter(r => !problems.has(r.id) && ruled.some(f => r.values[f] != null))
  if (timed.length === 0) return problems
  const now = await databaseNow(ctx)
  for (const row of timed) {
    try {
      checkOne(row, now)
    } catch (error) {
      if (!(error instanceof KithError)) throw error
      problems.set(row.id, error)
    }
  }
  return problems
}

// A deal shows the lead it came from: the first that says so.
async function linkDeals(ctx: Context, rows: readonly NewRow[]): Promise<void> {
  const first = new Map<string, string>()
  for (const { id, values } of rows) {
    const dealId = (values.dealId as string | null | undefined)?.toLowerCase()
    if (dealId !== undefined && !first.has(dealId)) first.set(dealId, id)
  }
  if (first.size === 0) return
  const free = await ctx.db.query<{ id: string }>(sql`
    select t.id from deals t
    where ${visible(ctx, deals, 't')} and t.id = any(${[...first.keys()]}::uuid[]) and t.lead_id is null
    order by t.id for no key update of t`)
  const patches = free.map(({ id }) => ({ id, patch: { leadId: first.get(id) } }))
  await changeRecords(ctx, deals, patches)
}

async function create(ctx: Context, rows: readonly NewRow[]): Promise<Map<string, RecordRow>> {
  const records = await createRecords(
    ctx,
    leads,
    rows.map(row =>
      row.prepared === undefined ? row : { ...row, values: stamped(row.values, row.prepared as string) }
    )
  )
  await linkDeals(
    ctx,
    rows.filter(r => records.has(r.id))
  )
  return records
}

interface Locked {
  [column: string]: unknown
  id: string
  version: number
  status: LeadStatus
  inBin: boolean
  now: string
}

async function lockLeads(ctx: Context, ids: readonly string[]): Promise<Map<string, Locked>> {
  const rows = await ctx.db.query<Locked>(sql`
    with found as materialized (
      select t.id, t.version, t.status, t.deleted_at is not null as "inBin" from leads t
      where ${visible(ctx, leads, 't')} and t.id = any(${ids}::uuid[]) order by t.id for no key update of t
    ) select f.*, date_trunc('milliseconds', clock_timestamp()) as now from found f`)
  return new Map(rows.map(r => [r.id, r]))
}

// A row that changeRecords will not take, for its version or its side of the bin, is left to its answer.
const takes = ({ expectedVersion, inBin = false }: ChangeRow, lead: Locked) =>
  (expectedVersion === undefined || expectedVersion === lead.version) &&
  (inBin === null || inBin === lead.inBin)

function refusal(lead: Locked, patch: StatusValues): KithError | undefined {
  const status = patch.status ?? lead.status
  return refuseTransition(lead.status, status) ?? refuseReason(status, patch.unqualifiedReason)
}

/** A status follows from the one before, so that is read under the lock of the change. */
async function change(ctx: Context, rows: readonly ChangeRow[]) {
  if (!rows.some(r => r.patch.status !== undefined || r.patch.unqualifiedReason != null)) {
    return changeRecords(ctx, leads, rows)
  }
  const locked = await lockLeads(
    ctx,
    rows.map(r => r.id)
  )
  const refused = new Map<string, KithError>()
  const ready = rows.flatMap(row => {
    const lead = locked.get(row.id)
    if (!lead || !takes(row, lead)) return [row]
    const error = refusal(lead, row.patch)
    if (error) refused.set(row.id, error)
    return error ? [] : [prepared(row, lead)]
  })
  const changes = await changeRecords(ctx, leads, ready)
  for (const [id, error] of refused) {
    changes.set(id, { outcome: 'unchanged', record: locked.get(id)!, error })
  }
  return changes
}

function prepared(row: ChangeRow, lead: Locked): ChangeRow {
  const patch: StatusValues = row.patch
  const moved = patch.status !== undefined && patch.status !== lead.status
  return {
    ...row,
    patch: { ...withStatus(lead.status, patch, lead.now) },
    eventType: moved ? 'lead.status_changed' : row.eventType
  }
}

/** Writes leads with the times of their status; a status comes only after one that it may follow. */
export const leadWriter: Writer = { atomic: true, check, create, change }
