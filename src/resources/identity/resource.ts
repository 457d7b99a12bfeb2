import { rowScopes } from '../../kernel/context.js'
import { many, one, resource } from '../../kernel/resource.js'
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
import {
  apiKeys as apiKeyTable,
  roles as roleTable,
  teams as teamTable,
  users as userTable,
  workspaces as workspaceTable
} from './table.js'

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

/** How roles are named. */
const roleKeyPattern = '^[a-z][a-z0-9_]{0,39}$'

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
    role: About(
      'What this person may do: `admin`, `manager`, `rep`, `viewer`, or the `key` of a role of your own.',
      Text(40, { pattern: roleKeyPattern, examples: ['rep'] })
    ),
    active: About('Whether this person may sign in.', Bool()),
    teamId: Nullable(Id('The team this person is in.')),
    region: About('Where this person works.', Nullable(Text(100))),
    externalSubject: Nullable(
      Text(255, { description: "The `sub` of this person's tokens of an identity provider." })
    )
  },
  events: { password_changed: "A user's password was set." },
  filters: ['email', 'name', 'role', 'active', 'teamId', 'region', 'externalSubject'],
  sorts: ['name'],
  search: { title: ['name'], also: ['email'] },
  relations: { team: one('team', 'teamId') },
  writePermission: 'admin'
})

export const teams = resource({
  name: 'team',
  plural: 'teams',
  description: 'People who work together; teams have teams. Row scope `team` follows this tree.',
  table: teamTable,
  fields: {
    name: About('What it is called.', Text(200)),
    managerId: Nullable(Id('The user who leads it, and sees the records of its people.')),
    parentId: Nullable(Id('The team that it is part of.'))
  },
  filters: ['name', 'managerId', 'parentId'],
  search: { title: ['name'] },
  sorts: ['name'],
  relations: {
    manager: one('user', 'managerId'),
    parent: one('team', 'parentId'),
    teams: many('team', 'parentId'),
    members: many('user', 'teamId')
  },
  writePermission: 'admin'
})

export const scopePattern = '^(admin|[a-z][a-z-]{0,40}:(read|write))$'

const Scopes = () => List(Text(50, { pattern: scopePattern }), 100)

export const roles = resource({
  name: 'role',
  plural: 'roles',
  description:
    'A set of scopes and a row scope of your own, beside the built-in admin, manager, rep and viewer.',
  table: roleTable,
  createOnly: {
    key: About(
      'What users name it by; unique in the workspace.',
      Text(40, { pattern: roleKeyPattern, examples: ['sales_rep'] })
    )
  },
  fields: {
    name: About('What it is called.', Text(200)),
    scopes: About('What its people may do.', Scopes()),
    rowScope: About(
      "Whose records its people see: all, their teams', or their own.",
      Enum('RowScope', rowScopes)
    )
  },
  filters: ['key', 'name', 'scopes', 'rowScope'],
  search: { title: ['name'] },
  sorts: ['name'],
  writePermission: 'admin'
})

export const apiKeys = resource({
  name: 'apiKey',
  plural: 'api-keys',
  description: "A program's credential. Its secret is shown once and stored hashed.",
  table: apiKeyTable,
  createOnly: {
    scopes: Scopes(),
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
  events: { revoked: 'An API key was revoked.' },
  filters: ['name', 'userId', 'revokedAt', 'expiresAt'],
  search: { title: ['name'] },
  relations: { user: one('user', 'userId') },
  writePermission: 'admin'
})
