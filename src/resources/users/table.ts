import { sql } from 'drizzle-orm'
import { boolean, index, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { recordColumns, recordIndexes, textSort } from '../../database/columns.js'

export const users = pgTable(
  'users',
  {
    ...recordColumns(),
    email: text('email').notNull(),
    name: text('name').notNull(),
    role: text('role').notNull().default('rep'),
    active: boolean('active').notNull().default(true),
    externalSubject: text('external_subject'),
    passwordHash: text('password_hash')
  },
  t => [
    ...recordIndexes('users', t),
    index('users_name').on(t.workspaceId, textSort(t.name, false), t.id),
    uniqueIndex('users_email_key')
      .on(t.workspaceId, sql`lower(${t.email})`)
      .where(sql`deleted_at is null`),
    uniqueIndex('users_external_subject_key')
      .on(t.workspaceId, t.externalSubject)
      .where(sql`deleted_at is null`)
  ]
)
