import sql, { type Sql } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { notFound } from '../../kernel/errors.js'
import { findRecord } from '../../kernel/read.js'
import type { Resource } from '../../kernel/resource.js'
import { clock, type Stage } from '../shared.js'

/** A stage that a record entered; without `at` when the record was made. */
export interface Entry {
  stage: string
  at?: string
}

/** The stage that a history ends in: the last by time, then by place. */
export const lastStage = (entries: readonly Entry[]): string | undefined =>
  entries.reduce<Entry | undefined>(
    (last, entry) => (last?.at !== undefined && Date.parse(entry.at!) < Date.parse(last.at) ? last : entry),
    undefined
  )?.stage

const into = sql`insert into lifecycle_history (workspace_id, resource, record_id, at, seq, recorded_at, stage,
  actor_type, actor_id)`

const actorOf = (ctx: Context) => sql`${ctx.actor.type}, ${ctx.actor.id}::uuid`

/** The first rows of new records, as a part of the statement that makes them. */
export const firstRows = (
  ctx: Context,
  resource: Resource,
  rows: readonly (Entry & { recordId: string })[]
): Sql => sql`lifecycle as (
    ${into}
    select ${ctx.workspaceId}, ${resource.name}, h.id, h.entered, nextval('event_order'), h.created_at, h.stage,
      ${actorOf(ctx)}
    from (
      select t.id, coalesce(h.at, t.created_at) as entered, t.created_at, h.stage
      from json_to_recordset(${JSON.stringify(rows.map((row, n) => ({ ...row, n })))}::json)
        as h("recordId" uuid, n int, at timestamptz(3), stage text)
      join made t on t.id = h."recordId" order by h.n
    ) h
  )`

/** A row for each record whose stage a change changes, as a part of the statement; its time is read under the lock. */
export const changedRows = (ctx: Context, resource: Resource): Sql => sql`lifecycle as (
    ${into}
    select ${ctx.workspaceId}, ${resource.name}, t.id, ${clock}, nextval('event_order'), ${clock}, t.lifecycle_stage,
      ${actorOf(ctx)}
    from done t join old o on o.id = t.id where t.lifecycle_stage is distinct from o.lifecycle_stage
  )`

const ofRecord = (ctx: Context, resource: Resource, id: string) => sql`
  h.workspace_id = ${ctx.workspaceId} and h.resource = ${resource.name} and h.record_id = ${id}::uuid`

/** Adds a row to the history of a locked record, unless it has it already, and answers the stage that it ends in. */
export async function addRow(
  ctx: Context,
  resource: Resource,
  id: string,
  { stage, at }: Required<Entry>
): Promise<string | null> {
  await ctx.db.query(sql`${into}
    select ${ctx.workspaceId}, ${resource.name}, ${id}::uuid, ${at}::timestamptz(3), nextval('event_order'), ${clock},
      ${stage}, ${actorOf(ctx)}
    where not exists (
      select from lifecycle_history h
      where ${ofRecord(ctx, resource, id)} and h.at = ${at}::timestamptz(3) and h.stage = ${stage}
    )`)
  const [last] = await ctx.db.query<{ stage: string | null }>(sql`
    select h.stage from lifecycle_history h where ${ofRecord(ctx, resource, id)}
    order by h.at desc, h.seq desc limit 1`)
  return last!.stage
}

interface LifecycleRow {
  [column: string]: unknown
  seq: number
  at: string
  recordedAt: string
  stage: Stage | null
  actorType: 'user' | 'key' | 'system'
  actorId: string | null
}

/** The whole history of a record, by time; also of one in the bin. */
export async function lifecycleOf(ctx: Context, resource: Resource, id: string): Promise<LifecycleRow[]> {
  const record = await findRecord(ctx, resource, id, { fields: ['id'], deleted: true })
  if (!record) throw notFound(resource.name)
  return ctx.db.query<LifecycleRow>(sql`
    select (row_number() over (order by h.seq))::int as seq, h.at, h.recorded_at as "recordedAt", h.stage,
      h.actor_type as "actorType", h.actor_id as "actorId"
    from lifecycle_history h where ${ofRecord(ctx, resource, id)} order by h.at, h.seq`)
}
