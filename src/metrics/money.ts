import sql, { type Sql } from 'sql-template-tag'

/** A numeric as figures show it. */
export const shown = (value: Sql): Sql => sql`trim_scale(round(${value}, 10))::text`
