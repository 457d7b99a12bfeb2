import type { Test } from 'tap'
import type { Resource } from '../../src/kernel/resource.js'
import { mutate } from '../conformance/graph.js'
import { makeOne, references, sampleOf, type Json, type World } from '../conformance/world.js'
import { sees, type Actor } from './cast.js'
import { mayOwnWebhooks, readFacts, seesRecord, worldOf, type Stage } from './world.js'

interface Row extends Json {
  status: string
  error: Json | null
}

/** A batch of one row for each record. */
async function batch(
  world: World,
  resource: Resource,
  records: readonly Json[],
  row: (record: Json) => object
): Promise<Row[]> {
  const operations = records.map(row)
  const reply = await world.call('POST', `/v1/${resource.plural}/batch`, { operations })
  if (reply.status !== 200) throw new Error(reply.text)
  return reply.body.results as Row[]
}

// A rule of the resource may refuse what is in sight; only what is out of sight is not found.
function onlySeen(t: Test, seen: readonly boolean[], rows: readonly Row[], name: string): void {
  const found = rows.map(r => r.error?.code !== 'not_found')
  t.same(found, seen, `${name} finds what is in sight`)
}

async function batches(t: Test, stage: Stage, actor: Actor, world: World, resource: Resource): Promise<void> {
  const live = stage.live.get(resource.name)!
  const seen = live.map(r => seesRecord(stage, actor, resource, r))
  const stamp = { customFields: { by: actor.name } }
  const updated = await batch(world, resource, live, ({ id }) => ({ op: 'update', id, body: stamp }))
  onlySeen(t, seen, updated, 'update')
  t.same(
    updated.map(r => r.status),
    seen.map(s => (s ? 'updated' : 'failed'))
  )
  onlySeen(t, seen, await batch(world, resource, live, ({ id }) => ({ op: 'delete', id })), 'delete')
  onlySeen(t, seen, await batch(world, resource, live, ({ id }) => ({ op: 'restore', id })), 'restore')

  const known = live.filter(r => (r.externalIds as Json[]).length > 0)
  const ref = await references(world, resource, true)
  const upserted = await batch(world, resource, known, ({ externalIds }) => {
    const [{ source, id }] = externalIds as [{ source: string; id: string }]
    return { op: 'upsert', source, externalId: id, body: sampleOf(resource).create(world.next(), ref) }
  })
  for (const [i, { status, error, id }] of upserted.entries()) {
    const record = known[i]!
    if (!seesRecord(stage, actor, resource, record)) {
      t.match(error, { code: 'conflict' }, 'an external id of a record out of sight is taken')
      t.notOk(error?.conflictsWith, 'by nobody who is named')
    } else if (status !== 'failed') {
      t.match({ status, id }, { status: /^(updated|unchanged)$/, id: record.id })
    } else {
      t.notMatch(error, { code: /^(conflict|not_found)$/ })
    }
  }
}

async function singles(t: Test, stage: Stage, actor: Actor, world: World, resource: Resource): Promise<void> {
  const path = `/v1/${resource.plural}`
  const ownerOf = async (id: unknown) =>
    (await stage.admin.call('GET', `${path}/${String(id)}`)).body.ownerId as string | null
  const read = async (id: unknown) => (await world.call('GET', `${path}/${String(id)}`)).status
  const status = (ownerId: string | null) => (sees(stage.cast, actor, ownerId) ? 200 : 404)

  const mine = await makeOne(world, resource)
  t.equal(mine.ownerId, actor.userId, 'a creator is the owner')
  t.equal(await read(mine.id), status(actor.userId))
  const { rival } = stage.cast.owners
  for (const ownerId of [rival!, null]) {
    const given = await makeOne(world, resource, { ownerId })
    t.equal(given.ownerId, ownerId, 'what is made for another is answered')
    t.equal(await read(given.id), status(ownerId), 'and then seen by who may')
    const away = await makeOne(world, resource, { ownerId: actor.userId ?? rival! })
    const patched = await world.call('PATCH', `${path}/${away.id}`, { ownerId })
    t.match(
      patched,
      { status: 200, body: { id: away.id, ownerId } },
      'giving away is answered with the record'
    )
    t.equal(await read(away.id), status(ownerId), 'and what is gone is gone')
    t.equal(await ownerOf(away.id), ownerId)
    const graph = await makeOne(world, resource, { ownerId: actor.userId ?? rival! })
    const handed = await mutate(world, resource, 'update', { id: graph.id as string, ownerId })
    t.equal(handed.body.data[`update${resource.noun}`][resource.name].id, graph.id, 'also over GraphQL')
    t.equal(await read(graph.id), status(ownerId))
  }
}

/** What an actor writes is what it sees. */
export async function writes(t: Test, stage: Stage, actor: Actor, resource: Resource): Promise<void> {
  const world = worldOf(stage, actor)
  await readFacts(stage, [resource])
  const before = stage.live.get(resource.name)!
  await batches(t, stage, actor, world, resource)
  if (actor.userId !== null) await singles(t, stage, actor, world, resource)
  await readFacts(stage, [resource])
  const after = new Map(stage.live.get(resource.name)!.map(r => [r.id, r]))
  const changed = before.filter(
    r => !seesRecord(stage, actor, resource, r) && after.get(r.id)?.version !== r.version
  )
  t.same(changed, [], 'and nothing else is touched')
}

/** Somebody without the scope to write is told so, whether a record is in sight or not. */
export async function refusals(t: Test, stage: Stage, actor: Actor, resource: Resource): Promise<void> {
  const { call } = worldOf(stage, actor)
  const path = `/v1/${resource.plural}`
  for (const { id } of stage.live.get(resource.name)!.slice(0, 3)) {
    for (const [method, at] of [
      ['PATCH', `${path}/${id}`],
      ['DELETE', `${path}/${id}`],
      ['POST', `${path}/${id}/restore`],
      ['PUT', `${path}/external/erp/nobody`]
    ] as const) {
      t.match(await call(method, at, {}), { status: 403, body: { scope: resource.permissions.write } })
    }
  }
}

/**
 * Only somebody who sees all records, and has the scope, makes an endpoint and looks into its log; and only who may do
 * as much as its maker changes it.
 */
export async function endpoints(t: Test, stage: Stage, actor: Actor): Promise<void> {
  const { call, graphql } = worldOf(stage, actor)
  const [theirs] = stage.live.get('webhook')!
  const [record] = stage.live.get('contact')!
  const url = 'https://example.com/mine'
  const all = async (id: string) => {
    const path = `/v1/webhooks/${id}`
    const delivery = `${path}/deliveries/${String(record!.id)}`
    return [
      await call('GET', `${path}/deliveries`),
      await call('GET', delivery),
      await call('PATCH', path, { url }),
      await call('POST', `${path}/rotate`, {}),
      await call('POST', `${path}/test`),
      await call('POST', `${path}/resume`),
      await call('POST', `${path}/resend`, { from: '1' }),
      await call('POST', `${delivery}/resend`),
      await call('POST', `${delivery}/skip`),
      await call('DELETE', path),
      await call('POST', `${path}/restore`)
    ].map(reply => reply.status)
  }
  const none = Array<number>(9).fill(403)
  const made = await call('POST', '/v1/webhooks', { url })
  const mutation = 'mutation($url: String!) { createWebhook(input: { url: $url }) { secret } }'
  const graph = await graphql(mutation, { url })
  if (mayOwnWebhooks(actor)) {
    t.ok(graph.body.data.createWebhook.secret)
    const own = await all(made.body.webhook.id as string)
    t.same(own, [200, 404, 200, 200, 202, 200, 202, 404, 404, 204, 200], 'the own one')
    if (actor.may !== 'admin') t.same(await all(String(theirs!.id)), [200, 404, ...none], "an admin's")
    return
  }
  t.match(made, { status: 403, body: { code: 'forbidden' } })
  t.equal(graph.body.errors[0].extensions.code, 'forbidden')
  t.same(await all(String(theirs!.id)), [403, 403, ...none])
  const now = await stage.admin.call('GET', `/v1/webhooks/${String(theirs!.id)}`)
  t.same(now.body, theirs, 'and nothing happened to it')
}
