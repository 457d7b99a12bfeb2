import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context, RowScope } from '../../kernel/context.js'
import { fieldError, KithError } from '../../kernel/errors.js'
import type { Operation } from '../../kernel/operation.js'
import { allResources } from '../../kernel/resource.js'
import { standardOperations } from '../../kernel/standard.js'
import { checkProposals, standardWriter, type Proposal, type Writer } from '../../kernel/writer.js'
import { roles } from './resource.js'
import { refuseScopes } from './scopes.js'

/** What a role gives: what one may do, and to whose records. */
export interface Grant {
  scopes: readonly string[]
  rowScope: RowScope
}

// What the whole business shares, and figures are made of.
const shared = new Set([
  'pipelines',
  'stages',
  'products',
  'campaigns',
  'costs',
  'exchange-rates',
  'scoring-rules'
])

// Where data go is decided by admins.
const open = () => allResources().filter(r => r.plural !== 'webhooks')

const reads = () => [...open().map(r => r.permissions.read), 'events:read', 'metrics:read']

const writes = (without: ReadonlySet<string>) =>
  open()
    .filter(r => r.permissions.write !== 'admin' && !without.has(r.plural))
    .map(r => r.permissions.write)

const builtIn: Record<string, () => Grant> = {
  admin: () => ({ scopes: ['admin'], rowScope: 'all' }),
  manager: () => ({ scopes: [...reads(), ...writes(new Set())], rowScope: 'team' }),
  rep: () => ({ scopes: [...reads(), ...writes(shared)], rowScope: 'own' }),
  viewer: () => ({ scopes: reads().filter(s => s !== 'api-keys:read'), rowScope: 'all' })
}

const isBuiltIn = (key: string) => Object.hasOwn(builtIn, key)

/**
 * What a role gives. An admin may do everything; a manager sees the own teams; a rep sees the own records and leaves
 * pipelines, products, campaigns, costs, rates and scoring rules alone; a viewer sees all and changes nothing. A role that is gone gives nothing.
 */
export function grantOf(key: string, own: Grant | null): Grant {
  return isBuiltIn(key) ? builtIn[key]!() : (own ?? { scopes: [], rowScope: 'own' })
}

/** Which of the keys name no role, built-in or of the workspace. The others cannot be deleted until the caller is done. */
export async function unknownRoles(ctx: Context, keys: readonly string[]): Promise<Set<string>> {
  const own = [...new Set(keys)].filter(key => !isBuiltIn(key))
  if (own.length === 0) return new Set()
  const rows = await ctx.db.query<{ key: string }>(sql`
    select r.key from roles r
    where ${visible(ctx, roles, 'r')} and r.key = any(${own}::text[]) and r.deleted_at is null
    order by r.id for key share`)
  const known = new Set(rows.map(r => r.key))
  return new Set(own.filter(key => !known.has(key)))
}

async function takenKeys(ctx: Context, keys: readonly string[]): Promise<Map<string, string>> {
  if (keys.length === 0) return new Map()
  const rows = await ctx.db.query<{ id: string; key: string }>(sql`
    select r.id, r.key from roles r
    where ${visible(ctx, roles, 'r')} and r.key = any(${keys}::text[]) and r.deleted_at is null`)
  return new Map(rows.map(r => [r.key, r.id]))
}

// Locked first, so that a user who is being given the role is waited for.
async function inUse(ctx: Context, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return []
  await ctx.db.query(sql`
    select from roles r where ${visible(ctx, roles, 'r')} and r.id = any(${ids}::uuid[]) order by r.id for update`)
  const rows = await ctx.db.query<{ id: string }>(sql`
    select r.id from roles r where ${visible(ctx, roles, 'r')} and r.id = any(${ids}::uuid[]) and exists (
      select from users u where u.workspace_id = r.workspace_id and u.role = r.key and u.deleted_at is null)`)
  return rows.map(r => r.id)
}

function refuseKey(key: unknown, taken: ReadonlyMap<string, string>): KithError | undefined {
  if (typeof key !== 'string') return undefined
  if (isBuiltIn(key)) return fieldError('invalid_input', '/key', `${key} is a built-in role.`, 'built_in')
  const id = taken.get(key)
  if (id === undefined) return undefined
  const message = 'Another role has this key.'
  return new KithError('conflict', message, {
    errors: [{ in: 'body', pointer: '/key', code: 'conflict', message }],
    extra: { conflictsWith: { resource: roles.name, id } }
  })
}

async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, roles, rows)
  const keys = rows.map(r => r.values.key).filter(key => typeof key === 'string')
  const taken = await takenKeys(ctx, keys)
  for (const { id, values } of rows) {
    const problem =
      refuseKey(values.key, taken) ?? refuseScopes((values.scopes as string[] | undefined) ?? [])
    if (problem) problems.set(id, problem)
  }
  const deleted = rows.filter(r => r.values.deletedAt === true).map(r => r.id)
  for (const id of await inUse(ctx, deleted))
    problems.set(id, new KithError('in_use', 'Users have this role.'))
  return problems
}

const writer: Writer = { ...standardWriter(roles), atomic: true, check }

export const roleOperations: Operation[] = standardOperations(roles, writer)
