import { sql } from 'drizzle-orm'
import { check, index, pgTable, text } from 'drizzle-orm/pg-core'
import {
  day,
  decimal,
  recordColumns,
  recordIndexes,
  searchColumn,
  searchIndex,
  textSort
} from '../../database/columns.js'

export const campaigns = pgTable(
  'campaigns',
  {
    ...recordColumns(),
    name: text('name').notNull(),
    description: text('description'),
    channel: text('channel'),
    direction: text('direction'),
    startDate: day('start_date'),
    endDate: day('end_date'),
    budget: decimal('budget'),
    currency: text('currency'),
    searchText: searchColumn({ title: ['name'] })
  },
  t => [
    ...recordIndexes('campaigns', t),
    searchIndex('campaigns', t),
    index('campaigns_name').on(t.workspaceId, textSort(t.name, false), t.id),
    check('campaigns_dates', sql`end_date >= start_date`)
  ]
)
