import { pgTable, text } from 'drizzle-orm/pg-core'
import { recordColumns, recordIndexes } from '../../database/columns.js'

/** One row a workspace; its id is its workspace id, so it is read like any other record. */
export const workspaces = pgTable(
  'workspaces',
  {
    ...recordColumns(),
    name: text('name').notNull(),
    timeZone: text('time_zone').notNull().default('UTC'),
    baseCurrency: text('base_currency').notNull().default('EUR'),
    fiscalYearStart: text('fiscal_year_start').notNull().default('01-01'),
    locale: text('locale').notNull().default('en')
  },
  t => recordIndexes('workspaces', t)
)
