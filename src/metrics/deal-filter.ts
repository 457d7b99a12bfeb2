import sql, { join, raw, type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import { deals } from '../resources/deals/resource.js'
import { dealStageColumns, stagesThen } from './deal-stages.js'
import { openedThen, toldByDeal } from './deal-state.js'
import { dealValueColumns, dealValues } from './deal-values.js'
import { filtered, type Request } from './parameters.js'
import type { Frame } from './period.js'

type Asked = Request<{ filter?: Record<string, unknown>; asOf?: string; knownAt?: string }>

const fields = (columns: Readonly<Record<string, string>>, of: string) =>
  Object.values(columns).map(column => sql`${column}::text, ${raw(`${of}.${column}`)}`)

/**
 * The filter of a request as a condition on the deals `d`. Where it asks about a moment, what a deal's history tells is
 * compared as it was then; what the deal says itself needs no looking up.
 */
export function filteredDeals(ctx: Context, request: Asked, frame: Frame): Sql {
  const { filter = {}, asOf, knownAt } = request.given
  const now = filtered(ctx, deals, 'd', request)
  if (Object.keys(filter).length === 0 || (asOf === undefined && knownAt === undefined)) return now
  const then = [
    ...fields(dealValueColumns, 'v'),
    ...fields(dealStageColumns, 'w'),
    sql`'opened_at', ${openedThen(ctx, frame)}`
  ]
  return sql`(case when ${toldByDeal('d', sql`${frame.asOf}::timestamptz`, frame)} then ${now} else exists (
    select from (values (1)) one
      ${dealValues(ctx, frame, 'd', 'v', 'last')} ${stagesThen(ctx, frame, 'd', 'w', 'last')}
      cross join lateral jsonb_populate_record(d, jsonb_build_object(${join(then, ', ')})) dt
    where ${filtered(ctx, deals, 'dt', request)}) end)`
}
