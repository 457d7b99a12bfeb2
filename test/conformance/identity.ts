import type { Test } from 'tap'
import { resourceNamed } from '../../src/kernel/resource.js'
import { graphOutcome, recordOf, restOutcome, selection } from './graph.js'
import { unknownId } from './crud.js'
import { credential, makeOne, newWorld, type Json, type Suite, type World } from './world.js'
import { eventsOf } from './writes.js'

const update = (world: World, input: string) =>
  world.graphql(
    `mutation { updateWorkspace(input: ${input}) { workspace { ${selection(resourceNamed('workspace'))} } } }`
  )

/** The workspace itself: there is one, and it is got and changed without an id. */
export async function workspace(t: Test, suite: Suite): Promise<void> {
  const resource = resourceNamed('workspace')
  const world = await newWorld(suite)
  const got = await world.call('GET', '/v1/workspace')
  t.match(got, { status: 200, headers: { etag: '"1"' }, body: { id: world.workspaceId, version: 1 } })
  t.equal((await world.call('GET', '/v1/workspace', undefined, { 'if-none-match': '"1"' })).status, 304)
  const graph = await world.graphql(`{ workspace { ${selection(resource)} } }`)
  t.same(recordOf(resource, graph.body.data.workspace as Json), got.body)
  const same = await world.call('PATCH', '/v1/workspace', { name: got.body.name as string })
  t.same([same.status, same.body], [200, got.body], 'a change of nothing')
  const changed = await world.call(
    'PATCH',
    '/v1/workspace',
    { timeZone: 'Asia/Dhaka' },
    { 'if-match': '"1"' }
  )
  t.match(changed, { status: 200, headers: { etag: '"2"' }, body: { timeZone: 'Asia/Dhaka', version: 2 } })
  const stale = await world.call('PATCH', '/v1/workspace', { locale: 'bn' }, { 'if-match': '"1"' })
  t.match(stale, { status: 412, body: { currentVersion: 2 } })
  const byGraph = graphOutcome(resource, await update(world, '{ locale: "bn" }'), 'updateWorkspace')
  t.match(byGraph.record, { locale: 'bn', version: 3, timeZone: 'Asia/Dhaka' })
  const refused = await world.call('PATCH', '/v1/workspace', { name: null })
  t.match(refused, { status: 400, body: { errors: [{ pointer: '/name' }] } })
  t.same(graphOutcome(resource, await update(world, '{ name: null }'), ''), restOutcome(refused))
  const types = (await eventsOf(world, world.workspaceId)).map(e => e.type as string)
  t.same(types, ['workspace.created', 'workspace.updated', 'workspace.updated'])
  const reader = await credential(world, ['workspace:read'])
  t.equal((await world.call('GET', '/v1/workspace', undefined, reader)).status, 200)
  t.match(await world.call('PATCH', '/v1/workspace', {}, reader), { status: 403, body: { scope: 'admin' } })
}

/** What API keys have instead of the bin, batches and upserts. */
export async function apiKeys(t: Test, suite: Suite): Promise<void> {
  const [world, foreign] = [await newWorld(suite), await newWorld(suite)]
  const body = { name: 'reader', scopes: ['contacts:read'] }
  const key = { 'idempotency-key': 'secret' }
  const made = await world.call('POST', '/v1/api-keys', body, key)
  t.match(made, {
    status: 201,
    body: { key: /^kith_/, apiKey: { name: 'reader', scopes: ['contacts:read'] } }
  })
  const again = await world.call('POST', '/v1/api-keys', body, key)
  t.match(again, { status: 409, body: { code: 'secret_already_shown' } }, 'a secret is shown once')
  const id = String(made.body.apiKey.id)
  const read = (secret: unknown) =>
    world.call('GET', '/v1/contacts', undefined, { authorization: `Bearer ${String(secret)}` })
  t.equal((await read(made.body.key)).status, 200)
  const rotated = await world.call('POST', `/v1/api-keys/${id}/rotate`, { graceSeconds: 60 })
  t.match(rotated, { status: 200, body: { apiKey: { id, version: 2 } } })
  for (const secret of [made.body.key, rotated.body.key])
    t.equal((await read(secret)).status, 200, 'both live')
  const stale = await world.call('POST', `/v1/api-keys/${id}/rotate`, {}, { 'if-match': '"1"' })
  t.equal(stale.status, 412)
  const revoke = `mutation($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { id revokedAt } } }`
  const revoked = await world.graphql(revoke, { id })
  t.match(revoked.body.data.revokeApiKey.apiKey, { id, revokedAt: /Z$/ })
  t.same((await eventsOf(world, id)).map(e => e.type as string), ['api_key.created', 'api_key.updated', 'api_key.revoked']) // prettier-ignore
  const theirs = String((await makeOne(foreign, resourceNamed('apiKey'))).id)
  for (const verb of ['rotate', 'revoke']) {
    const none = unknownId()
    const ask = async (asked: string) => {
      const reply = await world.call(
        'POST',
        `/v1/api-keys/${asked}/${verb}`,
        verb === 'rotate' ? {} : undefined
      )
      const { requestId, instance, ...problem } = reply.body
      return { status: reply.status, problem }
    }
    t.match(await ask(none), { status: 404 })
    t.same(await ask(theirs), await ask(none), `${verb} of another workspace's key`)
  }
  t.equal((await foreign.call('GET', `/v1/api-keys/${theirs}`)).body.version, 1)
}
