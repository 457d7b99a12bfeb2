import { sql } from 'drizzle-orm'
import { pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { day, decimal, recordColumns, recordIndexes } from '../../database/columns.js'

export const exchangeRates = pgTable(
  'exchange_rates',
  {
    ...recordColumns(),
    date: day('date').notNull(),
    currency: text('currency').notNull(),
    rateToBase: decimal('rate_to_base').notNull()
  },
  t => [
    ...recordIndexes('exchange_rates', t),
    uniqueIndex('exchange_rates_day_key')
      .on(t.workspaceId, t.currency, t.date)
      .where(sql`deleted_at is null`)
  ]
)
