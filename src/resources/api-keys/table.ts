import { foreignKey, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { instant, recordColumns, recordIndexes } from '../../database/columns.js'
import { users } from '../users/table.js'

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
    lastUsedAt: instant('last_used_at')
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
