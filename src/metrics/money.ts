import type Big from 'big.js'
import sql, { type Sql } from 'sql-template-tag'

/** A numeric as figures show it. */
export const shown = (value: Sql): Sql => sql`trim_scale(round(${value}, 10))::text`

/** An exact decimal as figures show it. */
export const decimal = (value: Big): string => value.round(10).toFixed()
