import sql from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { KithError, notFound, problem } from '../../kernel/errors.js'
import { operation, record, value, type Operation } from '../../kernel/operation.js'
import { findRecord } from '../../kernel/read.js'
import {
  Bool,
  Closed,
  Currency,
  Day,
  Enum,
  Id,
  Instant,
  Integer,
  Money,
  Nullable,
  Share,
  Text,
  Type,
  type Static
} from '../../kernel/schema.js'
import { batchResult, byId } from '../../kernel/standard-schemas.js'
import { standardOperations } from '../../kernel/standard.js'
import { settled } from '../../kernel/writer.js'
import { stageKinds } from '../pipelines/resource.js'
import { moveDeals, type Move, type Moved } from './move.js'
import { deals } from './resource.js'
import { dealWriter } from './writer.js'

const moveFields = {
  stageId: Id('The stage to enter; of another pipeline hands the deal over.'),
  at: Type.Optional(Instant()),
  lostReason: Type.Optional(Text(500))
}

const moveDeal = operation({
  name: 'deals.move',
  kind: 'write',
  permission: deals.permissions.write,
  summary: 'Move a deal to a stage: forward, back, won, lost, reopened, or to another pipeline',
  description:
    'Happens now, or at the past time `at`, in any order; stage, status and close follow from the whole history.',
  rest: 'POST /deals/:id/move',
  graphql: 'moveDeal',
  params: byId,
  body: Closed(moveFields),
  result: record(deals),
  atomic: true,
  async run(ctx, { id, body, expectedVersion }) {
    const { changes, failures } = await moveDeals(ctx, [{ ...body, dealId: id, expectedVersion }])
    if (failures.has(0)) throw failures.get(0)!
    return settled(deals, changes.get(id.toLowerCase()))
  }
})

type MoveResults = Static<typeof batchResult>

function toResults(moves: readonly Move[], { changes, failures }: Moved): MoveResults {
  return {
    results: moves.map((move, index) => {
      const failure = failures.get(index)
      if (failure) {
        return {
          index,
          status: 'failed',
          id: move.dealId,
          version: null,
          error: problem(located(failure, index))
        }
      }
      const change = changes.get(move.dealId.toLowerCase())!
      const status = change.outcome === 'changed' ? 'updated' : 'unchanged'
      return { index, status, id: change.record.id, version: change.record.version, error: null }
    })
  }
}

// Pointers of one move's failure are relative to the whole call.
function located(failure: KithError, index: number): KithError {
  const errors = failure.errors?.map(e => ({ ...e, pointer: `/moves/${index}${e.pointer ?? ''}` }))
  return new KithError(failure.code, failure.message, {
    ...(errors && { errors }),
    extra: { ...failure.extra, operation: index }
  })
}

const moveManyDeals = operation({
  name: 'deals.moves',
  kind: 'write',
  permission: deals.permissions.write,
  summary: 'Move up to 1,000 times, many deals',
  description:
    'Several moves of one deal make one change of it. With `atomic` the first failure undoes them all.',
  rest: 'POST /deals/moves',
  graphql: 'moveDeals',
  body: Closed({
    atomic: Type.Optional(Bool()),
    moves: Type.Array(
      Closed({ dealId: Id(), expectedVersion: Type.Optional(Integer(1, 2147483647)), ...moveFields }),
      { minItems: 1, maxItems: 1000 }
    )
  }),
  bodyLimit: 8 * 1024 * 1024,
  result: value(batchResult),
  atomic: true,
  async run(ctx, { body }) {
    const moved = await moveDeals(ctx, body.moves)
    const first = Math.min(...moved.failures.keys())
    if (body.atomic && Number.isFinite(first)) throw located(moved.failures.get(first)!, first)
    return toResults(body.moves, moved)
  }
})

const historyRow = Closed({
  seq: Integer(1, 2147483647),
  at: Instant(),
  recordedAt: Instant(),
  actorType: Enum('ActorType', ['user', 'key', 'system']),
  actorId: Nullable(Id()),
  entered: Bool(),
  pipelineId: Id(),
  pipelineName: Text(200),
  stageId: Id(),
  stageName: Text(200),
  stageKind: Enum('StageKind', stageKinds),
  stagePosition: Integer(0, 100000),
  amount: Nullable(Money()),
  currency: Nullable(Currency()),
  probability: Nullable(Share()),
  expectedCloseDate: Nullable(Day()),
  ownerId: Nullable(Id())
})

interface Fact {
  [column: string]: unknown
  stageId: string | null
  valued: boolean
}

const stageColumns = ['pipelineId', 'pipelineName', 'stageId', 'stageName', 'stageKind', 'stagePosition']
const valueColumns = ['amount', 'currency', 'probability', 'expectedCloseDate', 'ownerId']

// Each row keeps only what it sets; the snapshot of a moment is what was set last before it, or first after it.
function snapshots(facts: readonly Fact[]): Static<typeof historyRow>[] {
  const part = (fact: Fact | undefined, names: string[]) =>
    Object.fromEntries(names.map(n => [n, fact?.[n] ?? null]))
  let stage = part(
    facts.find(f => f.stageId !== null),
    stageColumns
  )
  let values = part(
    facts.find(f => f.valued),
    valueColumns
  )
  return facts.map(fact => {
    if (fact.stageId !== null) stage = part(fact, stageColumns)
    if (fact.valued) values = part(fact, valueColumns)
    const { seq, at, recordedAt, actorType, actorId } = fact
    return {
      seq,
      at,
      recordedAt,
      actorType,
      actorId,
      entered: fact.stageId !== null,
      ...stage,
      ...values
    } as Static<typeof historyRow>
  })
}

async function historyOf(ctx: Context, id: string) {
  const deal = await findRecord(ctx, deals, id, { fields: ['id'], deleted: true })
  if (!deal) throw notFound('deal')
  const facts = await ctx.db.query<Fact>(sql`
    select seq, at, recorded_at as "recordedAt", actor_type as "actorType", actor_id as "actorId",
      pipeline_id as "pipelineId", pipeline_name as "pipelineName", stage_id as "stageId", stage_name as "stageName",
      kind as "stageKind", position as "stagePosition", valued, amount, currency, probability,
      expected_close_date as "expectedCloseDate", owner_id as "ownerId"
    from deal_history where workspace_id = ${ctx.workspaceId} and deal_id = ${id} order by at, seq`)
  return { data: snapshots(facts) }
}

const dealHistory = operation({
  name: 'deals.history',
  kind: 'read',
  permission: deals.permissions.read,
  summary: "A deal's whole history, by time",
  description: 'Every entry of a stage and every change of amount, probability, expected close or owner.',
  rest: 'GET /deals/:id/history',
  graphql: 'dealHistory',
  params: byId,
  result: value(Closed({ data: Type.Array(historyRow) })),
  run: (ctx, { id }) => historyOf(ctx, id)
})

export const dealOperations: Operation[] = [
  ...standardOperations(deals, dealWriter),
  moveDeal,
  moveManyDeals,
  dealHistory
]
