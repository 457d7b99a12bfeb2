import { sql } from 'drizzle-orm'
import { check, index, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { belongsTo, day, decimal, recordColumns, recordIndexes } from '../../database/columns.js'
import { campaigns } from '../campaigns/table.js'

/** A cost lies on one day, or is spread evenly over the days of a span. */
export const costs = pgTable(
  'costs',
  {
    ...recordColumns(),
    date: day('date'),
    from: day('from'),
    to: day('to'),
    category: text('category').notNull().default('marketing'),
    campaignId: uuid('campaign_id'),
    channel: text('channel'),
    amount: decimal('amount').notNull(),
    currency: text('currency').notNull(),
    description: text('description')
  },
  t => [
    ...recordIndexes('costs', t),
    index('costs_campaign').on(t.workspaceId, t.campaignId, t.createdAt, t.id),
    index('costs_date').on(t.workspaceId, sql`coalesce(${t.date}, 'infinity'::date)`, t.id),
    belongsTo('costs_campaign', t.workspaceId, t.campaignId, campaigns),
    check('costs_when', sql`(date is null) <> ("from" is null) and ("from" is null) = ("to" is null)`),
    check('costs_span', sql`"to" >= "from"`),
    check('costs_amount', sql`amount >= 0`)
  ]
)
