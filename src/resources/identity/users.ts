import sql from 'sql-template-tag'
import { may, visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { fieldError, KithError, notFound } from '../../kernel/errors.js'
import { nothing, operation, type Operation } from '../../kernel/operation.js'
import { About, Closed, Type } from '../../kernel/schema.js'
import { byId } from '../../kernel/standard-schemas.js'
import { standardOperations } from '../../kernel/standard.js'
import { changeRecords, createRecords, type NewRow } from '../../kernel/write.js'
import { checkProposals, settled, standardWriter, type Proposal, type Writer } from '../../kernel/writer.js'
import { hashPassword, verifyPassword } from './passwords.js'
import { Password, users } from './resource.js'
import { reassignRecords } from './reassign.js'
import { unknownRoles } from './roles.js'

async function createUsers(ctx: Context, rows: readonly NewRow[]) {
  const hashed = await Promise.all(
    rows.map(async ({ values: { password, ...values }, ...row }) => ({
      ...row,
      values:
        typeof password === 'string' ? { ...values, passwordHash: await hashPassword(password) } : values
    }))
  )
  return createRecords(ctx, users, hashed)
}

async function takenEmails(ctx: Context, emails: readonly string[]): Promise<Map<string, string>> {
  if (emails.length === 0) return new Map()
  const rows = await ctx.db.query<{ id: string; email: string }>(
    sql`select u.id, lower(u.email) as email from users u
        where ${visible(ctx, users, 'u')} and lower(u.email) = any(${emails}::text[]) and u.deleted_at is null`
  )
  return new Map(rows.map(r => [r.email, r.id]))
}

// A role may be gone by the time that its user comes back from the bin.
async function rolesOfRestored(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, string>> {
  const ids = rows.filter(r => r.values.deletedAt === null).map(r => r.id)
  if (ids.length === 0) return new Map()
  const found = await ctx.db.query<{ id: string; role: string }>(
    sql`select u.id, u.role from users u where ${visible(ctx, users, 'u')} and u.id = any(${ids}::uuid[])`
  )
  return new Map(found.map(u => [u.id, u.role]))
}

async function checkRoles(
  ctx: Context,
  rows: readonly Proposal[],
  problems: Map<string, KithError>
): Promise<void> {
  const restored = await rolesOfRestored(ctx, rows)
  const given = rows.flatMap(({ id, values }) => {
    const role = (values.role as string | undefined) ?? restored.get(id)
    return role === undefined ? [] : [{ id, role }]
  })
  const unknown = await unknownRoles(
    ctx,
    given.map(g => g.role)
  )
  for (const { id, role } of given) {
    if (!unknown.has(role)) continue
    problems.set(id, fieldError('unknown_reference', '/role', `${role} is not a role we know.`))
  }
}

// An e-mail signs in one user: a conflict names the one who has it.
async function checkUsers(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, users, rows)
  await checkRoles(ctx, rows, problems)
  const emailOf = (row: Proposal) => (row.values.email as string | undefined)?.toLowerCase()
  const owners = await takenEmails(
    ctx,
    rows.map(emailOf).filter(e => e !== undefined)
  )
  for (const row of rows) {
    const owner = owners.get(emailOf(row) ?? '')
    if (owner === undefined || owner === row.id.toLowerCase()) continue
    const message = 'Another user has this e-mail.'
    problems.set(
      row.id,
      new KithError('conflict', message, {
        errors: [{ in: 'body', pointer: '/email', code: 'conflict', message }],
        extra: { conflictsWith: { resource: users.name, id: owner } }
      })
    )
  }
  return problems
}

const userWriter: Writer = {
  ...standardWriter(users),
  atomic: true,
  check: checkUsers,
  create: createUsers
}

const setPassword = operation({
  name: 'users.setPassword',
  kind: 'write',
  permission: 'authenticated',
  summary: "Set a user's password",
  description: 'Anybody their own, with the current one; an admin everybody’s.',
  rest: 'PUT /users/:id/password',
  graphql: 'setUserPassword',
  params: byId,
  body: Closed({
    password: About('The new one.', Password()),
    currentPassword: Type.Optional(About('Needed for one’s own, unless an admin.', Password()))
  }),
  result: nothing,
  async run(ctx, { id, body, expectedVersion }) {
    const admin = may(ctx, 'admin')
    const own = ctx.actor.type === 'user' && ctx.actor.id === id.toLowerCase()
    if (!admin && !own) throw notFound('user')
    const [user] = await ctx.db.query<{ hash: string | null }>(
      sql`select u.password_hash as hash from users u
          where ${visible(ctx, users, 'u')} and u.id = ${id} and u.deleted_at is null`
    )
    if (!user) throw notFound('user')
    if (!admin && !(await verifyPassword(body.currentPassword ?? '', user.hash))) {
      throw fieldError(
        'unprocessable',
        '/currentPassword',
        'This is not the current password.',
        'wrong_password'
      )
    }
    const patch = { passwordHash: await hashPassword(body.password) }
    const changes = await changeRecords(ctx, users, [
      { id, patch, expectedVersion, eventType: 'user.password_changed' }
    ])
    settled(users, changes.get(id.toLowerCase()))
  }
})

export const userOperations: Operation[] = [
  ...standardOperations(users, userWriter),
  setPassword,
  reassignRecords
]
