import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import { deals } from '../../resources/deals/resource.js'
import { mayBeIn, stageRows, stateOf } from './facts.js'
import type { DealScope } from './scope.js'

/** The column of a standing that tells when the deal last entered an open stage, by the index of the stage. */
export const entryOf = (stage: number): Sql => raw(`entry_${stage}`)

/** A moment at which deals are looked at, given from the latest one backwards. */
export interface At {
  at: string
}

/** What standings tell besides. */
export interface Besides {
  /** The stages that tell when a deal entered them last. */
  entries: readonly number[]
  /** Columns from the deal `d`, its stage `w` and its values `v`, after a comma. */
  columns: Sql
}

const later = (instant: string) => new Date(Date.parse(instant) + 1).toISOString()

/** Moments are told by how many of them lie before: those of a row are from its own such number on, to that of the next. */
function momentsBefore(moments: readonly At[], at: Sql): Sql {
  const ends = moments.map(m => later(m.at)).reverse()
  return sql`width_bucket(${at}, ${ends}::timestamptz[])`
}

// The stages of the deal d, or of all deals: since when, how far and how long it was on its way.
function stagesOf(scope: DealScope, moments: readonly At[], { entries }: Besides, of: 'd' | 'all'): Sql {
  const { own } = scope.pipeline
  const entered = entries.map(
    i => sql`max(f.at) filter (where f.entered and f.stage = ${i}::int) over way as ${entryOf(i)},`
  )
  return sql`
    select w.*, ${stateOf(scope, raw('w.stage'))} as state from (
      select f.deal_id, f.stage, f.before as low, lead(f.before, 1, ${moments.length}::int) over way as high,
        ${entered.length > 0 ? join(entered, ' ') : empty}
        min(f.stage) over way as least,
        max(f.position) filter (where f.kind = 'open' and f.stage < ${own}::int) over way as furthest,
        min(f.at) filter (where f.stage < ${own}::int) over way as first_at,
        max(f.at) filter (where f.entered) over way as last_at
      from (select r.*, ${momentsBefore(moments, raw('r.at'))} as before from (${stageRows(scope, of)}) r) f
      window way as (partition by f.deal_id order by f.at, f.seq)
    ) w where w.low < w.high and w.least < ${own}::int`
}

// The values of the deal d, or of all deals. Before its first values a deal has those.
const valuesOf = ({ ctx, frame }: DealScope, moments: readonly At[], of: 'd' | 'all'): Sql => sql`
  select h.deal_id, h.amount, h.currency, h.probability, h.expected_close_date,
    case when row_number() over known = 1 then 0 else ${momentsBefore(moments, raw('h.at'))} end as low,
    lead(${momentsBefore(moments, raw('h.at'))}, 1, ${moments.length}::int) over known as high
  from deal_history h
  where h.workspace_id = ${ctx.workspaceId} ${of === 'd' ? sql`and h.deal_id = d.id` : empty} and h.valued
    and h.recorded_at <= ${frame.knownAt}::timestamptz
  window known as (partition by h.deal_id order by h.at, h.seq)`

/**
 * How deals stood at the moments, as `stood`: a row for each run of moments, from `n` back `through` another one, at
 * which a deal was in the same stage with the same values. One pass through the histories finds all of them; for the
 * deals of a filter each is looked up.
 */
export function standings(scope: DealScope, moments: readonly At[], besides: Besides): Sql {
  const { ctx, cuts, filter } = scope
  const of = scope.all ? 'all' : 'd'
  const stages = sql`(${stagesOf(scope, moments, besides, of)}) w`
  const values = sql`(${valuesOf(scope, moments, of)}) v`
  const meets = sql`v.low < w.high and w.low < v.high`
  const found =
    of === 'all'
      ? sql`join ${stages} on w.deal_id = d.id left join ${values} on v.deal_id = d.id and ${meets} ${cuts.joins}
          where ${visible(ctx, deals, 'd')} and d.deleted_at is null`
      : sql`${cuts.joins} cross join lateral ${stages} left join lateral ${values} on ${meets}
          where ${visible(ctx, deals, 'd')} and d.deleted_at is null and ${filter} and ${mayBeIn(scope)}`
  const last = moments.length - 1
  return sql`stood as materialized (
    select d.id, d.product_id, w.*, v.amount, v.currency, v.probability, v.expected_close_date,
      ${last + 1}::int - least(w.high, v.high) as n, ${last}::int - greatest(w.low, v.low) as through
      ${besides.columns} ${cuts.keys}
    from deals d ${found}
  )`
}
