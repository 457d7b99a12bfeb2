import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { fieldError, type KithError } from '../../kernel/errors.js'
import { stages } from '../pipelines/resource.js'

/** A stage as it is now, with what its pipeline asks of a deal. */
export interface StageSnapshot {
  [column: string]: unknown
  id: string
  name: string
  kind: 'open' | 'won' | 'lost'
  position: number
  archived: boolean
  pipelineId: string
  pipelineName: string
  lostReasonRequired: boolean
}

export interface Stages {
  byId: Map<string, StageSnapshot>
  /** The database's clock, which decides what is in the future. */
  now: number
}

/**
 * The stages with these ids, one statement for any number. They stay until the transaction ends: a deletion that
 * comes meanwhile waits, and then finds the deals that went in.
 */
export async function loadStages(ctx: Context, ids: readonly string[]): Promise<Stages> {
  const rows = await ctx.db.query<StageSnapshot & { now: string }>(sql`
    with found as materialized (
      select s.id, s.name, s.kind, s.position, s.archived, s.pipeline_id as "pipelineId",
        p.name as "pipelineName", p.lost_reason_required as "lostReasonRequired"
      from stages s join pipelines p on p.workspace_id = s.workspace_id and p.id = s.pipeline_id
      where ${visible(ctx, stages, 's')} and s.id = any(${ids}::uuid[]) and s.deleted_at is null and p.deleted_at is null
      order by s.id for key share of s, p
    )
    select c.now, f.* from (select date_trunc('milliseconds', clock_timestamp()) as now) c left join found f on true`)
  return {
    byId: new Map(rows.filter(r => r.id !== null).map(r => [r.id, r])),
    now: Date.parse(rows[0]!.now)
  }
}

/** The stage of that id as a reference in the input: 422 where it is unknown. */
export function stageAt(stages: Stages, id: string, pointer: string): StageSnapshot {
  const stage = stages.byId.get(id.toLowerCase())
  if (stage) return stage
  throw fieldError('unknown_reference', pointer, `${pointer} does not point to a stage we know.`)
}

/** 422 for a stage that takes no more deals. */
export function refuseArchived(stage: StageSnapshot, pointer: string): KithError | undefined {
  return stage.archived
    ? fieldError('unprocessable', pointer, `The stage ${stage.name} is archived.`, 'archived')
    : undefined
}

/** 422 where a pipeline wants to know why a deal was lost and nobody says. */
export function refuseSilentLoss(stage: StageSnapshot, reason: unknown): KithError | undefined {
  return stage.kind === 'lost' && stage.lostReasonRequired && reason == null
    ? fieldError('unprocessable', '/lostReason', 'This pipeline wants the reason of a loss.', 'required')
    : undefined
}
