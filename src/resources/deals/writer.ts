import type { Context } from '../../kernel/context.js'
import { refuseFuture } from '../../kernel/clock.js'
import { fieldError, KithError } from '../../kernel/errors.js'
import { changeRecords, createRecords, type ChangeRow, type NewRow } from '../../kernel/write.js'
import { checkProposals, type Proposal, type Writer } from '../../kernel/writer.js'
import {
  recompute,
  storeHistory,
  storeValues,
  valuedFields,
  type NewHistoryRow,
  type Values
} from './history.js'
import { checkContacts, patchedPeople, storeContacts, withChangedPeople, withPeople } from './contacts.js'
import { deals } from './resource.js'
import { loadStages, refuseArchived, refuseSilentLoss, stageAt, type Stages } from './stages.js'
import type { DealContact } from './table.js'

interface HistoryInput extends Values {
  stageId: string
  at: string
}

interface NewDeal {
  stageId?: string
  pipelineId?: string
  openedAt?: string
  lostReason?: string | null
  history?: HistoryInput[]
}

interface Prepared {
  rows: NewHistoryRow[]
  /** The values that the last row of the history leaves. */
  values: Values
}

const stageIds = (rows: readonly Proposal[]) =>
  rows.flatMap(({ values }) => {
    const deal = values as NewDeal
    return [deal.stageId, ...(deal.history ?? []).map(h => h.stageId)].filter(id => id !== undefined)
  })

const pick = (given: Values): Values =>
  Object.fromEntries(valuedFields.filter(f => given[f] !== undefined).map(f => [f, given[f]]))

function fromHistory(id: string, deal: NewDeal & Values, history: HistoryInput[], stages: Stages): Prepared {
  const sorted = history
    .map((row, i) => ({ row, i, time: Date.parse(row.at) }))
    .sort((a, b) => a.time - b.time || a.i - b.i)
  let values: Values = pick(deal)
  const set = new Map<number, Values>()
  for (const { row, i } of sorted) {
    const given = pick(row)
    if (set.size > 0 && Object.keys(given).length === 0) continue
    values = { ...values, ...given }
    set.set(i, values)
  }
  const rows = history.map((row, i): NewHistoryRow => {
    refuseFuture(stages.now, row.at, `/history/${i}/at`)
    const stage = stageAt(stages, row.stageId, `/history/${i}/stageId`)
    return { dealId: id, at: row.at, stage, ...(set.has(i) && { values: set.get(i)! }) }
  })
  const differing = valuedFields.find(f => deal[f] !== undefined && deal[f] !== null && deal[f] !== values[f])
  if (differing) {
    throw fieldError(
      'unprocessable',
      `/${differing}`,
      `The history ends with another ${differing}.`,
      'history_mismatch'
    )
  }
  const last = rows[sorted.at(-1)!.i]!.stage
  const loss = refuseSilentLoss(last, deal.lostReason)
  if (loss) throw loss
  if (deal.stageId !== undefined && deal.stageId.toLowerCase() !== last.id) {
    throw fieldError('unprocessable', '/stageId', 'The history ends in another stage.', 'history_mismatch')
  }
  return { rows, values }
}

function prepare(id: string, deal: NewDeal & Values, stages: Stages): Prepared {
  refuseFuture(stages.now, deal.openedAt, '/openedAt')
  if (deal.history) return fromHistory(id, deal, deal.history, stages)
  if (deal.stageId === undefined) {
    throw fieldError('invalid_input', '/stageId', '/stageId is needed without history.', 'required')
  }
  const stage = stageAt(stages, deal.stageId, '/stageId')
  const problem = refuseArchived(stage, '/stageId') ?? refuseSilentLoss(stage, deal.lostReason)
  if (problem) throw problem
  if (deal.pipelineId !== undefined && deal.pipelineId.toLowerCase() !== stage.pipelineId) {
    throw fieldError(
      'unprocessable',
      '/pipelineId',
      'The stage belongs to another pipeline.',
      'other_pipeline'
    )
  }
  const values = pick(deal)
  return { rows: [{ dealId: id, at: deal.openedAt, stage, values }], values }
}

async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = new Map([...(await checkProposals(ctx, deals, rows)), ...checkContacts(rows)])
  const created = rows.filter(r => r.created && !problems.has(r.id))
  if (created.length === 0) return problems
  const stages = await loadStages(ctx, [...new Set(stageIds(created))])
  for (const row of created) {
    try {
      row.prepared = prepare(row.id, row.values, stages)
    } catch (error) {
      if (!(error instanceof KithError)) throw error
      problems.set(row.id, error)
    }
  }
  return problems
}

const earlier = (a: string | undefined, b: string) =>
  a !== undefined && Date.parse(a) < Date.parse(b) ? a : b

/** The columns of a deal that follow from its history. */
async function create(ctx: Context, rows: readonly NewRow[]) {
  const prepared = rows.map(r => r.prepared as Prepared)
  const { states, rows: history } = await recompute(
    ctx,
    prepared.flatMap(p => p.rows),
    true
  )
  const records = await createRecords(
    ctx,
    deals,
    rows.map((row, i) => {
      const { firstAt, dealId: _id, ...state } = states.get(row.id)!
      const openedAt = earlier(row.values.openedAt as string | undefined, firstAt)
      return { ...row, values: { ...withPeople(row.values), ...prepared[i]!.values, ...state, openedAt } }
    })
  )
  // A row whose external id somebody else claimed meanwhile was not made, and has no history.
  const made = (JSON.parse(history) as { deal_id: string }[]).filter(h => records.has(h.deal_id))
  await storeHistory(ctx, JSON.stringify(made))
  await storeContacts(
    ctx,
    [...records.values()].filter(r => (r.contacts as DealContact[]).length > 0).map(r => r.id)
  )
  return records
}

async function change(ctx: Context, given: readonly ChangeRow[]) {
  const rows = await patchedPeople(ctx, given)
  const changes = await changeRecords(ctx, deals, rows)
  const valued = rows.filter(
    r => changes.get(r.id)?.outcome === 'changed' && valuedFields.some(f => r.patch[f] !== undefined)
  )
  if (valued.length > 0)
    await storeValues(
      ctx,
      valued.map(r => r.id)
    )
  await storeContacts(ctx, withChangedPeople(rows, changes))
  return changes
}

/** Writes deals together with their history and the rows of their contacts. */
export const dealWriter: Writer = { atomic: true, check, create, change }
