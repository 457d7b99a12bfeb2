import { sql } from 'drizzle-orm'
import { check, index, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { belongsTo, day, decimal, recordColumns, recordIndexes } from '../../database/columns.js'
import { companies } from '../companies/table.js'
import { contacts } from '../contacts/table.js'
import { users } from '../identity/table.js'

export const subscriptions = pgTable(
  'subscriptions',
  {
    ...recordColumns(),
    companyId: uuid('company_id'),
    contactId: uuid('contact_id'),
    plan: text('plan'),
    term: text('term'),
    startDate: day('start_date').notNull(),
    endDate: day('end_date'),
    recurringAmount: decimal('recurring_amount'),
    currency: text('currency'),
    interval: text('interval').notNull().default('month'),
    ownerId: uuid('owner_id'),
    /** Who subscribed: the company, else the contact. */
    customerId: uuid('customer_id').generatedAlwaysAs(sql`coalesce(company_id, contact_id)`)
  },
  t => [
    ...recordIndexes('subscriptions', t),
    index('subscriptions_start').on(t.workspaceId, t.startDate, t.id),
    index('subscriptions_end').on(t.workspaceId, sql`coalesce(${t.endDate}, 'infinity'::date)`, t.id),
    index('subscriptions_company').on(t.workspaceId, t.companyId, t.startDate, t.id),
    index('subscriptions_contact').on(t.workspaceId, t.contactId, t.startDate, t.id),
    index('subscriptions_owner').on(t.workspaceId, t.ownerId, t.createdAt, t.id),
    belongsTo('subscriptions_company', t.workspaceId, t.companyId, companies),
    belongsTo('subscriptions_contact', t.workspaceId, t.contactId, contacts),
    belongsTo('subscriptions_owner', t.workspaceId, t.ownerId, users),
    check('subscriptions_customer', sql`company_id is not null or contact_id is not null`),
    check('subscriptions_dates', sql`end_date >= start_date`),
    check('subscriptions_amount', sql`recurring_amount >= 0`),
    check('subscriptions_amount_currency', sql`recurring_amount is null or currency is not null`)
  ]
)
