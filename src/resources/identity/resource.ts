import { one, resource } from '../../kernel/resource.js'
import {
  About,
  Bool,
  Currency,
  Email,
  Enum,
  Id,
  Instant,
  Language,
  List,
  Nullable,
  Text,
  TimeZone,
  Type
} from '../../kernel/schema.js'
import { apiKeys as apiKeyTable, users as userTable, workspaces as workspaceTable } from './table.js'

export const workspaces = resource({
  name: 'workspace',
  plural: 'workspace',
  description: 'The tenant: whose records these are, and the defaults of its figures.',
  table: workspaceTable,
  fields: {
    name: About('What the business is called.', Text(200)),
    timeZone: About('IANA: what days and months of figures are cut by.', TimeZone()),
    baseCurrency: About('ISO 4217: what figures are answered in.', Currency()),
    fiscalYearStart: About(
      'Month and day, MM-DD.',
      Text(5, { pattern: '^(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$', examples: ['04-01'] })
    ),
    locale: About('BCP 47.', Language())
  },
  filters: [],
  writePermission: 'admin'
})

export const roles = ['admin', 'manager', 'rep', 'viewer'] as const

/** At least ten characters; never answered, stored as a scrypt hash. */
export const Password = () => Text(200, { minLength: 10 })

export const users = resource({
  name: 'user',
  plural: 'users',
  description: 'Somebody who signs in: owner of records, actor of changes.',
  table: userTable,
  onCreate: { password: Type.Optional(Password()) },
  fields: {
    email: About('To sign in with; unique in the workspace.', Email()),
    name: About('What this person is called.', Text(200)),
    role: About('What this person may do.', Enum('Role', roles)),
    active: About('Whether this person may sign in.', Bool()),
    externalSubject: Nullable(
      Text(255, { description: "The `sub` of this person's tokens of an identity provider." })
    )
  },
  filters: ['email', 'name', 'role', 'active', 'externalSubject'],
  sorts: ['name'],
  search: { title: ['name'], also: ['email'] },
  writePermission: 'admin'
})

export const scopePattern = '^(admin|[a-z][a-z-]{0,40}:(read|write))$'

export const apiKeys = resource({
  name: 'apiKey',
  plural: 'api-keys',
  description: "A program's credential. Its secret is shown once and stored hashed.",
  table: apiKeyTable,
  createOnly: {
    scopes: List(Text(50, { pattern: scopePattern }), 100),
    userId: Nullable(Id('The user it acts for; none: for itself.'))
  },
  fields: {
    name: About('What it is for.', Text(200)),
    expiresAt: About('When it stops working; null: never.', Nullable(Instant()))
  },
  readonly: {
    hint: Text(20, { description: 'How the secret begins, to tell keys apart.' }),
    previousExpiresAt: About('Until when the secret before the last rotation works.', Nullable(Instant())),
    revokedAt: About('When it was revoked; null while it works.', Nullable(Instant())),
    lastUsedAt: About('When it was last used, to the minute.', Nullable(Instant()))
  },
  filters: ['name', 'userId', 'revokedAt', 'expiresAt'],
  search: { title: ['name'] },
  relations: { user: one('user', 'userId') },
  writePermission: 'admin'
})
