import sql, { type Sql } from 'sql-template-tag'
import { localDay, type Frame } from './period.js'

/** How durations are measured. */
export type Durations = 'elapsed' | 'calendar'

/** The days from one instant to another: those of 86,400 seconds, or the difference of local dates. */
export function days({ timeZone }: Frame, durations: Durations, from: Sql, to: Sql): Sql {
  if (durations === 'calendar') return sql`(${localDay(timeZone, to)} - ${localDay(timeZone, from)})::numeric`
  return sql`(extract(epoch from ${to} - ${from}) / 86400)`
}
