import { sql } from 'drizzle-orm'
import { index, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import {
  belongsTo,
  day,
  recordColumns,
  recordIndexes,
  searchColumn,
  searchIndex,
  textSort,
  type Address
} from '../../database/columns.js'
import { campaigns } from '../campaigns/table.js'
import { companies } from '../companies/table.js'
import { users } from '../identity/table.js'

export const contacts = pgTable(
  'contacts',
  {
    ...recordColumns(),
    firstName: text('first_name'),
    lastName: text('last_name'),
    email: text('email'),
    phone: text('phone'),
    jobTitle: text('job_title'),
    companyId: uuid('company_id'),
    ownerId: uuid('owner_id'),
    relationships: text('relationships').array().notNull().default([]),
    lifecycleStage: text('lifecycle_stage'),
    sourceChannel: text('source_channel'),
    campaignId: uuid('campaign_id'),
    language: text('language'),
    timeZone: text('time_zone'),
    country: text('country'),
    address: jsonb('address').$type<Address>(),
    birthDate: day('birth_date'),
    interests: text('interests').array().notNull().default([]),
    needs: text('needs'),
    painPoints: text('pain_points'),
    tags: text('tags').array().notNull().default([]),
    searchText: searchColumn({ title: ['first_name', 'last_name'], also: ['email', 'phone'] })
  },
  t => [
    ...recordIndexes('contacts', t),
    searchIndex('contacts', t),
    // Figures leave out who is in the bin: few among many.
    index('contacts_bin')
      .on(t.workspaceId, t.id)
      .where(sql`deleted_at is not null`),
    index('contacts_last_name').on(t.workspaceId, textSort(t.lastName), t.id),
    index('contacts_first_name').on(t.workspaceId, textSort(t.firstName), t.id),
    index('contacts_email').on(t.workspaceId, sql`lower(${t.email})`),
    index('contacts_company').on(t.workspaceId, t.companyId, t.createdAt, t.id),
    index('contacts_owner').on(t.workspaceId, t.ownerId, t.createdAt, t.id),
    index('contacts_campaign').on(t.workspaceId, t.campaignId, t.createdAt, t.id),
    belongsTo('contacts_campaign', t.workspaceId, t.campaignId, campaigns),
    belongsTo('contacts_company', t.workspaceId, t.companyId, companies),
    belongsTo('contacts_owner', t.workspaceId, t.ownerId, users)
  ]
)
