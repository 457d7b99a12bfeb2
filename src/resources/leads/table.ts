import { sql } from 'drizzle-orm'
import { check, doublePrecision, index, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import {
  belongsTo,
  instant,
  recordColumns,
  recordIndexes,
  searchColumn,
  searchIndex,
  textSort
} from '../../database/columns.js'
import { campaigns } from '../campaigns/table.js'
import { companies } from '../companies/table.js'
import { contacts } from '../contacts/table.js'
import { deals } from '../deals/table.js'
import { users } from '../identity/table.js'

/** A person and company as captured, and how far they were qualified. */
export const leads = pgTable(
  'leads',
  {
    ...recordColumns(),
    firstName: text('first_name'),
    lastName: text('last_name'),
    email: text('email'),
    phone: text('phone'),
    jobTitle: text('job_title'),
    companyName: text('company_name'),
    companyDomain: text('company_domain'),
    industry: text('industry'),
    country: text('country'),
    language: text('language'),
    description: text('description'),
    capturedAt: instant('captured_at')
      .notNull()
      .default(sql`now()`),
    sourceChannel: text('source_channel'),
    campaignId: uuid('campaign_id'),
    landingPage: text('landing_page'),
    status: text('status').notNull().default('new'),
    workingAt: instant('working_at'),
    nurturingAt: instant('nurturing_at'),
    qualifiedAt: instant('qualified_at'),
    unqualifiedAt: instant('unqualified_at'),
    convertedAt: instant('converted_at'),
    unqualifiedReason: text('unqualified_reason'),
    budget: text('budget').notNull().default('unknown'),
    authority: text('authority').notNull().default('unknown'),
    need: text('need').notNull().default('unknown'),
    timeline: text('timeline').notNull().default('unknown'),
    score: doublePrecision('score'),
    scoreBreakdown: jsonb('score_breakdown').$type<Record<string, number>>(),
    tags: text('tags').array().notNull().default([]),
    ownerId: uuid('owner_id'),
    contactId: uuid('contact_id'),
    companyId: uuid('company_id'),
    dealId: uuid('deal_id'),
    searchText: searchColumn({
      title: ['first_name', 'last_name'],
      also: ['email', 'phone', 'company_name', 'company_domain']
    })
  },
  t => [
    ...recordIndexes('leads', t),
    searchIndex('leads', t),
    index('leads_captured').on(t.workspaceId, t.capturedAt, t.id),
    index('leads_last_name').on(t.workspaceId, textSort(t.lastName), t.id),
    index('leads_email').on(t.workspaceId, sql`lower(${t.email})`),
    index('leads_status').on(t.workspaceId, t.status, t.capturedAt, t.id),
    index('leads_owner').on(t.workspaceId, t.ownerId, t.createdAt, t.id),
    index('leads_campaign').on(t.workspaceId, t.campaignId, t.capturedAt, t.id),
    index('leads_contact').on(t.workspaceId, t.contactId, t.createdAt, t.id),
    index('leads_company').on(t.workspaceId, t.companyId, t.createdAt, t.id),
    index('leads_deal').on(t.workspaceId, t.dealId, t.createdAt, t.id),
    belongsTo('leads_campaign', t.workspaceId, t.campaignId, campaigns),
    belongsTo('leads_owner', t.workspaceId, t.ownerId, users),
    belongsTo('leads_contact', t.workspaceId, t.contactId, contacts),
    belongsTo('leads_company', t.workspaceId, t.companyId, companies),
    belongsTo('leads_deal', t.workspaceId, t.dealId, deals),
    check('leads_known', sql`coalesce(first_name, last_name, email, phone, company_name) is not null`)
  ]
)
