import sql, { raw, type Sql } from 'sql-template-tag'
import { checkValue, count, reject, type Scan } from './filter-values.js'
import type { FieldInfo } from './resource.js'
import { About, Closed, Enum, Integer, TimeZone, Type, type Static } from './schema.js'
import { boundsOf, isOfClock, partOf, parts } from './time-grains.js'

/** What `part` takes: a part of the clock or the calendar, and the number that it is to have. */
export const TimePart = Closed(
  {
    of: About('Which part.', Enum('TimePart', parts)),
    eq: About(
      'Hours from 0 to 23, days of the week from Monday 1 to Sunday 7, months from 1.',
      Integer(0, 23)
    ),
    timeZone: Type.Optional(
      About('Where clocks show it, IANA; needed for a time, not for a day.', TimeZone())
    )
  },
  { 'x-type': 'TimePartCondition', description: 'A part of the clock or the calendar.' }
)

/** Whether a field can be asked for a part of its time. */
export const hasParts = ({ kind }: FieldInfo) => kind === 'instant' || kind === 'day'

/** The condition that a time or a day has this hour, day of the week or month. */
export function partCondition(
  scan: Scan,
  field: FieldInfo,
  alias: string,
  value: unknown,
  path: string
): Sql {
  count(scan, 'conditions', path)
  checkValue(scan, TimePart, value, path)
  const { of, eq, timeZone } = value as Static<typeof TimePart>
  const [least, most] = boundsOf[of]
  if (eq < least || eq > most) reject(scan, `${path}/eq`, 'range', `${of} goes from ${least} to ${most}.`)
  const column = raw(`${alias}."${field.column}"`)
  if (field.kind === 'day') {
    if (isOfClock(of)) reject(scan, `${path}/of`, 'not_allowed', 'A day has no hours.')
    if (timeZone != null) reject(scan, `${path}/timeZone`, 'not_allowed', 'A day is in no time zone.')
    return sql`${partOf(of, column)} = ${eq}::int`
  }
  if (timeZone == null) reject(scan, `${path}/timeZone`, 'required', 'Give the time zone of the clock.')
  return sql`${partOf(of, sql`timezone(${timeZone}::text, ${column})`)} = ${eq}::int`
}
