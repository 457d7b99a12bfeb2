import type { Test } from 'tap'
import { resourceNamed, type Resource } from '../../src/kernel/resource.js'
import { graphGet, graphList, graphOutcome, listField, mutate, mutated, restOutcome } from './graph.js'
import { unknownId } from './crud.js'
import { has, made, makeOne, newWorld, recordIn, references, sampleOf } from './world.js'
import type { Json, Suite, World } from './world.js'

const ids = (rows: unknown) => (rows as Json[]).map(r => String(r.id)).sort()

async function awayAndBack(t: Test, world: World, resource: Resource, graph: boolean): Promise<void> {
  const [kept, gone] = [await makeOne(world, resource), await makeOne(world, resource)]
  const [path, id] = [`/v1/${resource.plural}`, String(gone.id)]
  const put = (verb: 'delete' | 'restore', version?: number) =>
    graph
      ? mutate(world, resource, verb, { id, ...(version && { expectedVersion: version }) })
      : world.call(
          verb === 'delete' ? 'DELETE' : 'POST',
          verb === 'delete' ? `${path}/${id}` : `${path}/${id}/restore`,
          undefined,
          version ? { 'if-match': `"${version}"` } : {}
        )
  const outcome = async (verb: 'delete' | 'restore', version?: number) => {
    const reply = await put(verb, version)
    return graph ? graphOutcome(resource, reply, `${verb}${resource.noun}`) : restOutcome(reply)
  }
  const missing = { error: { code: 'not_found', status: 404 } }
  t.same(await outcome('restore'), missing, 'what is not in the bin cannot be restored')
  t.match(await outcome('delete', 7), { error: { code: 'version_mismatch', currentVersion: 1 } })
  t.same(await outcome('delete', 1), { record: null })
  t.same(await outcome('delete'), missing, 'what is in the bin is gone')
  t.equal((await world.call('GET', `${path}/${id}`)).status, 404)
  t.same(await graphGet(world, resource, id), { record: null })
  const node = await world.graphql('query($id: ID!) { node(id: $id) { id } }', { id })
  t.same(node.body.data, { node: null })
  t.equal((await world.call('PATCH', `${path}/${id}`, sampleOf(resource).update)).status, 404)
  const binned = await world.call('GET', `${path}/${id}?deleted=true`)
  t.match(binned, { status: 200, body: { id, version: 2, deletedAt: /Z$/ } })
  const lists = [
    world.call('GET', `${path}?limit=200`).then(r => ids(r.body.data)),
    world.call('POST', `${path}/search`, { limit: 200, filter: {} }).then(r => ids(r.body.data)),
    graphList(world, resource, { first: 200 }).then(r => ids(r.body.data[listField(resource)].nodes))
  ]
  for (const found of await Promise.all(lists)) {
    t.ok(found.includes(String(kept.id)) && !found.includes(id), 'lists leave the bin out')
  }
  const bin = ids((await world.call('GET', `${path}?deleted=true&limit=200`)).body.data)
  t.ok(bin.includes(id) && !bin.includes(String(kept.id)), 'deleted=true lists the bin')
  t.match(await outcome('restore', 1), { error: { code: 'version_mismatch', currentVersion: 2 } })
  const restored = await outcome('restore', 2)
  t.match(restored.record, { ...gone, version: 3, updatedAt: /Z$/, deletedAt: null })
  t.same((await world.call('GET', `${path}/${id}`)).body, restored.record)
}

async function orphans(t: Test, world: World, resource: Resource): Promise<void> {
  for (const [name, relation] of Object.entries(resource.relations)) {
    const target = resourceNamed(relation.target)
    if (
      relation.kind !== 'one' ||
      !has(world, target, 'delete') ||
      !(relation.field in resource.createBody.properties)
    )
      continue
    const parent = await makeOne(world, target)
    const ref = await references(world, resource, true)
    const body = { ...sampleOf(resource).create(world.next(), ref), [relation.field]: parent.id as string }
    const reply = await world.call('POST', `/v1/${resource.plural}`, body)
    // Some references go together with others, such as a deal's pipeline with its stage.
    if (reply.status !== 201) continue
    const child = recordIn(resource, reply.body)
    const included = `/v1/${resource.plural}/${child.id}?include=${name}`
    t.match((await world.call('GET', included)).body[name], { id: parent.id }, `include=${name}`)
    const deleted = await world.call('DELETE', `/v1/${target.plural}/${parent.id}`)
    if (deleted.status !== 204) {
      t.match(deleted, { status: 409, body: { code: 'in_use' } })
      continue
    }
    const after = await world.call('GET', included)
    t.match(
      after.body,
      { [name]: null, [relation.field]: parent.id, version: 1 },
      'children keep the id alone'
    )
    const graph = await world.graphql(
      `query($id: ID!) { ${resource.name}(id: $id) { ${relation.field} ${name} { id } } }`,
      { id: child.id as string }
    )
    t.same(graph.body.data[resource.name], { [relation.field]: parent.id, [name]: null })
    if (!resource.fields.get(relation.field)!.writable) continue
    const again = { [relation.field]: parent.id as string }
    const patch = (id: unknown) => world.call('PATCH', `/v1/${resource.plural}/${String(id)}`, again)
    t.match(await patch(child.id), { status: 200, body: { version: 1 } }, 'what is there may be sent again')
    t.match(
      await patch((await makeOne(world, resource)).id),
      { status: 422, body: { errors: [{ pointer: `/${relation.field}` }] } },
      'no new reference into the bin'
    )
  }
}

async function shapes(t: Test, world: World, resource: Resource): Promise<void> {
  const ref = await references(world, resource)
  const ones = Object.entries(resource.relations).filter(([, r]) => r.kind === 'one')
  const set = Object.fromEntries(
    ones.map(([, r]) => [r.field, resource.createBody.properties[r.field] && ref(r.field, 0)])
  )
  const { create, omit = [] } = sampleOf(resource)
  const links = Object.fromEntries(Object.entries(set).filter(([field]) => !omit.includes(field)))
  const record = await made(world, resource, { ...links, ...create(world.next(), ref) })
  const names = ones.map(([name]) => name).join()
  const path = `/v1/${resource.plural}`
  for (const query of [
    'fields=id,createdAt',
    ...(names ? [`include=${names}`, `include=${names}&fields=id`] : [])
  ]) {
    const one = await world.call('GET', `${path}/${record.id}?${query}`)
    t.same([one.status, one.headers.etag], [200, undefined], `${query}: no ETag`)
    const list = await world.call('GET', `${path}?id=${record.id}&${query}`)
    t.same(list.body.data, [one.body], 'a list answers the same')
    const search = await world.call('POST', `${path}/search`, {
      filter: { id: { eq: record.id as string } },
      ...Object.fromEntries([...new URLSearchParams(query)].map(([k, v]) => [k, v.split(',')]))
    })
    t.same(search.body.data, [one.body], 'and a search')
    if (query.includes('fields')) {
      const extra = Object.keys(one.body).filter(
        k => !['id', 'version', 'createdAt'].includes(k) && !ones.some(([n, r]) => k === n || k === r.field)
      )
      t.same(extra, [], `${query}: nothing else`)
    }
    if (!query.includes('include')) continue
    for (const [name, { target, field }] of ones) {
      const id = record[field] as string | null
      const related = id && (await world.call('GET', `/v1/${resourceNamed(target).plural}/${id}`)).body
      t.same(one.body[name], related, `${name} is the record itself`)
    }
  }
  const none = await mutated(
    world,
    resource,
    'update',
    { id: unknownId(), customFields: {} },
    resource.updateBody
  )
  t.match(none, { error: { code: 'not_found' } })
}

/** The bin, and the shapes that a record can be asked for in. */
export async function bin(t: Test, suite: Suite, resource: Resource): Promise<void> {
  const world = await newWorld(suite)
  await shapes(t, world, resource)
  if (!has(suite, resource, 'delete', 'restore')) return
  await awayAndBack(t, world, resource, false)
  await awayAndBack(t, world, resource, true)
  await orphans(t, world, resource)
}
