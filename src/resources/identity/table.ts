import { sql } from 'drizzle-orm'
import { boolean, foreignKey, index, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import {
  instant,
  recordColumns,
  recordIndexes,
  searchColumn,
  searchIndex,
  textSort
} from '../../database/columns.js'

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

export const users = pgTable(
  'users',
  {
    ...recordColumns(),
    email: text('email').notNull(),
    name: text('name').notNull(),
    role: text('role').notNull().default('rep'),
    active: boolean('active').notNull().default(true),
    externalSubject: text('external_subject'),
    passwordHash: text('password_hash'),
    searchText: searchColumn({ title: ['name'], also: ['email'] })
  },
  t => [
    ...recordIndexes('users', t),
    searchIndex('users', t),
    index('users_name').on(t.workspaceId, textSort(t.name, false), t.id),
    uniqueIndex('users_email_key')
      .on(t.workspaceId, sql`lower(${t.email})`)
      .where(sql`deleted_at is null`),
    uniqueIndex('users_external_subject_key')
      .on(t.workspaceId, t.externalSubject)
      .where(sql`deleted_at is null`)
  ]
)

export const apiKeys = pgTable(
  'api_keys',
  {
    ...recordColumns(),
    name: text('name').notNull(),
    scopes: text('scopes').array().notNull(),
    userId: uuid('user_id'),
    hint: text('hint').notNull(),
    secretHash: text('secret_hash').notNull(),
    previousHash: text('previous_hash'),
    previousExpiresAt: instant('previous_expires_at'),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
    lastUsedAt: instant('last_used_at'),
    searchText: searchColumn({ title: ['name'] })
  },
  t => [
    ...recordIndexes('api_keys', t),
    foreignKey({
      name: 'api_keys_user_fkey',
      columns: [t.workspaceId, t.userId],
      foreignColumns: [users.workspaceId, users.id]
    })
  ]
)
