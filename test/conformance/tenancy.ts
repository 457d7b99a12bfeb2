import type { Test } from 'tap'
import { resourceNamed, type Resource } from '../../src/kernel/resource.js'
import type { Reply } from '../helpers/app.js'
import { graphList, inputOf, mutate } from './graph.js'
import { unknownId } from './crud.js'
import { has, makeOne, newWorld, references, sampleOf } from './world.js'
import type { Suite, World } from './world.js'

/** A request that names a record by its id. */
export type Ask = (id: string) => Promise<Reply>

/** The whole answer, with the id that was asked for and what is new in every answer blotted out. */
function seen({ status, headers, text }: Reply, id: string, world: World): unknown {
  const own = new Set([world.workspaceId])
  const blotted = text
    .replaceAll(new RegExp(id, 'gi'), '<asked>')
    .replace(/"requestId":"[^"]*"/g, '"requestId":"…"')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, found => (own.has(found) ? found : '<id>'))
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
  const { etag, location, link } = headers
  return { status, etag, location: location !== undefined, link: link !== undefined, text: blotted }
}

/** Asserts that records that are not to be seen are answered as one that does not exist. */
export async function alike(
  t: Test,
  world: World,
  name: string,
  hidden: readonly string[],
  ask: Ask
): Promise<void> {
  const none = unknownId()
  const unknown = await ask(none)
  for (const id of hidden) t.same(seen(await ask(id), id, world), seen(unknown, none, world), name)
  t.notMatch(unknown.text, /invalid_input|internal/, `${name} is a request that can be answered`)
}

/** The REST calls of a record's path, and those that filter by its id. */
export function byPath(world: World, resource: Resource): [string, Ask][] {
  const path = `/v1/${resource.plural}`
  const { update } = sampleOf(resource)
  return [
    ['GET', id => world.call('GET', `${path}/${id}`)],
    ['GET in the bin', id => world.call('GET', `${path}/${id}?deleted=true`)],
    ['PATCH', id => world.call('PATCH', `${path}/${id}`, update)],
    ['PATCH with If-Match', id => world.call('PATCH', `${path}/${id}`, update, { 'if-match': '"1"' })],
    ['DELETE', id => world.call('DELETE', `${path}/${id}`)],
    ['restore', id => world.call('POST', `${path}/${id}/restore`)],
    ['changes', id => world.call('GET', `${path}/${id}/changes`)],
    ['events', id => world.call('GET', `/v1/events?recordId=${id}`)],
    ['a filter', id => world.call('GET', `${path}?id=${id}&count=true`)],
    ['in', id => world.call('POST', `${path}/search`, { filter: { id: { in: [id] } }, count: true })]
  ]
}

/** The same over GraphQL. */
export function overGraph(world: World, resource: Resource): [string, Ask][] {
  const asked =
    (query: string): Ask =>
    id =>
      world.graphql(query, { id })
  const asks: [string, Ask][] = [
    ['one', asked(`query($id: ID!) { ${resource.name}(id: $id) { id } }`)],
    ['node', asked('query($id: ID!) { node(id: $id) { id } }')],
    ['nodes', asked('query($id: ID!) { nodes(ids: [$id]) { id } }')],
    ['changes', asked(`query($id: ID!) { ${resource.name}Changes(id: $id) { data { id } } }`)],
    ['filter', id => graphList(world, resource, { filter: { id: { eq: id } } })],
    ['update', id => mutate(world, resource, 'update', { id, customFields: { a: 1 } })]
  ]
  if (!has(world, resource, 'delete', 'restore')) return asks
  return [
    ...asks,
    ['delete', id => mutate(world, resource, 'delete', { id })],
    ['restore', id => mutate(world, resource, 'restore', { id })]
  ]
}

/** Rows of a batch that name another's record by id. */
export function byBatch(world: World, resource: Resource): [string, Ask][] {
  const send = (operation: object, atomic: boolean) =>
    world.call('POST', `/v1/${resource.plural}/batch`, { atomic, operations: [operation] })
  return [true, false].flatMap((atomic): [string, Ask][] => [
    ['batch update', id => send({ op: 'update', id, body: { customFields: { a: 1 } } }, atomic)],
    ['batch delete', id => send({ op: 'delete', id, expectedVersion: 1 }, atomic)],
    ['batch restore', id => send({ op: 'restore', id }, atomic)]
  ])
}

/** Records of ours that point to another's: `theirs` answers one of a resource, or none to leave it out. */
export async function foreignReferences(
  t: Test,
  world: World,
  resource: Resource,
  theirs: (target: Resource) => Promise<string | undefined>
): Promise<void> {
  const ref = await references(world, resource, true)
  const mine = String((await makeOne(world, resource)).id)
  const path = `/v1/${resource.plural}`
  for (const [name, { kind, target, field }] of Object.entries(resource.relations)) {
    const other = resourceNamed(target)
    const asked = await theirs(other)
    if (asked === undefined) continue
    const filter = (id: string) => ({ filter: { [name]: { id: { eq: id } } }, count: true })
    const asks: [string, Ask][] = [
      ['relation filter', id => world.call('POST', `${path}/search`, filter(id))],
      ['relation filter over GraphQL', id => graphList(world, resource, { filter: filter(id).filter })]
    ]
    if (kind === 'one') asks.push(['filter by it', id => world.call('GET', `${path}?${field}=${id}`)])
    if (kind === 'one' && resource.createBody.properties[field]) {
      const body = (id: string) => ({ ...sampleOf(resource).create(1, ref), [field]: id })
      asks.push(['create', id => world.call('POST', path, body(id))])
      asks.push([
        'create over GraphQL',
        id => mutate(world, resource, 'create', inputOf(resource.createBody, body(id)))
      ])
      if (resource.fields.get(field)!.writable) {
        asks.push(['update', id => world.call('PATCH', `${path}/${mine}`, { [field]: id })])
      }
      if (has(world, resource, 'batch')) {
        const row = (id: string) => ({ operations: [{ op: 'create', body: body(id) }] })
        asks.push(['batch', id => world.call('POST', `${path}/batch`, row(id))])
        asks.push(['upsert', id => world.call('PUT', `${path}/external/t/${field}`, body(id))])
      }
    }
    for (const [how, ask] of asks) await alike(t, world, `${name}: ${how}`, [asked], ask)
  }
}

// Choices in the samples' creates are few: only a stage has one.

async function externalIds(t: Test, world: World, foreign: World, resource: Resource): Promise<void> {
  const path = `/v1/${resource.plural}/external/erp`
  const theirs = await makeOne(foreign, resource, { externalIds: [{ source: 'erp', id: 'theirs' }] })
  const get = async (id: string) => seen(await world.call('GET', `${path}/${id}`), id, world)
  t.same(await get('theirs'), await get('nobody'))
  const field = `${resource.name}ByExternalId`
  const graph = await world.graphql(`{ ${field}(source: "erp", externalId: "theirs") { id } }`)
  t.same(graph.body.data, { [field]: null })
  const ref = await references(world, resource, true)
  const mine = await world.call('PUT', `${path}/theirs`, sampleOf(resource).create(world.next(), ref))
  t.equal(mine.status, 201, 'the same external id may stand for a record in each workspace')
  t.not(mine.body.id, theirs.id)
  t.equal((await foreign.call('GET', `${path}/theirs`)).body.id, theirs.id)
}

/** Another workspace's ids are answered exactly as ids that do not exist. */
export async function tenancy(t: Test, suite: Suite, resource: Resource): Promise<void> {
  const [world, foreign] = [await newWorld(suite), await newWorld(suite)]
  const theirs = await makeOne(foreign, resource)
  const id = String(theirs.id)
  const before = await foreign.call('GET', '/v1/events?limit=1000')
  const asks = [...byPath(world, resource), ...overGraph(world, resource)]
  if (has(suite, resource, 'batch')) asks.push(...byBatch(world, resource))
  for (const [name, ask] of asks) await alike(t, world, name, [id], ask)
  t.same(
    (await foreign.call('GET', `/v1/${resource.plural}/${id}`)).body,
    theirs,
    'and nothing happened to them'
  )
  t.same((await foreign.call('GET', '/v1/events?limit=1000')).body, before.body)
  await foreignReferences(t, world, resource, async target => {
    if (!has(world, target, 'create') || target.name === 'apiKey') return undefined
    return String((await makeOne(foreign, target)).id)
  })
  if (has(suite, resource, 'upsert')) await externalIds(t, world, foreign, resource)
}
