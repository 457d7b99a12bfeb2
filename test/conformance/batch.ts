import type { Test } from 'tap'
import type { Resource } from '../../src/kernel/resource.js'
import { batchBody } from '../../src/kernel/standard-schemas.js'
import { inputOf, mutate } from './graph.js'
import { unknownId } from './crud.js'
import { has, makeOne, newWorld, references, sampleOf } from './world.js'
import type { Json, Suite, World } from './world.js'
import { eventsOf } from './writes.js'

const send = (world: World, resource: Resource, operations: object[], atomic = false) =>
  world.call('POST', `/v1/${resource.plural}/batch`, { atomic, operations })

interface Row {
  operation: Json
  /** The same as a single call. */
  method: string
  path: string
  headers?: Record<string, string>
}

/** One failing row of each kind, with the single call that fails alike. */
async function failing(world: World, resource: Resource): Promise<Row[]> {
  const path = `/v1/${resource.plural}`
  const external = [{ source: 'batch', id: 'taken' }]
  const ref = await references(world, resource, true)
  const body = sampleOf(resource).create(world.next(), ref)
  await makeOne(world, resource, { externalIds: external })
  const one = String((await makeOne(world, resource)).id)
  const inBin = async (name: string) => {
    const { id } = await makeOne(world, resource, { externalIds: [{ source: 'batch', id: name }] })
    await world.call('DELETE', `${path}/${String(id)}`)
    return String(id)
  }
  await inBin('bin')
  const [none, nobody, away] = [unknownId(), unknownId(), await inBin('away')]
  const stale = { 'if-match': '"9"' }
  const rows: Row[] = [
    { operation: { op: 'create', body: { ...body, unheard: 1 } }, method: 'POST', path },
    { operation: { op: 'create', body: { ...body, externalIds: external } }, method: 'POST', path },
    { operation: { op: 'update', id: none, body: {} }, method: 'PATCH', path: `${path}/${none}` },
    { operation: { op: 'update', id: away, body: {} }, method: 'PATCH', path: `${path}/${away}` },
    { operation: { op: 'delete', id: nobody }, method: 'DELETE', path: `${path}/${nobody}` },
    { operation: { op: 'restore', id: one }, method: 'POST', path: `${path}/${one}/restore` },
    {
      operation: { op: 'upsert', source: 'batch', externalId: 'bin', body: {} },
      method: 'PUT',
      path: `${path}/external/batch/bin`
    }
  ]
  const other = await makeOne(world, resource)
  rows.push({
    operation: { op: 'update', id: other.id, expectedVersion: 9, body: { customFields: { a: 1 } } },
    method: 'PATCH',
    path: `${path}/${String(other.id)}`,
    headers: stale
  })
  for (const { kind, field } of Object.values(resource.relations)) {
    if (kind === 'one' && resource.createBody.properties[field]) {
      rows.push({ operation: { op: 'create', body: { ...body, [field]: none } }, method: 'POST', path })
    }
  }
  if (resource.createBody.required?.length) {
    rows.push({ operation: { op: 'create', body: {} }, method: 'POST', path })
  }
  return rows
}

/** An error of a row as the single call would have answered it: pointers and messages without the way to the row. */
function alone({ operation, ...error }: Json): Json {
  const bare = (text: unknown) =>
    String(text)
      .replace(/^\/operations\/\d+(\/body)?/, '')
      .replace(/^\/body/, '')
  return {
    ...error,
    detail: bare(error.detail),
    ...(error.errors && {
      errors: (error.errors as Json[]).map(e => ({
        ...e,
        pointer: bare(e.pointer),
        message: bare(e.message)
      }))
    })
  }
}

async function errors(t: Test, world: World, resource: Resource): Promise<void> {
  const rows = await failing(world, resource)
  const operations = rows.map(r => r.operation)
  const ref = await references(world, resource, true)
  const good = () => ({ op: 'create', body: sampleOf(resource).create(world.next(), ref) })
  const events = async () => Number((await world.call('GET', '/v1/events?limit=1000')).body.data.length)
  const before = await events()
  const { status, body } = await send(world, resource, [...operations, good()])
  t.equal(status, 200)
  const results = body.results as Json[]
  t.match(
    results.at(-1),
    { status: 'created', version: 1, error: null },
    'a failed row leaves the others alone'
  )
  t.equal(await events(), before + 1)
  for (const [i, { operation, method, path, headers }] of rows.entries()) {
    const single = await world.call(method, path, operation.body, headers)
    const { instance, requestId, ...problem } = single.body
    t.match(results[i], { index: i, status: 'failed', version: null })
    t.same(alone(results[i]!.error as Json), problem, `row ${i} fails like ${method} ${path}`)
    const atomic = await send(world, resource, [good(), operation], true)
    t.match(atomic, { status: single.status, body: { code: problem.code as string, operation: 1 } }, 'atomic')
  }
  t.equal(await events(), before + 1, 'a failed atomic batch writes nothing')
  const graph = await mutate(
    world,
    resource,
    'batch',
    inputOf(batchBody(resource), { operations: operations.slice(2) })
  )
  const told = (graph.body.data[`batch${resource.noun}`].results as Json[]).map(r => r.error.code as string)
  t.same(
    told,
    results.slice(2, -1).map(r => r.error.code as string),
    'GraphQL fails the same rows'
  )
}

async function statuses(t: Test, world: World, resource: Resource): Promise<void> {
  const { create, update } = sampleOf(resource)
  const ref = await references(world, resource, true)
  const body = () => create(world.next(), ref)
  const made = async () => String((await makeOne(world, resource)).id)
  const unique = Object.fromEntries(Object.entries(update).filter(([k]) => k !== 'email'))
  const [one, two, three, four] = [await made(), await made(), await made(), await made()]
  await world.call('DELETE', `/v1/${resource.plural}/${four}`)
  const operations = [
    { op: 'create', body: body() },
    { op: 'update', id: one, body: unique },
    { op: 'update', id: one, body: {} },
    { op: 'update', id: two, body: {} },
    { op: 'delete', id: three, expectedVersion: 1 },
    { op: 'restore', id: four },
    { op: 'upsert', source: 'b', externalId: '1', body: body() },
    { op: 'upsert', source: 'b', externalId: '1', body: body() },
    { op: 'delete', id: three.toUpperCase() },
    { op: 'nonsense' },
    { op: 'update', body: {} },
    'nonsense'
  ]
  const reply = await send(world, resource, operations as object[])
  const results = reply.body.results as Json[]
  t.same(
    results.map(r => (r.error ? `${r.status}: ${r.error.code}` : (r.status as string))),
    [
      'created',
      'updated',
      'failed: duplicate_in_batch',
      'unchanged',
      'deleted',
      'updated',
      'created',
      'failed: duplicate_in_batch',
      'failed: duplicate_in_batch',
      'failed: invalid_input',
      'failed: invalid_input',
      'failed: invalid_input'
    ]
  )
  t.same(results.map(r => r.index as number), operations.map((_, i) => i)) // prettier-ignore
  for (const id of [one, three])
    t.equal((await eventsOf(world, id)).length, 2, 'one event for each changed record')
  t.equal((await eventsOf(world, two)).length, 1)
  const input = inputOf(batchBody(resource), {
    atomic: true,
    operations: [
      { op: 'create', body: body() },
      { op: 'upsert', source: 'b', externalId: '1', body: unique },
      { op: 'delete', id: one }
    ]
  })
  const graph = await mutate(world, resource, 'batch', input)
  const found = graph.body.data[`batch${resource.noun}`].results as Json[]
  t.same(found.map(r => r.status as string), ['CREATED', 'UPDATED', 'DELETED']) // prettier-ignore
}

/** So many that a statement for each would tell, and no more: what a thousand need is seen where data are loaded. */
const many = 250

async function together(t: Test, world: World, resource: Resource): Promise<void> {
  const ref = await references(world, resource, true)
  const bodies = Array.from({ length: many }, () => sampleOf(resource).create(world.next(), ref))
  const before = Number(
    (await world.call('GET', `/v1/${resource.plural}?limit=1&count=true`)).body.page.totalCount
  )
  let reply = await world.call('GET', '/v1/me')
  const made = await world.statements.count(async () => {
    reply = await send(world, resource, bodies.map(body => ({ op: 'create', body }))) // prettier-ignore
  })
  const results = reply.body.results as Json[]
  t.ok(results.every(r => r.status === 'created'), `${many} rows in one call`) // prettier-ignore
  t.ok(made <= 12, `${made} statements made ${many} records`)
  const after = Number(
    (await world.call('GET', `/v1/${resource.plural}?limit=1&count=true`)).body.page.totalCount
  )
  t.equal(after, before + many)
  const changed = await world.statements.count(async () => {
    const operations = results.map(r => ({
      op: 'update',
      id: r.id as string,
      body: { customFields: { a: 1 } }
    }))
    reply = await send(world, resource, operations, true)
  })
  t.ok((reply.body.results as Json[]).every(r => r.status === 'updated' && r.version === 2))
  t.ok(changed <= 12, `${changed} statements changed ${many} records`)
  const types = `${resource.eventName}.updated`
  const feed = await world.call('GET', `/v1/events?limit=1000&types=${types}`)
  const changedIds = new Set(results.map(r => r.id as string))
  const told = (feed.body.data as Json[]).map(e => e.recordId as string).filter(id => changedIds.has(id))
  t.same([told.length, new Set(told).size], [many, many], 'one event for each')
  const tooMany = Array.from({ length: 1001 }, () => ({ op: 'delete', id: unknownId() }))
  t.equal((await send(world, resource, tooMany)).status, 400)
  t.equal((await send(world, resource, [])).status, 400)
}

/** Many writes in one call. */
export async function batch(t: Test, suite: Suite, resource: Resource): Promise<void> {
  if (!has(suite, resource, 'batch')) return
  await errors(t, await newWorld(suite), resource)
  const world = await newWorld(suite)
  await statuses(t, world, resource)
  await together(t, world, resource)
}
