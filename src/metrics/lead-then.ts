import sql, { join, raw, type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import { leads } from '../resources/leads/resource.js'
import { fieldThen } from './field-then.js'
import type { Frame } from './period.js'

/** What is told of leads later, or recorded later, does not exist for a figure. */
export const leadMoment = ({ asOf, knownAt }: Frame): Sql =>
  sql`least(${asOf}::timestamptz, ${knownAt}::timestamptz)`

/** A field of the lead `l` as of the figure; changes are looked up only where there are some since. */
function then(ctx: Context, frame: Frame, field: string, cast: string): Sql {
  const column = raw(`l."${leads.fields.get(field)!.column}"`)
  const moment = leadMoment(frame)
  const before = fieldThen(ctx, leads, 'l', field, moment)
  return sql`case when l.updated_at > greatest(l.created_at, ${moment}) then ${before}::${raw(cast)} else ${column} end`
}

/** Whether the lead `l` was given up as of the figure: nothing else became of it after that. */
export function givenUp(ctx: Context, frame: Frame): Sql {
  const asOf = sql`${frame.asOf}::timestamptz`
  const at = (field: string) => sql`(${then(ctx, frame, field, 'timestamptz')})`
  const until = at('unqualifiedAt')
  const later = ['workingAt', 'nurturingAt', 'qualifiedAt', 'convertedAt'].map(
    field => sql`coalesce(${at(field)} > ${until} and ${at(field)} <= ${asOf}, false)`
  )
  return sql`(case when ${until} <= ${asOf} then not (${join(later, ' or ')}) else false end)`
}

/** The deal that the lead `l` had as of the figure: it came with it, or was converted by then. */
export const dealThen = (ctx: Context, frame: Frame): Sql => sql`(${then(ctx, frame, 'dealId', 'uuid')})`

/** Whether it had one. */
export const linked = (ctx: Context, frame: Frame): Sql => sql`(${dealThen(ctx, frame)} is not null)`
