import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { fieldError, KithError, notFound } from '../../kernel/errors.js'
import { operation, record, value, type Operation } from '../../kernel/operation.js'
import { About, Closed, Integer, Text, Type } from '../../kernel/schema.js'
import { byId } from '../../kernel/standard-schemas.js'
import { standardOperations } from '../../kernel/standard.js'
import {
  changeOne,
  checkProposals,
  createOne,
  standardWriter,
  type Proposal,
  type Writer
} from '../../kernel/writer.js'
import { newKey } from './keys.js'
import { apiKeys } from './resource.js'
import { refuseScopes } from './scopes.js'

function refusePast(expiresAt: unknown): KithError | undefined {
  if (typeof expiresAt !== 'string' || Date.parse(expiresAt) > Date.now()) return undefined
  return fieldError('unprocessable', '/expiresAt', 'expiresAt lies in the past.', 'past')
}

async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, apiKeys, rows)
  for (const row of rows) {
    const past = refusePast(row.values.expiresAt)
    if (past) problems.set(row.id, past)
  }
  return problems
}

const writer: Writer = { ...standardWriter(apiKeys), check }
const write = apiKeys.permissions.write

// Keys are made, rotated and revoked; there is no upsert, batch or bin for secrets.
const standard = standardOperations(apiKeys, writer).filter(o =>
  ['list', 'get', 'update', 'search', 'aggregate', 'changes'].includes(o.name.split('.')[1]!)
)

const shown = value(
  Closed({
    apiKey: Type.Unsafe<Record<string, unknown>>({ ...apiKeys.model, 'x-resource': apiKeys.name }),
    key: Text(200, { description: 'The whole key. It is shown this once.' })
  })
)

/** Makes a key of the context's workspace. */
export async function createKey(ctx: Context, body: Record<string, unknown>) {
  const { key, hash, hint } = newKey(ctx.workspaceId)
  const apiKey = await createOne(ctx, apiKeys, writer, { ...body, hint, secretHash: hash })
  return { apiKey: apiKey!, key }
}

const createApiKey = operation({
  name: 'api-keys.create',
  kind: 'write',
  permission: write,
  summary: 'Create an API key',
  description: 'The key is answered once and never again.',
  rest: 'POST /api-keys',
  graphql: 'createApiKey',
  body: apiKeys.createBody,
  result: shown,
  status: 201,
  secret: true,
  run(ctx, { body }) {
    const problem = refuseScopes(body.scopes as string[])
    if (problem) throw problem
    return createKey(ctx, body)
  }
})

const rotateApiKey = operation({
  name: 'api-keys.rotate',
  kind: 'write',
  permission: write,
  summary: "Replace an API key's secret",
  description: 'The old secret works for `graceSeconds` more; without it no longer.',
  rest: 'POST /api-keys/:id/rotate',
  graphql: 'rotateApiKey',
  params: byId,
  body: Closed({
    graceSeconds: Type.Optional(
      About('How long the old secret still works; 0 unless said.', Integer(0, 604800))
    )
  }),
  result: shown,
  secret: true,
  atomic: true,
  async run(ctx, { id, body, expectedVersion }) {
    const [old] = await ctx.db.query<{ hash: string; until: string; revoked: boolean }>(sql`
      select k.secret_hash as hash, k.revoked_at is not null as revoked,
        clock_timestamp() + ${body.graceSeconds ?? 0} * interval '1 second' as until
      from api_keys k where ${visible(ctx, apiKeys, 'k')} and k.id = ${id} for no key update`)
    if (!old) throw notFound('apiKey')
    if (old.revoked) throw new KithError('unprocessable', 'The key is revoked.')
    const { key, hash, hint } = newKey(ctx.workspaceId)
    const patch = { secretHash: hash, hint, previousHash: old.hash, previousExpiresAt: old.until }
    const { record: apiKey } = await changeOne(ctx, apiKeys, writer, { id, patch, expectedVersion })
    return { apiKey, key }
  }
})

const revokeApiKey = operation({
  name: 'api-keys.revoke',
  kind: 'write',
  permission: write,
  summary: 'Revoke an API key',
  description: 'It stops working everywhere within five seconds and stays listed.',
  rest: 'POST /api-keys/:id/revoke',
  graphql: 'revokeApiKey',
  params: byId,
  result: record(apiKeys),
  run: (ctx, { id, expectedVersion }) =>
    changeOne(ctx, apiKeys, writer, {
      id,
      patch: { revokedAt: new Date().toISOString() },
      expectedVersion,
      eventType: 'api_key.revoked'
    })
})

export const apiKeyOperations: Operation[] = [...standard, createApiKey, rotateApiKey, revokeApiKey]
