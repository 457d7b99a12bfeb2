import { sql } from 'drizzle-orm'
import { check, index, integer, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import {
  belongsTo,
  decimal,
  recordColumns,
  recordIndexes,
  searchColumn,
  searchIndex,
  textSort,
  type Address
} from '../../database/columns.js'
import { users } from '../identity/table.js'

export const companies = pgTable(
  'companies',
  {
    ...recordColumns(),
    name: text('name').notNull(),
    domain: text('domain'),
    industry: text('industry'),
    employeeCount: integer('employee_count'),
    foundedYear: integer('founded_year'),
    annualRevenue: decimal('annual_revenue'),
    currency: text('currency'),
    phone: text('phone'),
    website: text('website'),
    country: text('country'),
    address: jsonb('address').$type<Address>(),
    relationships: text('relationships').array().notNull().default([]),
    lifecycleStage: text('lifecycle_stage'),
    sourceChannel: text('source_channel'),
    parentId: uuid('parent_id'),
    ownerId: uuid('owner_id'),
    searchText: searchColumn({ title: ['name'], also: ['domain', 'phone'] })
  },
  t => [
    ...recordIndexes('companies', t),
    searchIndex('companies', t),
    // Figures leave out who is in the bin: few among many.
    index('companies_bin')
      .on(t.workspaceId, t.id)
      .where(sql`deleted_at is not null`),
    index('companies_name').on(t.workspaceId, textSort(t.name, false), t.id),
    index('companies_domain').on(t.workspaceId, t.domain),
    index('companies_owner').on(t.workspaceId, t.ownerId, t.createdAt, t.id),
    index('companies_parent').on(t.workspaceId, t.parentId, t.createdAt, t.id),
    belongsTo('companies_owner', t.workspaceId, t.ownerId, users),
    belongsTo('companies_parent', t.workspaceId, t.parentId, t),
    check('companies_parent_other', sql`parent_id <> id`)
  ]
)
