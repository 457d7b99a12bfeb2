import sql, { raw } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import type { StageSnapshot } from './stages.js'

/** The values of a deal that its history keeps. */
export const valuedFields = ['amount', 'currency', 'probability', 'expectedCloseDate', 'ownerId'] as const
export type Values = Partial<Record<(typeof valuedFields)[number], unknown>>

/** A row about to be added to a deal's history; without `at` it happens now. */
export interface NewHistoryRow {
  dealId: string
  at?: string | undefined
  stage: StageSnapshot
  /** All five values, where the row sets them. */
  values?: Values
}

/** What follows from the whole history of a deal. */
export interface DerivedState {
  [column: string]: unknown
  dealId: string
  pipelineId: string
  stageId: string
  status: 'open' | 'won' | 'lost'
  furthestPosition: number | null
  stageRows: number
  stageEnteredAt: string
  firstAt: string
  closedAt: string | null
  way: string[]
  wayFrom: string
  wayRecordedAt: string
}

/** As many stages of a history are kept with its deal. */
const longestWay = 100

const now = raw(`date_trunc('milliseconds', clock_timestamp())`)

function toInput(rows: readonly NewHistoryRow[]): string {
  return JSON.stringify(
    rows.map((row, n) => ({
      n,
      deal_id: row.dealId,
      at: row.at,
      pipeline_id: row.stage.pipelineId,
      stage_id: row.stage.id,
      position: row.stage.position,
      kind: row.stage.kind,
      stage_name: row.stage.name,
      pipeline_name: row.stage.pipelineName,
      valued: row.values !== undefined,
      amount: row.values?.amount,
      currency: row.values?.currency,
      probability: row.values?.probability,
      expected_close_date: row.values?.expectedCloseDate,
      owner_id: row.values?.ownerId
    }))
  )
}

const inputColumns =
  raw(`n int, deal_id uuid, at timestamptz(3), pipeline_id uuid, stage_id uuid, position int,
  kind text, stage_name text, pipeline_name text, valued boolean, amount numeric, currency text,
  probability double precision, expected_close_date date, owner_id uuid`)

/** The rows with their times, numbered after those that their deals have; and the state that follows. */
export interface Recomputed {
  states: Map<string, DerivedState>
  /** The new rows as they are to be stored; those that say nothing new are left out. */
  rows: string
}

/**
 * The one recompute of deals: from their stored history and the rows about to be added follow stage, furthest stage,
 * status, entry and close. The deals must be locked. Unless `keepAll`, a row says nothing new, and is dropped, where it
 * happens now and the deal is in that stage already, or where the history has that stage at that very moment. Any
 * other past row counts even if its stage is that of the row before: one in between may come later.
 */
export async function recompute(
  ctx: Context,
  newRows: readonly NewHistoryRow[],
  keepAll: boolean
): Promise<Recomputed> {
  const found = await ctx.db.query<DerivedState & { rows: object[] | null }>(sql`
    with input as materialized (
      select i.*, n.now as recorded, coalesce(i.at, n.now) as moment
      from json_to_recordset(${toInput(newRows)}::json) as i(${inputColumns}), (select ${now} as now) n
    ), numbered as materialized (
      select i.*, (coalesce(stored.top, 0) + row_number() over (partition by i.deal_id order by i.n))::int as seq,
        not ${keepAll} and coalesce(stored.repeated, false) as repeated
      from input i left join lateral (
        select max(h.seq) as top, bool_or(h.at = i.at and h.stage_id = i.stage_id) as repeated from deal_history h
        where h.workspace_id = ${ctx.workspaceId} and h.deal_id = i.deal_id
      ) stored on true
    ), all_rows as (
      select h.deal_id, h.seq, h.at, h.recorded_at, h.pipeline_id, h.stage_id, h.position, h.kind, null::json as added,
        false as happens_now
      from deal_history h
      where h.workspace_id = ${ctx.workspaceId} and h.stage_id is not null
        and h.deal_id in (select deal_id from input)
      union all
      select deal_id, seq, moment, recorded, pipeline_id, stage_id, position, kind, row_to_json(numbered), at is null
      from numbered where not repeated
    ), compared as (
      select a.*, lag(a.stage_id) over (partition by a.deal_id order by a.at, a.seq) as stage_before from all_rows a
    ), kept as (
      select * from compared where not happens_now or ${keepAll} or stage_id is distinct from stage_before
    ), ranked as (
      select k.*, lag(k.stage_id) over w as previous, first_value(k.stage_id) over d as stage_now,
        first_value(k.pipeline_id) over d as pipeline_now, first_value(k.kind) over d as kind_now
      from kept k
      window w as (partition by k.deal_id order by k.at, k.seq), d as (partition by k.deal_id order by k.at desc, k.seq desc)
    ), state as (
      select r.deal_id, r.pipeline_now, r.stage_now, r.kind_now, count(*)::int as stage_rows, min(r.at) as first_at,
        max(r.at) filter (where r.stage_id is distinct from r.previous) as entered,
        max(r.position) filter (where r.kind = 'open' and r.pipeline_id = r.pipeline_now) as furthest,
        case when bool_and(r.pipeline_id = r.pipeline_now) and count(*) <= ${longestWay}
          then array_agg(r.stage_id order by r.at, r.seq) else '{}' end as way,
        max(r.recorded_at) as recorded_at,
        json_agg(r.added) filter (where r.added is not null) as rows
      from ranked r group by 1, 2, 3, 4
    )
    select s.deal_id as "dealId", s.pipeline_now as "pipelineId", s.stage_now as "stageId", s.kind_now as status,
      s.furthest as "furthestPosition", s.stage_rows as "stageRows", s.entered as "stageEnteredAt",
      s.first_at as "firstAt", case when s.kind_now <> 'open' then s.entered end as "closedAt", s.way,
      s.first_at as "wayFrom", s.recorded_at as "wayRecordedAt", s.rows
    from state s`)
  return {
    states: new Map(found.map(({ rows: _rows, ...state }) => [state.dealId, state])),
    rows: JSON.stringify(found.flatMap(f => f.rows ?? []))
  }
}

/** Stores the rows that a recompute numbered. */
export async function storeHistory(ctx: Context, rows: string): Promise<void> {
  await ctx.db.query(sql`
    insert into deal_history (workspace_id, deal_id, seq, at, recorded_at, actor_type, actor_id, pipeline_id, stage_id,
      position, kind, stage_name, pipeline_name, valued, amount, currency, probability, expected_close_date, owner_id)
    select ${ctx.workspaceId}, i.deal_id, i.seq, i.moment, i.recorded, ${ctx.actor.type}, ${ctx.actor.id}::uuid, i.pipeline_id,
      i.stage_id, i.position, i.kind, i.stage_name, i.pipeline_name, i.valued, i.amount, i.currency, i.probability,
      i.expected_close_date, i.owner_id
    from json_to_recordset(${rows}::json) as i(seq int, moment timestamptz(3), recorded timestamptz(3), ${inputColumns})`)
}

/** Adds a row for each of these deals whose values are no longer those of its last row that sets values. */
export async function storeValues(ctx: Context, dealIds: readonly string[]): Promise<void> {
  await ctx.db.query(sql`
    insert into deal_history (workspace_id, deal_id, seq, at, recorded_at, actor_type, actor_id, valued, amount, currency,
      probability, expected_close_date, owner_id)
    select d.workspace_id, d.id, top.seq + 1, greatest(d.updated_at, last.at), d.updated_at, ${ctx.actor.type},
      ${ctx.actor.id}::uuid, true, d.amount, d.currency, d.probability, d.expected_close_date, d.owner_id
    from deals d
    cross join lateral (
      select max(h.seq) as seq from deal_history h where h.workspace_id = d.workspace_id and h.deal_id = d.id
    ) top
    cross join lateral (
      select h.* from deal_history h
      where h.workspace_id = d.workspace_id and h.deal_id = d.id and h.valued order by h.at desc, h.seq desc limit 1
    ) last
    where d.workspace_id = ${ctx.workspaceId} and d.id = any(${dealIds}::uuid[])
      and (d.amount, d.currency, d.probability, d.expected_close_date, d.owner_id)
        is distinct from (last.amount, last.currency, last.probability, last.expected_close_date, last.owner_id)`)
}
