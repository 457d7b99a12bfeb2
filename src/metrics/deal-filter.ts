import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import { deals } from '../resources/deals/resource.js'
import { dealStageColumns, stagesThen } from './deal-stages.js'
import { openedThen, toldByDeal } from './deal-state.js'
import { dealValueColumns, dealValues } from './deal-values.js'
import { filtered, type Request } from './parameters.js'
import type { Frame } from './period.js'

type Asked = Request<{ filter?: Record<string, unknown>; asOf?: string; knownAt?: string }>

const namesIn = (filter: unknown): string[] =>
  typeof filter === 'object' && filter !== null
    ? Object.entries(filter).flatMap(([name, part]) => [name, ...namesIn(part)])
    : []

// Fields that a filter may be about, those within related records among them.
function fieldsOf(filter: Record<string, unknown>): Set<string> {
  const links = deals.relations
  return new Set(
    namesIn(filter).map(name => {
      const link = Object.hasOwn(links, name) ? links[name] : undefined
      return link?.kind === 'one' ? link.field : name
    })
  )
}

/**
 * The filter of a request as a condition on the deals `d`. Where it asks about a moment, what a deal's history tells is
 * compared as it was then; what the deal says itself needs no looking up.
 */
export function filteredDeals(ctx: Context, request: Asked, frame: Frame): Sql {
  const { filter = {}, asOf, knownAt } = request.given
  const now = filtered(ctx, deals, 'd', request)
  if (asOf === undefined && knownAt === undefined) return now
  const asked = fieldsOf(filter)
  const told = (columns: Readonly<Record<string, string>>, of: string) =>
    Object.entries(columns)
      .filter(([name]) => asked.has(name))
      .map(([, column]) => sql`${column}::text, ${raw(`${of}.${column}`)}`)
  const [values, stages] = [told(dealValueColumns, 'v'), told(dealStageColumns, 'w')]
  const opened = asked.has('openedAt') ? [sql`'opened_at', ${openedThen(ctx, frame)}`] : []
  const then = [...values, ...stages, ...opened]
  if (then.length === 0) return now
  return sql`(case when ${toldByDeal('d', sql`${frame.asOf}::timestamptz`, frame)} then ${now} else exists (
    select from (values (1)) one
      ${values.length > 0 ? dealValues(ctx, frame, 'd', 'v', 'last') : empty}
      ${stages.length > 0 ? stagesThen(ctx, frame, 'd', 'w', 'last') : empty}
      cross join lateral jsonb_populate_record(d, jsonb_build_object(${join(then, ', ')})) dt
    where ${filtered(ctx, deals, 'dt', request)}) end)`
}
