import { v7 as newId } from 'uuid'
import type { Test } from 'tap'
import type { Resource } from '../../src/kernel/resource.js'
import {
  graphGet,
  graphOutcome,
  inputOf,
  mutate,
  mutated,
  recordOf,
  restOutcome,
  selection
} from './graph.js'
import { fullBody, has, makeOne, newWorld, recordIn, references, sampleOf } from './world.js'
import type { Json, Suite, World } from './world.js'

/** A record without what Kith gives it, to compare two that were made alike. */
const content = ({ id, createdAt, updatedAt, openedAt, stageEnteredAt, closedAt, hint, ...rest }: Json) =>
  rest

/** The fields whose values no two records share, with values made of n. */
const uniqueValues = (resource: Resource, n: number) =>
  Object.fromEntries(
    Object.entries(sampleOf(resource).values ?? {}).flatMap(([name, v]) =>
      typeof v === 'function' ? [[name, v(n)]] : []
    )
  )

async function creates(t: Test, world: World, resource: Resource): Promise<void> {
  const ref = await references(world, resource)
  const n = 1001
  const body = fullBody(resource, n, ref)
  const path = `/v1/${resource.plural}`
  const reply = await world.call('POST', path, body)
  t.equal(reply.status, 201, reply.text)
  const record = recordIn(resource, reply.body)
  t.match(record, { version: 1, deletedAt: null, externalIds: [] })
  for (const [name, value] of Object.entries(body)) t.same(record[name], value, `${name} comes back as sent`)
  const names = [...resource.fields.keys()].sort()
  t.same(Object.keys(record).sort(), names, 'a record has all its fields, null ones too')
  if (recordIn(resource, reply.body) === reply.body) {
    t.equal(reply.headers.etag, '"1"')
    t.equal(reply.headers.location, `${path}/${record.id}`)
  }
  t.same((await world.call('GET', `${path}/${record.id}`)).body, record, 'GET answers what POST answered')
  t.same((await graphGet(world, resource, record.id as string)).record, record, 'GraphQL answers the same')

  const other = { ...body, ...sampleOf(resource).create(n + 3, ref), ...uniqueValues(resource, n + 3) }
  const made = await mutated(world, resource, 'create', other)
  if (!made.record) return void t.fail(`create over GraphQL: ${JSON.stringify(made.error)}`)
  const byRest = await world.call('GET', `${path}/${made.record.id}`)
  t.same(byRest.body, made.record, 'REST answers what GraphQL made')
  const changed = Object.keys(other).filter(k => JSON.stringify(other[k]) !== JSON.stringify(body[k]))
  const alike = (r: Json) =>
    content(Object.fromEntries(Object.entries(r).filter(([k]) => !changed.includes(k))))
  const ofStage = ({ status, stageId, pipelineId, ...rest }: Json) => rest
  t.same(ofStage(alike(made.record)), ofStage(alike(record)), 'both surfaces make the same')
}

async function conditional(t: Test, world: World, resource: Resource): Promise<void> {
  const record = await makeOne(world, resource)
  const path = `/v1/${resource.plural}/${record.id}`
  const get = (headers: Record<string, string>, query = '') =>
    world.call('GET', path + query, undefined, headers)
  for (const tag of ['"1"', 'W/"1"', '"7", "1"', '*']) {
    const reply = await get({ 'if-none-match': tag })
    t.same([reply.status, reply.headers.etag, reply.text], [304, '"1"', ''], `If-None-Match: ${tag}`)
  }
  t.equal((await get({ 'if-none-match': '"2"' })).status, 200)
  t.equal((await get({ 'if-match': '"1"' })).status, 200)
  const partial = await get({ 'if-none-match': '*' }, '?fields=id')
  t.same([partial.status, partial.headers.etag], [200, undefined], 'parts of a record have no ETag')
  const { update } = sampleOf(resource)
  const stale = await world.call('PATCH', path, update, { 'if-match': '"7"' })
  t.match(stale, { status: 412, body: { code: 'version_mismatch', currentVersion: 1 } })
  for (const tag of ['W/"1"', '"x"']) {
    t.equal((await world.call('PATCH', path, update, { 'if-match': tag })).status, 412, `If-Match: ${tag}`)
  }
  t.equal((await world.call('PATCH', path, update, { 'if-match': 'x' })).status, 400)
  t.equal((await get({ 'if-match': '"7"' })).status, 412)
  const right = await world.call('PATCH', path, update, { 'if-match': '"1"' })
  t.same([right.status, right.headers.etag], [200, '"2"'])
  t.equal((await get({ 'if-none-match': '"1"' })).status, 200, 'the old ETag no longer holds')
}

async function updates(t: Test, world: World, resource: Resource): Promise<void> {
  const { update } = sampleOf(resource)
  const [one, two] = [await makeOne(world, resource), await makeOne(world, resource)]
  const path = `/v1/${resource.plural}`
  const byRest = await world.call('PATCH', `${path}/${one.id}`, update, {
    'content-type': 'application/merge-patch+json'
  })
  t.equal(byRest.status, 200, byRest.text)
  t.match(byRest.body, { ...update, version: 2, id: one.id, createdAt: one.createdAt })
  const same = Object.fromEntries(
    Object.entries(one).filter(([k]) => !(k in update) && k !== 'version' && k !== 'updatedAt')
  )
  t.match(byRest.body, same, 'absent fields stay')
  const unique = Object.fromEntries(Object.entries(update).filter(([k]) => k !== 'email'))
  const byGraph = await mutated(world, resource, 'update', { id: two.id, ...unique }, resource.updateBody)
  t.match(byGraph.record, { ...unique, version: 2, id: two.id })
  t.same((await world.call('GET', `${path}/${two.id}`)).body, byGraph.record)
  const input = { id: two.id, expectedVersion: 1, ...inputOf(resource.updateBody, unique) }
  const stale = graphOutcome(resource, await mutate(world, resource, 'update', input), '')
  const restStale = await world.call('PATCH', `${path}/${two.id}`, unique, { 'if-match': '"1"' })
  t.same(stale, restOutcome(restStale), 'expectedVersion is If-Match')
  t.match(stale, { error: { code: 'version_mismatch', currentVersion: 2 } })
}

/** No record has this id. */
export const unknownId = () => newId()

async function missing(t: Test, world: World, resource: Resource): Promise<void> {
  const id = unknownId()
  const reply = await world.call('GET', `/v1/${resource.plural}/${id}`)
  t.match(reply, {
    status: 404,
    body: { code: 'not_found', status: 404, instance: `/v1/${resource.plural}/${id}` }
  })
  t.match(reply.headers['content-type'], /^application\/problem\+json/)
  t.equal(reply.body.requestId, reply.headers['x-request-id'])
  t.same(await graphGet(world, resource, id), { record: null })
  t.equal((await world.call('GET', `/v1/${resource.plural}/x`)).status, 400, 'no id at all is a bad request')
  const update = await mutated(
    world,
    resource,
    'update',
    { id, ...sampleOf(resource).update },
    resource.updateBody
  )
  t.same(
    update,
    restOutcome(await world.call('PATCH', `/v1/${resource.plural}/${id}`, sampleOf(resource).update))
  )
  const wrong = await world.call('PUT', `/v1/${resource.plural}/${id}`)
  t.match(wrong, { status: 405, headers: { allow: /GET/ } })
}

async function nodes(t: Test, world: World, resource: Resource): Promise<void> {
  const { id } = await makeOne(world, resource)
  const query = `query($id: ID!, $ids: [ID!]!) {
    node(id: $id) { __typename ... on ${resource.typeName} { ${selection(resource)} } }
    nodes(ids: $ids) { id }
  }`
  const none = unknownId()
  const { body } = await world.graphql(query, { id, ids: [none, id, id] })
  t.same(body.data.nodes, [null, { id }, { id }], 'nodes keep the order asked for')
  const { __typename, ...node } = body.data.node as Json
  t.equal(__typename, resource.typeName)
  t.same(recordOf(resource, node), (await world.call('GET', `/v1/${resource.plural}/${id}`)).body)
}

/** Making, reading and changing one record, with versions, on both surfaces. */
export async function crud(t: Test, suite: Suite, resource: Resource): Promise<void> {
  const world = await newWorld(suite)
  await creates(t, world, resource)
  await conditional(t, world, resource)
  if (has(suite, resource, 'update')) await updates(t, world, resource)
  await missing(t, world, resource)
  await nodes(t, world, resource)
}
