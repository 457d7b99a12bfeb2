import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import { deals } from '../../resources/deals/resource.js'
import { days } from '../durations.js'
import { inPeriod } from '../period.js'
import { mayBeIn, stateOf, waysOf } from './facts.js'
import type { DealScope } from './scope.js'
import { kindsOf } from './stages.js'

const at = (i: Sql) => sql`s.ats[${i}]`
const stage = (i: Sql) => sql`s.stages[${i}]`
const own = raw('s.i')
const j = raw('y.i')

/** Whether the deal entered a stage with a row of its way: several in a row are one visit. */
const entered = (i: Sql) => sql`${stage(sql`${i} - 1`)} is distinct from ${stage(i)}`

// The row of the way in which the visit that began with a row ended: nearly always the next one.
const endOf = (i: Sql) => sql`case when ${stage(sql`${i} + 1`)} is distinct from ${stage(i)} then ${i} + 1
  else coalesce((select min(y.i) from generate_subscripts(s.stages, 1) as y(i) where y.i > ${i} and ${stage(j)} <> ${stage(i)}),
    cardinality(s.stages) + 1) end`

type Column = 'completed' | 'days' | 'outcome' | 'state' | 'again' | 'visited' | 'nth' | 'lasted'

type Columns = Record<Column, Sql>

/** Which visits are asked for, and what of them. */
interface VisitQuery {
  columns: readonly Column[]
  /** The condition on when a visit began. */
  period(at: Sql): Sql
  /** A further one on what there is to know of it. */
  only?(column: Columns): Sql
}

// What there is to know of the visit that begins with row i of the way s and ends with row `next`.
function columnsOf(scope: DealScope): Columns {
  const { frame, durations, pipeline } = scope
  const { won, lost } = kindsOf(pipeline)
  const until = raw('s.ats[s.next]')
  const next = raw('s.stages[s.next]')
  const now = sql`${frame.asOf}::timestamptz`
  const length = days(frame, durations, at(own), sql`coalesce(${until}, ${now})`)
  const again = sql`(array_position(s.stages, s.stage) < s.i or array_position(s.stages, s.stage, s.next) is not null)`
  return {
    completed: raw('s.next <= cardinality(s.stages)'),
    days: sql`${length}::float8`,
    outcome: sql`case
        when ${next} is null then 'still_there'
        when ${next} >= ${pipeline.own}::int then 'handed_over'
        when ${next} = any(${lost}::int[]) then 'lost'
        when ${next} = any(${won}::int[]) then 'advanced'
        when s.stage = any(${won}::int[]) or s.positions[s.next] < s.positions[s.i] then 'moved_back'
        else 'advanced'
      end`,
    state: stateOf(scope, raw('s.stages[cardinality(s.stages)]')),
    again,
    visited: raw('s.stage'),
    nth: own,
    lasted: sql`case when ${again} then ${length} end`
  }
}

/**
 * Visits of deals to stages of the pipeline, a row each: the deal's `id`, `stage`, all won ones being one, and of these
 * columns those asked for: how many `days` it lasted, until now if it is not `completed`; `outcome`, what came of it;
 * `state`, that of the deal; `again`, whether the deal was in the stage at other times too, with then the exact days that
 * it `lasted`; `visited`, the stage itself, and `nth`, the place in the way. Of the deals that the filter lets through.
 * For all deals one pass through the histories takes less than to look up each. Every `offset 0` keeps the expressions within
 * from being put, and worked out, wherever they are used.
 */
export function visitFacts(scope: DealScope, name: string, { columns, period, only }: VisitQuery): Sql {
  const { ctx, cuts, filter, pipeline } = scope
  const { won, lost } = kindsOf(pipeline)
  const found = columnsOf(scope)
  const ways = scope.all
    ? sql`join (${waysOf(scope, 'all')}) w on w.deal_id = d.id ${cuts.joins}
      where ${visible(ctx, deals, 'd')} and d.deleted_at is null`
    : sql`${cuts.joins} cross join lateral (${waysOf(scope, 'd')}) w
      where ${visible(ctx, deals, 'd')} and d.deleted_at is null and ${filter} and ${mayBeIn(scope)}`
  return sql`${raw(name)} as (
    select s.id, case when s.stage = any(${won}::int[]) then ${won[0] ?? -1}::int else s.stage end as stage,
      ${join(
        columns.map(c => sql`${found[c]} as ${raw(c)}`),
        ', '
      )} ${cuts.bucket(at(own))} ${raw(cuts.dimensions.map((_, n) => `, s.key_${n + 1}`).join(''))}
    from (
      select s.*, ${stage(own)} as stage, ${endOf(own)} as next from (
        select d.id, w.ats, w.stages, w.positions, generate_subscripts(w.stages, 1) as i ${cuts.keys}
        from deals d ${ways}
      ) s where ${entered(own)} and ${stage(own)} < ${pipeline.own}::int and not ${stage(own)} = any(${lost}::int[]) offset 0
    ) s where true ${period(at(own))} ${only ? sql`and ${only(found)}` : empty} offset 0
  )`
}

/** The visits that began in the period. */
export const visitsInPeriod = (scope: DealScope, columns: readonly Column[]) =>
  visitFacts(scope, 'facts', { columns, period: at => inPeriod(at, scope.frame) })

/**
 * The same as stays: each with `last`, whether the deal came back to the stage no more, and `total`, the days of all its
 * visits to a stage that it was in again; of those alone more is looked at.
 */
export const staysInPeriod = (scope: DealScope): Sql => sql`
  ${visitFacts(scope, 'visits', {
    columns: ['completed', 'days', 'again', 'visited', 'nth', 'lasted'],
    period: at => inPeriod(at, scope.frame)
  })}, facts as (
    select v.*, true as last, null::float8 as total from visits v where not v.again
    union all
    select v.*, v.nth = max(v.nth) over stay, (sum(v.lasted) over stay)::float8
    from visits v where v.again window stay as (partition by v.id, v.visited)
  )`
