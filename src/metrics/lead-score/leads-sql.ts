import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { deals } from '../../resources/deals/resource.js'
import { leads } from '../../resources/leads/resource.js'
import type { Cuts } from '../counted.js'
import { dealState } from '../deal-state.js'
import { givenUp, linked } from '../lead-then.js'
import { inPeriod, type Frame } from '../period.js'
import { recordsThen } from '../records-then.js'

/** What came of a lead. */
export interface OutcomeQuery {
  frame: Frame
  outcome: Sql | undefined
  maturityDays: number
}

/** Which leads are learnt from, and what of them; conditions are on the leads `l`. */
export interface LearningQuery extends OutcomeQuery {
  /** The values of features, as groups would be. */
  values: Cuts
  filter: Sql
  train: Sql | undefined
  test: Sql | undefined
  /** The most leads to read. */
  limit: number
}

/** A settled lead with the values of its features. */
export interface SettledRow {
  [column: string]: unknown
  values: (string | number | boolean | null)[]
  outcome: boolean
  train: boolean | null
  test: boolean | null
}

const won = (ctx: Context, frame: Frame) => sql`${linked(ctx, frame)} and exists (
  select from deals d ${dealState(ctx, frame)}
  where ${visible(ctx, deals, 'd')} and d.deleted_at is null and (d.lead_id = l.id or d.id = l.deal_id) and w.kind = 'won')`

/** The columns `outcome`, whether a lead was a success, and `closed`, whether it is settled even if it was none. */
export const outcomeColumns = (ctx: Context, { frame, outcome, maturityDays }: OutcomeQuery): Sql => sql`
  ${outcome ?? won(ctx, frame)} as outcome, ${givenUp(ctx, frame)}
    or l.captured_at <= ${frame.asOf}::timestamptz - make_interval(days => ${maturityDays}::int) as closed`

/** The condition on the leads `l` that they are there as of the figure, and asked for. */
export const asked = (ctx: Context, frame: Frame, filter: Sql): Sql => sql`
  ${visible(ctx, leads, 'l')} and l.deleted_at is null and l.captured_at <= ${frame.asOf}::timestamptz
    and l.created_at <= ${frame.knownAt}::timestamptz and ${filter} ${inPeriod(raw('l.captured_at'), frame)}`

/** The values of features, as a JSON array. */
function valuesSql({ dimensions }: Cuts): Sql {
  const shown = dimensions.map(d => d.shown(d.value))
  return sql`jsonb_build_array(${shown.length > 0 ? join(shown, ', ') : empty}) as values`
}

/** The leads that are settled, the earliest first. */
export function settledSql(ctx: Context, query: LearningQuery): Sql {
  const { frame, values, filter, train, test, limit } = query
  return sql`
    select f.values, f.outcome, f.train, f.test from (
      select l.id, l.captured_at, ${valuesSql(values)}, ${outcomeColumns(ctx, query)},
        ${train ?? sql`null::boolean`} as train, ${test ?? sql`null::boolean`} as test
      from ${recordsThen(ctx, frame, leads, 'l')} ${values.joins} where ${asked(ctx, frame, filter)}
    ) f
    where (f.outcome or f.closed) ${train && test ? sql`and (f.train or f.test)` : empty}
    order by f.captured_at, f.id limit ${limit}`
}

/** A portion of leads in the order of their ids. */
export interface Portion {
  size: number
  /** The last lead of the portion before. */
  after: string | undefined
}

/** The condition and the end of a statement that reads a portion of the leads `l`. */
export const portionSql = ({ size, after }: Portion): Sql =>
  sql`${after === undefined ? empty : sql`and l.id > ${after}::uuid`} order by l.id limit ${size}`

/** The values of a portion of leads. */
export const valuesOfLeads = (
  ctx: Context,
  { frame, values, filter }: Pick<LearningQuery, 'frame' | 'values' | 'filter'>,
  portion: Portion
): Sql => sql`
  select l.id, ${valuesSql(values)} from ${recordsThen(ctx, frame, leads, 'l')} ${values.joins}
  where ${asked(ctx, frame, filter)} ${portionSql(portion)}`
