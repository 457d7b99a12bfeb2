import { one, resource } from '../../kernel/resource.js'
import { Id, Instant, List, Nullable, Text } from '../../kernel/schema.js'
import { apiKeys as table } from './table.js'

export const scopePattern = '^(admin|[a-z][a-z-]{0,40}:(read|write))$'

export const apiKeys = resource({
  name: 'apiKey',
  plural: 'api-keys',
  description: "A program's credential. Its secret is shown once and stored hashed.",
  table,
  createOnly: {
    scopes: List(Text(50, { pattern: scopePattern }), 100),
    userId: Nullable(Id('The user it acts for; none: for itself.'))
  },
  fields: {
    name: Text(200),
    expiresAt: Nullable(Instant())
  },
  readonly: {
    hint: Text(20, { description: 'How the secret begins, to tell keys apart.' }),
    previousExpiresAt: Nullable(Instant()),
    revokedAt: Nullable(Instant()),
    lastUsedAt: Nullable(Instant())
  },
  filters: ['name', 'userId', 'revokedAt', 'expiresAt'],
  relations: { user: one('user', 'userId') },
  writePermission: 'admin'
})
