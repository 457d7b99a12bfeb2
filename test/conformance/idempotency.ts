import type { Test } from 'tap'
import type { Resource } from '../../src/kernel/resource.js'
import type { Reply } from '../helpers/app.js'
import { inputOf } from './graph.js'
import { all, has, makeOne, newWorld, references, sampleOf } from './world.js'
import type { Json, Suite, World } from './world.js'

const keyed = (key: string) => ({ 'idempotency-key': key })
const replayed = ({ headers }: Reply) => headers['idempotency-replayed'] === 'true'

async function repeated(t: Test, send: () => Promise<Reply>, name: string): Promise<Reply> {
  const first = await send()
  const second = await send()
  t.ok(first.status < 300 && !replayed(first), `${name}: ${first.status}`)
  t.ok(replayed(second), `${name} is repeated`)
  t.same([second.status, second.text], [first.status, first.text], `${name}: the same bytes`)
  for (const header of ['etag', 'location', 'content-type'])
    t.equal(second.headers[header], first.headers[header])
  return first
}

async function creates(t: Test, world: World, resource: Resource): Promise<void> {
  const path = `/v1/${resource.plural}`
  const ref = await references(world, resource, true)
  const fresh = () => sampleOf(resource).create(world.next(), ref)
  const body = fresh()
  const post = (given: object, key: string) => world.call('POST', path, given, keyed(key))
  const { body: record } = await repeated(t, () => post(body, 'once'), 'POST')
  const reordered = Object.fromEntries(Object.entries(body).reverse())
  t.ok(replayed(await post(reordered, 'once')), 'the order of the fields does not matter')
  t.match(await post(fresh(), 'once'), { status: 422, body: { code: 'idempotency_mismatch' } })
  const { update } = sampleOf(resource)
  const other = await world.call('PATCH', `${path}/${record.id}`, update, keyed('once'))
  t.match(
    other,
    { status: 422, body: { code: 'idempotency_mismatch' } },
    'nor does another operation get the answer'
  )

  const before = (await all(world, resource)).length
  const twice = fresh()
  const both = await Promise.all([post(twice, 'two'), post(twice, 'two'), post(twice, 'two')])
  for (const reply of both) {
    if (reply.status === 409) t.equal(reply.headers['retry-after'], '1')
    else t.equal(reply.status, 201)
  }
  t.equal(both.filter(r => r.status === 201 && !replayed(r)).length, 1, 'one of them writes')
  t.equal((await all(world, resource)).length, before + 1)

  t.equal((await post({ ...twice, unheard: 1 }, 'free')).status, 400)
  const retried = await post(fresh(), 'free')
  t.same([retried.status, replayed(retried)], [201, false], 'a failed request leaves the key free')
}

async function others(t: Test, world: World, resource: Resource): Promise<void> {
  const { id } = await makeOne(world, resource)
  const path = `/v1/${resource.plural}`
  const ref = await references(world, resource, true)
  const { update, create } = sampleOf(resource)
  const body = create(world.next(), ref)
  const row = { op: 'create', body: create(world.next(), ref) }
  const calls: [string, string, string, unknown][] = [
    ['update', 'PATCH', `${path}/${id}`, update],
    ['delete', 'DELETE', `${path}/${id}`, undefined],
    ['restore', 'POST', `${path}/${id}/restore`, undefined],
    ['upsert', 'PUT', `${path}/external/s/1`, body],
    ['batch', 'POST', `${path}/batch`, { operations: [row] }]
  ]
  for (const [verb, method, to, given] of calls) {
    if (!has(world, resource, verb)) continue
    await repeated(t, () => world.call(method, to, given, keyed(verb)), verb)
  }
}

async function overGraph(t: Test, world: World, resource: Resource): Promise<void> {
  const ref = await references(world, resource, true)
  const fresh = () => inputOf(resource.createBody, sampleOf(resource).create(world.next(), ref))
  const input = `Create${resource.noun}Input!`
  const create = `create${resource.noun}`
  const query = `mutation($a: ${input}, $b: ${input}) {
    a: ${create}(input: $a) { ${resource.name} { id version } }
    b: ${create}(input: $b) { ${resource.name} { id version } }
  }`
  const [a, b] = [fresh(), fresh()]
  const before = (await all(world, resource)).length
  const first = await world.graphql(query, { a, b }, keyed('graph'))
  const second = await world.graphql(query, { a, b }, keyed('graph'))
  t.same(second.body, first.body, 'each field is repeated for itself')
  t.not(first.body.data.a[resource.name].id, first.body.data.b[resource.name].id)
  t.equal((await all(world, resource)).length, before + 2)
  const third = await world.graphql(query, { a, b: fresh() }, keyed('graph'))
  t.match(third.body.errors as Json[], [
    { path: ['b'], extensions: { code: 'idempotency_mismatch', status: 422 } }
  ])
}

/** Writes that come twice under one Idempotency-Key. */
export async function idempotency(t: Test, suite: Suite, resource: Resource): Promise<void> {
  // An answer with a secret is not kept; such a create has tests of its own.
  const secret = suite.operations.get(`${resource.plural}.create`)?.secret ?? false
  const world = await newWorld(suite)
  if (!secret) await creates(t, world, resource)
  await others(t, world, resource)
  if (!secret) await overGraph(t, world, resource)
}
