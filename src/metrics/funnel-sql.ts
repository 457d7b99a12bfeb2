import sql, { empty, type Sql } from 'sql-template-tag'
import { visible } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { deals } from '../resources/deals/resource.js'
import { inPeriod, type Frame } from './period.js'
import type { PipelineThen } from './pipeline.js'

/** Which deals a funnel is about. */
export interface FunnelQuery {
  pipeline: PipelineThen
  frame: Frame
  cohort: 'created' | 'closed'
  /** A condition on the deals `d`. */
  filter: Sql
}

/** What is counted; stages are indexes into those of the pipeline. */
export interface FunnelCounts {
  [column: string]: unknown
  totals: { deals: number; won: number; lost: number; open: number; everWon: number; handedOver: number }
  stages: { stage: number; reached: number; entered: number; openNow: number; lostFrom: number }[]
  moves: { move: Move; moves: number; deals: number }[]
  transitions: { from: number; to: number; count: number }[]
}

export type Move = 'forward' | 'skip' | 'backward' | 'reopen' | 'handed_over'

const mayBeIn = (ctx: Context, pipeline: PipelineThen, own: string[]) => sql`
  (d.pipeline_id = ${pipeline.id} or exists (
    select from deal_history x
    where x.workspace_id = ${ctx.workspaceId} and x.deal_id = d.id and x.stage_id = any(${own}::uuid[])))`

// Leaves out early the deals without a close in the period: the last close would be one.
const closedInPeriod = (ctx: Context, { frame }: FunnelQuery, own: string[]) => sql`and exists (
  select from deal_history c
  where c.workspace_id = ${ctx.workspaceId} and c.deal_id = d.id and c.kind in ('won', 'lost')
    and c.stage_id = any(${own}::uuid[]) ${inPeriod(sql`c.at`, frame)})`

// The stage rows of the deal d, of any pipeline, each with the version of the pipeline that it was written under.
function facts(ctx: Context, { pipeline, frame, cohort }: FunnelQuery, ids: string[]): Sql {
  return sql`
    select h.at, h.seq, h.kind, h.position, array_position(${ids}::uuid[], h.stage_id) - 1 as stage,
      width_bucket(h.recorded_at, ${pipeline.changes}::timestamptz[]) as version
      ${cohort === 'closed' ? sql`, h.stage_id is distinct from lag(h.stage_id) over (order by h.at, h.seq) as entered` : empty}
    from deal_history h
    where h.workspace_id = ${ctx.workspaceId} and h.deal_id = d.id and h.stage_id is not null
      and h.at <= ${frame.asOf}::timestamptz and h.recorded_at <= ${frame.knownAt}::timestamptz`
}

// A deal's path is the list of its stages. The history is looked up deal by deal: a join in which the planner may
// choose goes wrong by orders of magnitude for a workspace that its statistics do not know yet.
function walks(ctx: Context, query: FunnelQuery): Sql {
  const { pipeline, frame, cohort, filter } = query
  const ids = pipeline.stages.map(s => s.id)
  const own = ids.slice(0, pipeline.own)
  const closed = cohort === 'closed'
  return sql`
    select w.path, w.furthest
    from deals d cross join lateral (
      select array_agg(f.stage * ${pipeline.changes.length + 1}::int + f.version order by f.at, f.seq) as path,
        max(f.position) filter (where f.kind = 'open' and f.stage < ${pipeline.own}::int) as furthest,
        min(f.stage) as least ${closed ? sql`, max(f.at) filter (where f.entered) as closed` : empty}
      from (${facts(ctx, query, ids)}) f
    ) w
    where ${visible(ctx, deals, 'd')} and d.deleted_at is null and ${filter} and ${mayBeIn(ctx, pipeline, own)}
      ${closed ? closedInPeriod(ctx, query, own) : empty} and w.least < ${pipeline.own}::int ${inPeriod(closed ? sql`w.closed` : sql`d.opened_at`, frame)}`
}

/**
 * The statement behind the funnel. Deals that went the same way are counted first; all that follows is arithmetic on
 * the few different paths. A stage of another pipeline has no standing, so its kind is null.
 */
export function funnelSql(ctx: Context, query: FunnelQuery): Sql {
  const { pipeline, cohort } = query
  const versions = pipeline.changes.length + 1
  const own = pipeline.stages.slice(0, pipeline.own)
  return sql`
    with standing as materialized (
      select * from json_to_recordset(${JSON.stringify(pipeline.standings)}::json)
        as s(version int, stage int, kind text, place int, before int, through int, after int)
    ), paths as materialized (
      select row_number() over () as id, w.path, w.furthest, count(*)::int as deals
      from (${walks(ctx, query)}) w group by w.path, w.furthest
    ), steps as materialized (
      select p.id, p.deals, p.furthest, w.nth, c.stage, c.version, s.kind, lag(c.stage) over path as from_stage,
        greatest(c.version, lag(c.version) over path) as version_of_both, lag(s.kind) over path as from_kind
      from paths p cross join lateral unnest(p.path) with ordinality as w(code, nth)
        cross join lateral (
          select w.code / ${versions}::int as stage, w.code % ${versions}::int as version
        ) c
        left join standing s on s.stage = c.stage and s.version = c.version
      window path as (partition by p.id order by w.nth)
    ), ends as materialized (
      select id, deals, furthest, (array_agg(kind order by nth desc))[1] as state,
        (array_agg(stage order by nth desc))[1] as stage,
        (array_agg(stage order by nth desc) filter (where kind = 'open'))[1] as last_open,
        bool_or(kind = 'won') as ever_won, array_agg(distinct stage) as entered
      from steps group by id, deals, furthest ${cohort === 'closed' ? closedNow : empty}
    ), moves as materialized (
      select e.id, e.deals, s.from_stage, s.stage,
        case
          when s.kind is null then 'handed_over'
          when s.from_kind <> 'open' then case when s.kind = 'open' then 'reopen' end
          when s.kind = 'won' then case when a.after > 0 then 'skip' end
          when s.kind = 'lost' then null
          when b.place < a.place then 'backward'
          when b.before > a.through then 'skip'
          else 'forward'
        end as move
      from steps s join ends e on e.id = s.id
        join standing a on a.stage = s.from_stage and a.version = s.version_of_both
        left join standing b on b.stage = s.stage and b.version = s.version_of_both
      where s.stage <> s.from_stage
    )
    select (
      select row_to_json(t) from (
        select coalesce(sum(deals) filter (where state is not null), 0) as deals,
          coalesce(sum(deals) filter (where state = 'won'), 0) as won,
          coalesce(sum(deals) filter (where state = 'lost'), 0) as lost,
          coalesce(sum(deals) filter (where state = 'open'), 0) as open,
          coalesce(sum(deals) filter (where state is not null and ever_won), 0) as "everWon",
          coalesce(sum(deals) filter (where state is null), 0) as "handedOver"
        from ends) t
    ) as totals, (
      select coalesce(json_agg(t), '[]') from (
        select l.stage,
          coalesce(sum(e.deals) filter (where e.state = 'won' or e.furthest >= l.position), 0) as reached,
          coalesce(sum(e.deals) filter (where l.stage = any(e.entered)), 0) as entered,
          coalesce(sum(e.deals) filter (where e.state = 'open' and e.stage = l.stage), 0) as "openNow",
          coalesce(sum(e.deals) filter (where e.state = 'lost' and e.last_open = l.stage), 0) as "lostFrom"
        from json_to_recordset(${JSON.stringify(own.map(({ position }, stage) => ({ stage, position })))}::json)
          as l(stage int, position int)
          left join ends e on e.state is not null
        group by l.stage) t
    ) as stages, (
      select coalesce(json_agg(t), '[]') from (
        select move, sum(moves) as moves, sum(deals) as deals
        from (select move, deals, deals * count(*) as moves from moves where move is not null group by id, move, deals) m
        group by move) t
    ) as moves, (
      select coalesce(json_agg(t), '[]') from (
        select from_stage as "from", stage as "to", sum(deals) as count
        from moves group by 1, 2 order by 1, 2) t
    ) as transitions`
}

const closedNow = sql`having (array_agg(kind order by nth desc))[1] in ('won', 'lost')`
