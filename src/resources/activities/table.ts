import { sql } from 'drizzle-orm'
import { check, index, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import {
  belongsTo,
  instant,
  recordColumns,
  recordIndexes,
  searchColumn,
  searchIndex
} from '../../database/columns.js'
import { campaigns } from '../campaigns/table.js'
import { companies } from '../companies/table.js'
import { contacts } from '../contacts/table.js'
import { deals } from '../deals/table.js'
import { leads } from '../leads/table.js'
import { users } from '../identity/table.js'

const due = sql`coalesce(due_at, 'infinity'::timestamptz)`
const open = sql`status = 'planned' and deleted_at is null`

/** What was or is to be done. Most are done, so what a list of the others reads is indexed apart. */
export const activities = pgTable(
  'activities',
  {
    ...recordColumns(),
    type: text('type').notNull(),
    direction: text('direction'),
    subject: text('subject'),
    body: text('body'),
    status: text('status').notNull().default('completed'),
    dueAt: instant('due_at'),
    occurredAt: instant('occurred_at')
      .notNull()
      .default(sql`now()`),
    endedAt: instant('ended_at'),
    completedAt: instant('completed_at'),
    outcome: text('outcome'),
    channel: text('channel'),
    campaignId: uuid('campaign_id'),
    contactId: uuid('contact_id'),
    companyId: uuid('company_id'),
    leadId: uuid('lead_id'),
    dealId: uuid('deal_id'),
    ownerId: uuid('owner_id'),
    searchText: searchColumn({ title: ['subject'] })
  },
  t => [
    ...recordIndexes('activities', t),
    searchIndex('activities', t),
    index('activities_occurred').on(t.workspaceId, t.occurredAt, t.id),
    index('activities_due').on(t.workspaceId, due, t.id),
    // Somebody's and everybody's list of what is to be done.
    index('activities_todo').on(t.workspaceId, t.ownerId, due, t.id).where(open),
    index('activities_todo_all').on(t.workspaceId, due, t.id).where(open),
    index('activities_contact').on(t.workspaceId, t.contactId, t.occurredAt, t.id),
    index('activities_company').on(t.workspaceId, t.companyId, t.occurredAt, t.id),
    index('activities_lead').on(t.workspaceId, t.leadId, t.occurredAt, t.id),
    index('activities_deal').on(t.workspaceId, t.dealId, t.occurredAt, t.id),
    index('activities_owner').on(t.workspaceId, t.ownerId, t.createdAt, t.id),
    index('activities_campaign').on(t.workspaceId, t.campaignId, t.createdAt, t.id),
    belongsTo('activities_campaign', t.workspaceId, t.campaignId, campaigns),
    belongsTo('activities_contact', t.workspaceId, t.contactId, contacts),
    belongsTo('activities_company', t.workspaceId, t.companyId, companies),
    belongsTo('activities_lead', t.workspaceId, t.leadId, leads),
    belongsTo('activities_deal', t.workspaceId, t.dealId, deals),
    belongsTo('activities_owner', t.workspaceId, t.ownerId, users),
    check('activities_ended', sql`ended_at >= occurred_at`),
    check('activities_completed', sql`(status = 'completed') = (completed_at is not null)`)
  ]
)
