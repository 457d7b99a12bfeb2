import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { TransactionContext } from '../../kernel/context.js'
import { refuseFuture } from '../../kernel/clock.js'
import { fieldError, KithError, notFound } from '../../kernel/errors.js'
import { changeRecords, type Change } from '../../kernel/write.js'
import { findRecords } from '../../kernel/read.js'
import { recompute, storeHistory, type DerivedState, type NewHistoryRow } from './history.js'
import { deals } from './resource.js'
import { loadStages, refuseArchived, refuseSilentLoss, stageAt, type Stages } from './stages.js'

/** A deal enters a stage, now or at a past time. */
export interface Move {
  dealId: string
  stageId: string
  at?: string | undefined
  lostReason?: string | undefined
  expectedVersion?: number | undefined
}

export interface Moved {
  /** By deal; missing where a failure is. */
  changes: Map<string, Change>
  /** By position in the input. */
  failures: Map<number, KithError>
}

interface Locked {
  [column: string]: unknown
  id: string
  version: number
  stageId: string
  status: string
  openedAt: string
  lostReason: string | null
}

async function lockDeals(ctx: TransactionContext, ids: readonly string[]): Promise<Map<string, Locked>> {
  const rows = await ctx.db.query<Locked>(sql`
    select t.id, t.version, t.stage_id as "stageId", t.status, t.opened_at as "openedAt", t.lost_reason as "lostReason"
    from deals t where ${visible(ctx, deals, 't')} and t.id = any(${ids}::uuid[]) and t.deleted_at is null
    order by t.id for no key update of t`)
  return new Map(rows.map(r => [r.id, r]))
}

function toRow(move: Move, deal: Locked | undefined, stages: Stages): NewHistoryRow {
  if (!deal) throw notFound('deal')
  if (move.expectedVersion !== undefined && move.expectedVersion !== deal.version) {
    throw new KithError('version_mismatch', `The deal is at version ${deal.version}.`, {
      extra: { currentVersion: deal.version }
    })
  }
  const stage = stageAt(stages, move.stageId, '/stageId')
  refuseFuture(stages.now, move.at, '/at')
  const problem =
    refuseArchived(stage, '/stageId') ?? refuseSilentLoss(stage, move.lostReason ?? deal.lostReason)
  if (problem) throw problem
  if (move.lostReason !== undefined && stage.kind !== 'lost') {
    throw fieldError('unprocessable', '/lostReason', `${stage.name} is not a lost stage.`, 'not_lost')
  }
  return { dealId: deal.id, at: move.at, stage }
}

function patchOf(deal: Locked, state: DerivedState, reason: string | undefined) {
  const { firstAt, dealId: _id, ...derived } = state
  const openedAt = Date.parse(firstAt) < Date.parse(deal.openedAt) ? firstAt : deal.openedAt
  const lostReason = state.status === 'lost' ? (reason ?? deal.lostReason) : null
  return { ...derived, openedAt, lostReason }
}

/**
 * Moves deals, locked and in one transaction: rows are added to their histories, all that follows is recomputed, and
 * every changed deal gets one event. A move now into the stage a deal is in already changes nothing.
 */
export async function moveDeals(ctx: TransactionContext, given: readonly Move[]): Promise<Moved> {
  const moves = given.map(m => ({ ...m, dealId: m.dealId.toLowerCase() }))
  const failures = new Map<number, KithError>()
  const ids = [...new Set(moves.map(m => m.dealId))]
  const locked = await lockDeals(ctx, ids)
  const stages = await loadStages(ctx, [...new Set(moves.map(m => m.stageId))])
  const reasons = new Map<string, string>()
  const rows = moves.flatMap((move, i) => {
    try {
      const row = toRow(move, locked.get(move.dealId), stages)
      if (move.lostReason !== undefined) reasons.set(row.dealId, move.lostReason)
      return [row]
    } catch (error) {
      if (!(error instanceof KithError)) throw error
      failures.set(i, error)
      return []
    }
  })
  return { changes: await applied(ctx, locked, rows, reasons), failures }
}

async function applied(
  ctx: TransactionContext,
  locked: Map<string, Locked>,
  rows: readonly NewHistoryRow[],
  reasons: Map<string, string>
): Promise<Map<string, Change>> {
  if (rows.length === 0) return new Map()
  const { states, rows: history } = await recompute(ctx, rows, false)
  const added = new Set((JSON.parse(history) as { deal_id: string }[]).map(h => h.deal_id))
  await storeHistory(ctx, history)
  const changes = await changeRecords(
    ctx,
    deals,
    [...added].map(id => {
      const deal = locked.get(id)!
      const state = states.get(id)!
      const eventType = state.stageId === deal.stageId ? 'deal.history_changed' : 'deal.stage_changed'
      return { id, patch: patchOf(deal, state, reasons.get(id)), eventType }
    })
  )
  const same = [...new Set(rows.map(r => r.dealId))].filter(id => !added.has(id))
  for (const [id, record] of await findRecords(ctx, deals, same))
    changes.set(id, { outcome: 'unchanged', record })
  return changes
}
