import sql from 'sql-template-tag'
import { may } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { fieldError, KithError, notFound } from '../../kernel/errors.js'
import { nothing, operation, type Operation } from '../../kernel/operation.js'
import { About, Closed, Type } from '../../kernel/schema.js'
import { byId } from '../../kernel/standard-schemas.js'
import { standardOperations } from '../../kernel/standard.js'
import { changeRecords, createRecords, type NewRow } from '../../kernel/write.js'
import { standardWriter, type Writer } from '../../kernel/writer.js'
import { hashPassword, verifyPassword } from './passwords.js'
import { Password, users } from './resource.js'

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

const userWriter: Writer = { ...standardWriter(users), create: createUsers }

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
      sql`select password_hash as hash from users
          where workspace_id = ${ctx.workspaceId} and id = ${id} and deleted_at is null`
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
    const outcome = changes.get(id.toLowerCase())?.outcome
    if (outcome === 'stale') throw new KithError('version_mismatch')
  }
})

export const userOperations: Operation[] = [...standardOperations(users, userWriter), setPassword]
