import { resource } from '../../kernel/resource.js'
import { Bool, Email, Enum, Nullable, Text, Type } from '../../kernel/schema.js'
import { users as table } from './table.js'

export const roles = ['admin', 'manager', 'rep', 'viewer'] as const

/** At least ten characters; never answered, stored as a scrypt hash. */
export const Password = () => Text(200, { minLength: 10 })

export const users = resource({
  name: 'user',
  plural: 'users',
  description: 'Somebody who signs in: owner of records, actor of changes.',
  table,
  onCreate: { password: Type.Optional(Password()) },
  fields: {
    email: Email(),
    name: Text(200),
    role: Enum('Role', roles),
    active: Bool(),
    externalSubject: Nullable(Text(255, { description: "The `sub` of this person's tokens of an identity provider." }))
  },
  filters: ['email', 'name', 'role', 'active', 'externalSubject'],
  sorts: ['name'],
  writePermission: 'admin'
})

