import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { authorize, visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { filterSql } from '../../kernel/filter.js'
import { activities } from '../../resources/activities/resource.js'
import { leads } from '../../resources/leads/resource.js'
import { scoringFilter, scoringRules } from '../../resources/scoring-rules/resource.js'
import { touches } from '../../resources/touches/resource.js'
import type { Frame } from '../period.js'
import { recordsThen } from '../records-then.js'
import { asked, portionSql, type Portion } from './leads-sql.js'

/** A rule as it is written. */
export interface Rule {
  [column: string]: unknown
  id: string
  field: string
  condition: Record<string, unknown>
  points: number
  group: 'fit' | 'bant' | 'activity'
  halfLifeDays: number | null
}

/** A lead with what each rule gives it. */
export interface RuledRow {
  [column: string]: unknown
  id: string
  points: number[]
  /** What came of it, where that is asked for. */
  outcome?: boolean
  closed?: boolean
}

/** The rules that count. */
export const rulesSql = (ctx: Context, frame: Frame): Sql => sql`
  select r.id, r.field, r.condition, r.points, r."group", r.half_life_days as "halfLifeDays"
  from ${recordsThen(ctx, frame, scoringRules, 'r')}
  where ${visible(ctx, scoringRules, 'r')} and r.deleted_at is null and r.created_at <= ${frame.knownAt}::timestamptz
  order by r.id`

const timed = { activities, touches } as const

// Every record that matches gives points, the fewer the longer ago it was.
function faded(ctx: Context, frame: Frame, { field, condition, points, halfLifeDays }: Rule): Sql {
  const { asOf, knownAt } = frame
  const [root, ...rest] = field.split('.')
  const resource = timed[root as keyof typeof timed]
  authorize(ctx, resource.permissions.read)
  const inner = rest.length > 0 ? scoringFilter({ field: rest.join('.'), condition }) : condition
  const age = sql`extract(epoch from ${asOf}::timestamptz - a.occurred_at) / 86400`
  // PostgreSQL refuses a power that is too small for a number; so few points are none.
  const halvings = sql`least((${age})::float8 / ${halfLifeDays}::float8, 1000)`
  const left = halfLifeDays === null ? raw('1') : sql`power(2::float8, -${halvings})`
  return sql`(
    select coalesce(sum(${points}::float8 * ${left}), 0) from ${recordsThen(ctx, frame, resource, 'a')}
    where ${visible(ctx, resource, 'a')} and a.deleted_at is null and a.lead_id = l.id
      and a.occurred_at <= ${asOf}::timestamptz and a.created_at <= ${knownAt}::timestamptz
      and ${filterSql(ctx, resource, 'a', inner)})`
}

const pointsOf = (ctx: Context, frame: Frame, rule: Rule): Sql =>
  rule.group === 'activity'
    ? faded(ctx, frame, rule)
    : sql`case when ${filterSql(ctx, leads, 'l', scoringFilter(rule))} then ${rule.points}::float8 else 0 end`

/** Which leads get points. */
export interface RuledQuery {
  frame: Frame
  rules: readonly Rule[]
  /** A condition on the leads `l`. */
  filter: Sql
  /** Columns besides. */
  columns?: Sql
}

/** The points of a portion of leads by every rule, in their order. */
export function ruledSql(ctx: Context, { frame, rules, filter, columns }: RuledQuery, portion: Portion): Sql {
  const points = rules.map(rule => pointsOf(ctx, frame, rule))
  return sql`
    select l.id, array[${points.length > 0 ? join(points, ', ') : empty}]::float8[] as points
      ${columns ? sql`, ${columns}` : empty}
    from ${recordsThen(ctx, frame, leads, 'l')} where ${asked(ctx, frame, filter)} ${portionSql(portion)}`
}
