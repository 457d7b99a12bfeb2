import sql from 'sql-template-tag'
import { rowScopes, type Context } from '../../kernel/context.js'
import { KithError } from '../../kernel/errors.js'
import { operation, value, type Operation } from '../../kernel/operation.js'
import { findRecord } from '../../kernel/read.js'
import { About, Closed, Email, Enum, Id, Integer, List, Nullable, Text, Type } from '../../kernel/schema.js'
import { verifyPassword } from './passwords.js'
import { users } from './resource.js'
import { workspaces } from './resource.js'

const tokenSeconds = 3600

export interface TokenClaims {
  workspace: string
  sub: string
}

/** Signs an access token; undefined where this server does not issue any. */
export type SignToken = ((claims: TokenClaims, seconds: number) => string) | undefined

async function signIn(
  ctx: Context,
  workspace: string,
  email: string,
  password: string
): Promise<TokenClaims> {
  const [user] = await ctx.db.query<{ id: string; workspaceId: string; hash: string | null }>(sql`
    select u.id, u.workspace_id as "workspaceId", u.password_hash as hash
    from workspaces w join users u on u.workspace_id = w.workspace_id
    where (w.id::text = lower(${workspace}) or w.name = ${workspace}) and w.deleted_at is null
      and lower(u.email) = lower(${email}) and u.deleted_at is null and u.active
    order by w.id limit 1`)
  const right = await verifyPassword(password, user?.hash)
  if (!right) throw new KithError('unauthenticated', 'Workspace, e-mail or password is wrong.')
  return { workspace: user!.workspaceId, sub: user!.id }
}

const createToken = (sign: SignToken) =>
  operation({
    name: 'auth.token',
    kind: 'write',
    permission: 'public',
    summary: 'Sign in with a password',
    description: 'Answers an access token of one hour. `workspace` is its id or its name.',
    rest: 'POST /auth/token',
    graphql: null,
    body: Closed({
      workspace: About('Its id or its name.', Text(200)),
      email: About('The address of a user.', Email()),
      password: About('The password of that user.', Text(200))
    }),
    result: value(
      Closed({
        accessToken: Text(4000),
        tokenType: Enum('TokenType', ['Bearer']),
        expiresIn: Integer(1, 86400)
      })
    ),
    async run(ctx, { body }) {
      if (!sign) throw new KithError('password_login_disabled')
      const claims = await signIn(ctx, body.workspace, body.email, body.password)
      return {
        accessToken: sign(claims, tokenSeconds),
        tokenType: 'Bearer' as const,
        expiresIn: tokenSeconds
      }
    }
  })

const me = operation({
  name: 'me.get',
  kind: 'read',
  permission: 'authenticated',
  summary: 'Who the credential is, and what it may do',
  rest: 'GET /me',
  graphql: 'me',
  result: value(
    Closed({
      workspaceId: Id('The workspace of the credential.'),
      workspaceName: About('What it is called.', Text(200)),
      actorType: Enum('ActorType', ['user', 'key', 'system']),
      actorId: Nullable(Id()),
      user: Type.Unsafe<Record<string, unknown> | null>({
        ...users.model,
        type: ['object', 'null'],
        'x-resource': 'user'
      }),
      role: About('The role of the user; null for a key without one.', Nullable(Text(40))),
      scopes: List(Text(100), 1000),
      rowScope: Enum('RowScope', rowScopes)
    })
  ),
  async run(ctx) {
    const workspace = await findRecord(ctx, workspaces, ctx.workspaceId, { fields: ['name'] })
    const user = ctx.userId === null ? undefined : await findRecord(ctx, users, ctx.userId)
    return {
      workspaceId: ctx.workspaceId,
      workspaceName: workspace!.name as string,
      actorType: ctx.actor.type,
      actorId: ctx.actor.id,
      user: user ?? null,
      role: (user?.role as string | undefined) ?? null,
      scopes: [...ctx.scopes].sort(),
      rowScope: ctx.rowScope
    }
  }
})

export const identityOperations = (sign: SignToken): Operation[] => [createToken(sign), me]
