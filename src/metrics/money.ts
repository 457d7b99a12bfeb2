import sql, { type Sql } from 'sql-template-tag'
import type { Field } from '../kernel/schema.js'
import { Type } from '../kernel/schema.js'

/** Money of a figure: an exact decimal as a string, rounded to ten decimals, which records do not have. */
export const FigureMoney = (description: string) =>
  Type.Unsafe<string>({
    type: 'string',
    'x-kind': 'decimal',
    pattern: '^-?[0-9]{1,30}(\\.[0-9]{1,10})?$',
    maxLength: 42,
    examples: ['6139.748243'],
    description
  }) as unknown as Field<string>

/** A numeric as figures show it. */
export const shown = (value: Sql): Sql => sql`trim_scale(round(${value}, 10))::text`
