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
    select from ${raw(`"${resource.table}" t`)} where ${visible(ctx, 't')} and t.id = any(${ids}::uuid[])
    order by t.id for update`)
}

// What deals went through is never deleted: a stage is archived instead.
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
      if (deleted.length === 0) return problems
      await lock(ctx, resource, deleted)
      for (const id of await inUse(ctx, column, deleted)) problems.set(id, new KithError('in_use', advice))
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
