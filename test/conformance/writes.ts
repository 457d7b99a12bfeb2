import type { Test } from 'tap'
import type { Resource } from '../../src/kernel/resource.js'
import { graphList, graphOutcome, inputOf, mutate, mutated, restOutcome } from './graph.js'
import { fullBody, has, made, makeOne, newWorld, references, sampleOf } from './world.js'
import type { Json, Suite, World } from './world.js'

const pathOf = (resource: Resource, id: unknown, more = '') => `/v1/${resource.plural}/${String(id)}${more}`

async function unknownNames(t: Test, world: World, resource: Resource): Promise<void> {
  const field = Object.keys(resource.updateBody.properties)[0]!
  const wrong = field.slice(0, -1)
  const ref = await references(world, resource, true)
  const body = { ...sampleOf(resource).create(world.next(), ref), [wrong]: 'x' }
  const reply = await world.call('POST', `/v1/${resource.plural}`, body)
  t.match(reply, {
    status: 400,
    body: { errors: [{ in: 'body', pointer: `/${wrong}`, code: 'unknown_field' }] }
  })
  t.match(reply.body.errors[0].message, new RegExp(`Did you mean ${field}\\?`))
  const graph = await mutate(world, resource, 'create', inputOf(resource.createBody, body))
  t.same(graphOutcome(resource, graph, ''), restOutcome(reply), 'GraphQL names the same field')
  t.match(graph.body.errors[0].message, /Did you mean/)
  const { id } = await makeOne(world, resource)
  for (const [path, parameter] of [
    [`/v1/${resource.plural}?${wrong}=x`, wrong],
    [`/v1/${resource.plural}?fields=${wrong}`, 'fields'],
    [`/v1/${resource.plural}?include=${wrong}`, 'include'],
    [`/v1/${resource.plural}?limit=1&limit=2`, 'limit'],
    [pathOf(resource, id, `?${wrong}=x`), wrong],
    [pathOf(resource, id, '?fields=id&fields=id'), 'fields']
  ] as const) {
    t.match(
      await world.call('GET', path),
      { status: 400, body: { errors: [{ in: 'query', parameter }] } },
      path
    )
  }
  t.equal((await world.call('GET', `/v1/${resource.plural}?sort=${wrong}`)).status, 400)
  t.match(await world.call('PATCH', pathOf(resource, id), { [wrong]: 1 }), {
    status: 400,
    body: { errors: [{ pointer: `/${wrong}` }] }
  })
  for (const readonly of ['id', 'version', 'createdAt']) {
    const refused = await world.call('PATCH', pathOf(resource, id), { [readonly]: null })
    t.match(refused, { status: 400, body: { errors: [{ pointer: `/${readonly}` }] } }, `${readonly} is ours`)
  }
  const search = await world.call('POST', `/v1/${resource.plural}/search`, { filter: { [wrong]: { eq: 1 } } })
  t.match(search, { status: 400, body: { errors: [{ pointer: `/filter/${wrong}`, code: 'unknown_field' }] } })
  const filtered = await graphList(world, resource, { filter: { [wrong]: { eq: 'x' } } })
  t.match(filtered.body.errors[0].extensions, {
    code: 'invalid_input',
    errors: [{ pointer: `/filter/${wrong}` }]
  })
}

async function nulls(t: Test, world: World, resource: Resource): Promise<void> {
  const ref = await references(world, resource)
  // Two records have all fields between them, however many nulls each of them has.
  const records = [
    await made(world, resource, fullBody(resource, 601, ref)),
    await made(world, resource, fullBody(resource, 602, ref))
  ]
  for (const [i, { id }] of records.entries()) {
    for (const name of Object.keys(resource.updateBody.properties)) {
      if (sampleOf(resource).keep?.includes(name)) continue
      const field = resource.fields.get(name)!
      const write = () =>
        i === 0
          ? world.call('PATCH', pathOf(resource, id), { [name]: null }).then(restOutcome)
          : mutated(world, resource, 'update', { id, [name]: null }, resource.updateBody)
      const outcome = await write()
      if (field.nullable) t.equal(outcome.record?.[name], null, `null clears ${name}`)
      else if (field.kind === 'customFields') t.same(outcome.record?.[name], {})
      else
        t.match(
          outcome,
          { error: { code: 'invalid_input', errors: [{ at: `/${name}` }] } },
          `${name} is needed`
        )
    }
  }
}

async function merges(t: Test, world: World, resource: Resource): Promise<void> {
  const { id } = await makeOne(world, resource)
  const patch = async (name: string, value: unknown, overGraph: boolean) => {
    const outcome = overGraph
      ? await mutated(world, resource, 'update', { id, [name]: value }, resource.updateBody)
      : restOutcome(await world.call('PATCH', pathOf(resource, id), { [name]: value }))
    return outcome.record?.[name] as unknown
  }
  for (const overGraph of [false, true]) {
    const steps = [
      [
        { a: 'x', b: 1, c: true },
        { a: 'x', b: 1, c: true }
      ],
      [
        { b: null, d: 'ড' },
        { a: 'x', c: true, d: 'ড' }
      ],
      [{}, { a: 'x', c: true, d: 'ড' }],
      [null, {}]
    ]
    for (const [given, expected] of steps) t.same(await patch('customFields', given, overGraph), expected)
    for (const { name, schema } of [...resource.fields.values()].filter(f => f.kind === 'object')) {
      const [one, two, three] = Object.keys(schema.properties as object) as [string, string, string]
      t.same(await patch(name, { [one]: 'x', [two]: 'y' }, overGraph), { [one]: 'x', [two]: 'y' })
      t.same(await patch(name, { [one]: null, [three]: 'z' }, overGraph), { [two]: 'y', [three]: 'z' })
      t.same(await patch(name, { [two]: null, [three]: null }, overGraph), null, 'nothing left is null')
      t.same(await patch(name, { [two]: 'y' }, overGraph), { [two]: 'y' })
      t.same(await patch(name, null, overGraph), null)
    }
  }
}

/** The events of a record, first to last. */
export async function eventsOf(world: World, id: unknown): Promise<Json[]> {
  const reply = await world.call('GET', `/v1/events?recordId=${String(id)}&limit=1000`)
  return reply.body.data as Json[]
}

const changesOf = async (world: World, resource: Resource, id: unknown) =>
  (await world.call('GET', pathOf(resource, id, '/changes?limit=200'))).body.data as Json[]

async function unchanged(t: Test, world: World, resource: Resource): Promise<void> {
  const ref = await references(world, resource)
  const record = await made(world, resource, fullBody(resource, 701, ref))
  const names = Object.keys(resource.updateBody.properties)
  const same = Object.fromEntries(names.map(n => [n, record[n]]))
  const bodies = [{}, same, { customFields: {} }, { customFields: { none: null } }]
  for (const body of bodies) {
    const reply = await world.call('PATCH', pathOf(resource, record.id), body)
    t.same([reply.status, reply.body, reply.headers.etag], [200, record, '"1"'])
    const graph = await mutated(world, resource, 'update', { id: record.id, ...body }, resource.updateBody)
    t.same(graph.record, record)
  }
  t.equal((await eventsOf(world, record.id)).length, 1, 'a change of nothing has no event')
  t.same(await changesOf(world, resource, record.id), [], 'and no history')
}

interface Step {
  type: string
  run(requestId: string): Promise<unknown>
}

async function tells(t: Test, world: World, resource: Resource): Promise<void> {
  const { update } = sampleOf(resource)
  const actor = { type: 'key', id: (await world.call('GET', '/v1/me')).body.actorId as string }
  const record = await makeOne(world, resource)
  const path = pathOf(resource, record.id)
  const named = (requestId: string) => ({ 'x-request-id': requestId })
  const graph = (verb: string, input: object, requestId: string) =>
    mutate(world, resource, verb, { id: record.id, ...input }, named(requestId))
  const steps: Step[] = [
    { type: 'updated', run: id => world.call('PATCH', path, update, named(id)) },
    { type: 'updated', run: id => graph('update', { customFields: { a: 1 } }, id) }
  ]
  if (has(world, resource, 'delete', 'restore')) {
    steps.push(
      { type: 'deleted', run: id => world.call('DELETE', path, undefined, named(id)) },
      { type: 'restored', run: id => world.call('POST', `${path}/restore`, undefined, named(id)) },
      { type: 'deleted', run: id => graph('delete', {}, id) },
      { type: 'restored', run: id => graph('restore', {}, id) }
    )
  }
  const seen = [record]
  for (const [i, step] of steps.entries()) {
    await step.run(`step-${i}-${resource.name}`)
    seen.push((await world.call('GET', `${path}?deleted=true`)).body)
  }
  const events = await eventsOf(world, record.id)
  t.same(
    events.map(e => e.type as string),
    ['created', ...steps.map(s => s.type)].map(type => `${resource.eventName}.${type}`),
    'one event for each change'
  )
  t.match(events[0], { previous: null, changedFields: [], recordId: record.id, resource: resource.name })
  t.same(
    events.map(e => e.data as unknown),
    seen,
    'an event holds the record as it was answered'
  )
  const sequences = events.map(e => Number(e.sequence))
  t.same(
    sequences,
    [...sequences].sort((a, b) => a - b)
  )
  const history = await changesOf(world, resource, record.id)
  t.equal(history.length, steps.length)
  for (let i = 1; i < events.length; i++) {
    const [before, after, event, change] = [seen[i - 1]!, seen[i]!, events[i]!, history.at(-i)!]
    const fields = Object.keys(after).filter(
      k => k !== 'version' && k !== 'updatedAt' && JSON.stringify(after[k]) !== JSON.stringify(before[k])
    )
    const previous = Object.fromEntries(fields.map(f => [f, before[f]]))
    const requestId = `step-${i - 1}-${resource.name}`
    t.same(event.previous, previous, 'previous has the changed fields alone')
    t.same((event.changedFields as string[]).sort(), fields.sort())
    t.match(event, { actor, requestId, occurredAt: after.updatedAt })
    t.match(change, { id: event.id, version: after.version, at: after.updatedAt, requestId })
    t.match(change, { actorType: actor.type, actorId: actor.id })
    const told = (change.fields as Json[]).map(f => [f.field, f.from, f.to]).sort()
    t.same(told, fields.map(f => [f, before[f], after[f]]).sort())
  }
  await changesOverGraph(t, world, resource, record.id as string, history)
}

async function changesOverGraph(t: Test, world: World, resource: Resource, id: string, history: Json[]) {
  const answer =
    'data { id version at actorType actorId requestId fields { field from to } } page { hasMore nextCursor }'
  const field = `${resource.name}Changes`
  const query = `query($id: ID!, $after: String) { ${field}(id: $id, limit: 1, after: $after) { ${answer} } }`
  const walked: Json[] = []
  for (let after: string | null = null; walked.length <= history.length;) {
    const { body } = await world.graphql(query, { id, after })
    walked.push(...(body.data[field].data as Json[]))
    after = body.data[field].page.nextCursor as string | null
    if (after === null) break
  }
  const rest = walked.map(c => ({ ...c, actorType: String(c.actorType).toLowerCase() }))
  t.same(rest, history, 'GraphQL pages through the same history')
}

/** What a write does to fields, and what it tells about it. */
export async function writes(t: Test, suite: Suite, resource: Resource): Promise<void> {
  const world = await newWorld(suite)
  await unknownNames(t, world, resource)
  await nulls(t, world, resource)
  await merges(t, world, resource)
  await unchanged(t, world, resource)
  await tells(t, world, resource)
}
