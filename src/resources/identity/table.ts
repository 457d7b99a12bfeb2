import { sql } from 'drizzle-orm'
import {
  boolean,
  index,
  pgTable,
  text,
  uniqueIndex,
  uuid,
  type PgTableExtraConfigValue
} from 'drizzle-orm/pg-core'
import {
  belongsTo,
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
    teamId: uuid('team_id'),
    region: text('region'),
    externalSubject: text('external_subject'),
    passwordHash: text('password_hash'),
    searchText: searchColumn({ title: ['name'], also: ['email'] })
  },
  // Said aloud because users and teams point to each other.
  (t): PgTableExtraConfigValue[] => [
    ...recordIndexes('users', t),
    searchIndex('users', t),
    index('users_name').on(t.workspaceId, textSort(t.name, false), t.id),
    index('users_team').on(t.workspaceId, t.teamId, t.createdAt, t.id),
    index('users_role').on(t.workspaceId, t.role),
    uniqueIndex('users_email_key')
      .on(t.workspaceId, sql`lower(${t.email})`)
      .where(sql`deleted_at is null`),
    uniqueIndex('users_external_subject_key')
      .on(t.workspaceId, t.externalSubject)
      .where(sql`deleted_at is null`),
    belongsTo('users_team', t.workspaceId, t.teamId, teams)
  ]
)

/** A tree: a team's people see the records of all teams below it. */
export const teams = pgTable(
  'teams',
  {
    ...recordColumns(),
    name: text('name').notNull(),
    managerId: uuid('manager_id'),
    parentId: uuid('parent_id'),
    searchText: searchColumn({ title: ['name'] })
  },
  t => [
    ...recordIndexes('teams', t),
    index('teams_name').on(t.workspaceId, textSort(t.name, false), t.id),
    index('teams_manager').on(t.workspaceId, t.managerId, t.createdAt, t.id),
    index('teams_parent').on(t.workspaceId, t.parentId, t.createdAt, t.id),
    belongsTo('teams_manager', t.workspaceId, t.managerId, users),
    belongsTo('teams_parent', t.workspaceId, t.parentId, t)
  ]
)

/** A workspace's own sets of scopes; the built-in ones are in the program. */
export const roles = pgTable(
  'roles',
  {
    ...recordColumns(),
    key: text('key').notNull(),
    name: text('name').notNull(),
    scopes: text('scopes').array().notNull(),
    rowScope: text('row_scope').notNull(),
    searchText: searchColumn({ title: ['name'] })
  },
  t => [
    ...recordIndexes('roles', t),
    index('roles_name').on(t.workspaceId, textSort(t.name, false), t.id),
    uniqueIndex('roles_key_key')
      .on(t.workspaceId, t.key)
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
  t => [...recordIndexes('api_keys', t), belongsTo('api_keys_user', t.workspaceId, t.userId, users)]
)
