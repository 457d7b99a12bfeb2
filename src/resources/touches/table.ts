import { sql } from 'drizzle-orm'
import { check, index, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { belongsTo, instant, recordColumns, recordIndexes } from '../../database/columns.js'
import { campaigns } from '../campaigns/table.js'
import { contacts } from '../contacts/table.js'
import { leads } from '../leads/table.js'

export const touches = pgTable(
  'touches',
  {
    ...recordColumns(),
    leadId: uuid('lead_id'),
    contactId: uuid('contact_id'),
    channel: text('channel').notNull(),
    campaignId: uuid('campaign_id'),
    occurredAt: instant('occurred_at')
      .notNull()
      .default(sql`now()`),
    seq: integer('seq').notNull().default(0)
  },
  t => [
    ...recordIndexes('touches', t),
    index('touches_occurred').on(t.workspaceId, t.occurredAt, t.id),
    index('touches_lead').on(t.workspaceId, t.leadId, t.occurredAt, t.seq),
    index('touches_contact').on(t.workspaceId, t.contactId, t.occurredAt, t.seq),
    index('touches_campaign').on(t.workspaceId, t.campaignId, t.createdAt, t.id),
    belongsTo('touches_lead', t.workspaceId, t.leadId, leads),
    belongsTo('touches_contact', t.workspaceId, t.contactId, contacts),
    belongsTo('touches_campaign', t.workspaceId, t.campaignId, campaigns),
    check('touches_whom', sql`lead_id is not null or contact_id is not null`)
  ]
)
