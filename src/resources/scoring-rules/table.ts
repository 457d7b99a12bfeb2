import { sql } from 'drizzle-orm'
import { check, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core'
import { recordColumns, recordIndexes } from '../../database/columns.js'

export const scoringRules = pgTable(
  'scoring_rules',
  {
    ...recordColumns(),
    field: text('field').notNull(),
    condition: jsonb('condition').$type<Record<string, unknown>>().notNull(),
    points: integer('points').notNull(),
    group: text('group').notNull(),
    halfLifeDays: integer('half_life_days')
  },
  t => [
    ...recordIndexes('scoring_rules', t),
    check('scoring_rules_half_life', sql`half_life_days is null or "group" = 'activity'`)
  ]
)
