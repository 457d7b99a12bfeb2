import sql, { raw } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { KithError } from '../../kernel/errors.js'
import type { Operation } from '../../kernel/operation.js'
import type { Resource } from '../../kernel/resource.js'
import { standardOperations } from '../../kernel/standard.js'
import { createRecords, newId, type NewRow } from '../../kernel/write.js'
import { standardWriter, type Proposal, type Writer } from '../../kernel/writer.js'
import { pipelines, stages } from './resource.js'

type StageInput = Record<string, unknown>

// A pipeline is made with its stages, in their order.
async function createPipelines(ctx: Context, rows: readonly NewRow[]) {
  const made = await createRecords(ctx, pipelines, rows)
  const stageRows = rows
    .filter(row => made.has(row.id))
    .flatMap(row =>
      ((row.values.stages ?? []) as StageInput[]).map((stage, position) => ({
        id: newId(),
        values: { ...stage, pipelineId: row.id, position: position + 1 }
      }))
    )
  await createRecords(ctx, stages, stageRows)
  return made
}

const pipelineWriter: Writer = { ...standardWriter(pipelines), create: createPipelines }

async function inUse(
  ctx: Context,
  column: 'stageId' | 'pipelineId',
  ids: readonly string[]
): Promise<Set<string>> {
  const rows = await ctx.db.query<{ id: string }>(
    column === 'stageId'
      ? sql`select i.id from unnest(${ids}::uuid[]) as i(id) where exists (
          select from deal_history h where h.workspace_id = ${ctx.workspaceId} and h.stage_id = i.id)`
      : sql`select i.id from unnest(${ids}::uuid[]) as i(id) where exists (
          select from deals d where d.workspace_id = ${ctx.workspaceId} and d.pipeline_id = i.id)`
  )
  return new Set(rows.map(r => r.id))
}

// Waits for the deals that are on their way in, and holds off later ones until the deletion is decided.
async function lock(ctx: Context, resource: Resource, ids: readonly string[]): Promise<void> {
  await ctx.db.query(sql`
    select from ${raw(`"${resource.table}" t`)} where ${visible(ctx, resource, 't')} and t.id = any(${ids}::uuid[])
    order by t.id for update`)
}

// Which of the stages would be of another kind than they are.
async function ofNewKind(ctx: Context, rows: readonly Proposal[]): Promise<string[]> {
  const given = new Map(
    rows.filter(r => !r.created && r.values.kind !== undefined).map(r => [r.id, r.values.kind])
  )
  if (given.size === 0) return []
  const now = await ctx.db.query<{ id: string; kind: string }>(
    sql`select t.id, t.kind from stages t where ${visible(ctx, stages, 't')} and t.id = any(${[...given.keys()]}::uuid[])`
  )
  return now.filter(s => s.kind !== given.get(s.id)).map(s => s.id)
}

// What deals went through is never deleted nor made another kind: a stage is archived instead.
function keepingUsed(
  resource: Resource,
  writer: Writer,
  column: 'stageId' | 'pipelineId',
  advice: string
): Writer {
  return {
    ...writer,
    atomic: true,
    async check(ctx, rows: readonly Proposal[]) {
      const problems = await writer.check(ctx, rows)
      const deleted = rows.filter(r => r.values.deletedAt === true).map(r => r.id)
      const turned = resource === stages ? await ofNewKind(ctx, rows) : []
      const touched = [...deleted, ...turned]
      if (touched.length === 0) return problems
      await lock(ctx, resource, touched)
      for (const id of await inUse(ctx, column, touched)) problems.set(id, new KithError('in_use', advice))
      return problems
    }
  }
}

export const pipelineOperations: Operation[] = [
  ...standardOperations(
    pipelines,
    keepingUsed(pipelines, pipelineWriter, 'pipelineId', 'Deals are in this pipeline.')
  ),
  ...standardOperations(
    stages,
    keepingUsed(stages, standardWriter(stages), 'stageId', 'Deals were in this stage: archive it instead.')
  )
]
