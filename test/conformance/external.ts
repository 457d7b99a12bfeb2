import type { Test } from 'tap'
import type { Resource } from '../../src/kernel/resource.js'
import { graphOutcome, inputOf, mutate, recordOf, restOutcome, selection } from './graph.js'
import { all, has, makeOne, newWorld, references, sampleOf } from './world.js'
import type { Json, Suite, World } from './world.js'

async function upserts(t: Test, world: World, resource: Resource): Promise<Json> {
  const path = `/v1/${resource.plural}/external/erp`
  const ref = await references(world, resource, true)
  const body = sampleOf(resource).create(world.next(), ref)
  t.equal((await world.call('GET', `${path}/A%2F1`)).status, 404)
  const first = await world.call('PUT', `${path}/A%2F1`, body)
  t.same([first.status, first.headers.etag], [201, '"1"'], first.text)
  t.equal(first.headers.location, `/v1/${resource.plural}/${first.body.id}`)
  t.same(first.body.externalIds, [{ source: 'erp', id: 'A/1' }])
  const again = await world.call('PUT', `${path}/A%2F1`, {})
  t.same([again.status, again.body, again.headers.etag], [200, first.body, '"1"'], 'merges like a PATCH')
  const { update } = sampleOf(resource)
  const second = await world.call('PUT', `${path}/A%2F1`, update)
  t.match(second, { status: 200, body: { ...update, id: first.body.id, version: 2 } })
  t.same((await world.call('GET', `${path}/A%2F1`)).body, second.body)
  const field = `${resource.name}ByExternalId`
  const query = `{ ${field}(source: "erp", externalId: "A/1") { ${selection(resource)} } }`
  t.same(recordOf(resource, (await world.graphql(query)).body.data[field] as Json), second.body)
  const none = await world.graphql(`{ ${field}(source: "erp", externalId: "B") { id } }`)
  t.same(none.body.data, { [field]: null })
  const stale = await world.call('PUT', `${path}/A%2F1`, update, { 'if-match': '"1"' })
  t.match(stale, { status: 412, body: { currentVersion: 2 } })
  return second.body
}

async function overGraph(t: Test, world: World, resource: Resource): Promise<void> {
  const ref = await references(world, resource, true)
  const body = inputOf(resource.createBody, sampleOf(resource).create(world.next(), ref))
  const upsert = (more: object) =>
    mutate(world, resource, 'upsert', { source: 'shop', externalId: 'g', ...more })
  const field = `upsert${resource.noun}`
  const first = await upsert(body)
  t.equal(first.body.data?.[field].created, true, first.text)
  const id = first.body.data[field][resource.name].id as string
  const second = await upsert({ customFields: { a: 1 } })
  t.match(second.body.data[field], { created: false, [resource.name]: { id, version: 2 } })
  const stale = await upsert({ customFields: { a: 2 }, expectedVersion: 1 })
  t.match(stale.body.errors[0].extensions, { code: 'version_mismatch', currentVersion: 2 })
  const refused = await upsert({ externalId: 'h', customFields: {} })
  if (resource.createBody.required?.length)
    t.match(refused.body.errors[0].extensions, { code: 'invalid_input' })
  const rest = await world.call('GET', `/v1/${resource.plural}/external/shop/g`)
  t.match(rest.body, { id, version: 2, customFields: { a: 1 } })
}

async function inTheBin(t: Test, world: World, resource: Resource, record: Json): Promise<void> {
  const id = record.id as string
  const path = `/v1/${resource.plural}/external/erp/A%2F1`
  t.equal((await world.call('DELETE', `/v1/${resource.plural}/${id}`)).status, 204)
  t.equal((await world.call('GET', path)).status, 404)
  t.equal((await world.call('GET', `${path}?deleted=true`)).body.id, id)
  const refused = await world.call('PUT', path, { customFields: { b: 1 } })
  const conflict = { code: 'in_bin', status: 409, conflictsWith: { resource: resource.name, id } }
  t.match(refused, { status: 409, body: conflict })
  const input = { source: 'erp', externalId: 'A/1', customFields: { b: 1 } }
  const graph = await mutate(world, resource, 'upsert', input)
  t.same(graphOutcome(resource, graph, ''), restOutcome(refused))
  const restored = await world.call('PUT', `${path}?restore=true`, { customFields: { b: 1 } })
  t.match(restored, { status: 200, body: { id, deletedAt: null, customFields: { b: 1 } } })
}

async function conflicts(t: Test, world: World, resource: Resource, record: Json): Promise<void> {
  const other = await makeOne(world, resource, { externalIds: [{ source: 'crm', id: '1' }] })
  const ref = await references(world, resource, true)
  const path = `/v1/${resource.plural}`
  const taken = { externalIds: [{ source: 'erp', id: 'A/1' }] }
  const conflict = { code: 'conflict', conflictsWith: { resource: resource.name, id: record.id } }
  const body = { ...sampleOf(resource).create(world.next(), ref), ...taken }
  for (const reply of [
    await world.call('POST', path, body),
    await world.call('PATCH', `${path}/${other.id}`, taken),
    await world.call('PUT', `${path}/external/crm/1`, taken)
  ]) {
    t.match(reply, { status: 409, body: { ...conflict, errors: [{ pointer: '/externalIds' }] } })
    const graph = await mutate(world, resource, 'update', { id: other.id as string, ...taken })
    t.same(graphOutcome(resource, graph, ''), restOutcome(reply))
  }
  const twice = { externalIds: [{ source: 'x', id: '1' }, { source: 'x', id: '2' }] } // prettier-ignore
  t.match(await world.call('PATCH', `${path}/${other.id}`, twice), {
    status: 400,
    body: { errors: [{ pointer: '/externalIds' }] }
  })
  const moved = await world.call('PATCH', `${path}/${other.id}`, {
    externalIds: [{ source: 'crm', id: '2' }]
  })
  t.same(moved.body.externalIds, [{ source: 'crm', id: '2' }], 'a list is replaced whole')
  t.equal((await world.call('GET', `${path}/external/crm/1`)).status, 404, 'what was given up is free')
  t.equal((await world.call('GET', `${path}/external/crm/2`)).body.id, other.id)
}

async function races(t: Test, world: World, resource: Resource): Promise<void> {
  const before = (await all(world, resource)).length
  const ref = await references(world, resource, true)
  const body = sampleOf(resource).create(world.next(), ref)
  const calls = Array.from({ length: 8 }, (_, i) =>
    world.call('PUT', `/v1/${resource.plural}/external/race/1`, { ...body, customFields: { [`k${i}`]: i } })
  )
  const replies = await Promise.all(calls)
  t.same(replies.map(r => r.status).sort(), [200, 200, 200, 200, 200, 200, 200, 201], 'one makes it')
  t.equal(new Set(replies.map(r => r.body.id as string)).size, 1)
  t.equal((await all(world, resource)).length, before + 1)
  const { body: last } = await world.call('GET', `/v1/${resource.plural}/external/race/1`)
  t.equal(Object.keys(last.customFields as object).length, 8, 'and nobody is lost')
  t.equal(last.version, 8)
}

/** Partners' own ids. */
export async function external(t: Test, suite: Suite, resource: Resource): Promise<void> {
  if (!has(suite, resource, 'upsert')) return
  const world = await newWorld(suite)
  const record = await upserts(t, world, resource)
  await overGraph(t, world, resource)
  await conflicts(t, world, resource, record)
  await races(t, world, resource)
  await inTheBin(t, world, resource, record)
}
