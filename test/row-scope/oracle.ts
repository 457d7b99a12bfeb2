import type { Test } from 'tap'
import type { Operation } from '../../src/kernel/operation.js'
import { resourceNamed, type Resource } from '../../src/kernel/resource.js'
import type { Field, TObject } from '../../src/kernel/schema.js'
import { alike, byBatch, byPath, foreignReferences, overGraph, type Ask } from '../conformance/tenancy.js'
import { has, makeOne, pool, references, sampleOf, type Json, type World } from '../conformance/world.js'
import type { Actor } from './cast.js'
import { isOwned, seesRecord, worldOf, type Stage } from './world.js'

const literals: Record<string, unknown> = {
  text: 'x',
  email: 'x@example.com',
  integer: 1,
  number: 0.5,
  decimal: '1',
  boolean: true,
  instant: '2026-01-01T00:00:00Z',
  day: '2026-01-01'
}

/** The least that an operation of a record takes: references from the resource's relations, the rest by kind. */
async function leastBody(world: World, resource: Resource, { body }: Operation): Promise<Json | undefined> {
  if (!body) return undefined
  const { required = [], properties } = body as TObject
  const relations = Object.values(resource.relations)
  const pairs = await Promise.all(
    required.map(async (name): Promise<[string, unknown]> => {
      const relation = relations.find(r => r.kind === 'one' && r.field === name)
      if (relation) return [name, (await pool(world, resourceNamed(relation.target)))[0]]
      const schema = properties[name] as unknown as Field
      return [name, schema.enum?.[0] ?? literals[schema['x-kind']]]
    })
  )
  return Object.fromEntries(pairs)
}

/** The calls of a record's path that only this resource has: moves, conversions, timelines. */
async function special(world: World, resource: Resource): Promise<[string, Ask][]> {
  const own = [...world.operations.values()].filter(
    ({ rest }) => rest?.path.startsWith(`/${resource.plural}/:id/`) && !/\/(restore|changes)$/.test(rest.path)
  )
  return Promise.all(
    own.map(async (operation): Promise<[string, Ask]> => {
      const { method, path } = operation.rest!
      const body = await leastBody(world, resource, operation)
      return [operation.name, id => world.call(method, `/v1${path.replace(':id', id)}`, body)]
    })
  )
}

/** Deals moved by the list. */
async function moves(world: World, resource: Resource): Promise<[string, Ask][]> {
  if (resource.name !== 'deal') return []
  const [stageId] = await pool(world, resourceNamed('stage'))
  return [true, false].map((atomic): [string, Ask] => [
    'moves',
    dealId => world.call('POST', '/v1/deals/moves', { atomic, moves: [{ dealId, stageId }] })
  ])
}

// Updates that would fail for a record in sight: what a check knows of a hidden record must not show.
async function wrongChanges(
  world: World,
  actor: Actor,
  resource: Resource,
  hidden: Json
): Promise<[string, Ask][]> {
  const path = `/v1/${resource.plural}`
  const mine = await makeOne(world, resource, {
    externalIds: [{ source: 'crm', id: `mine-${actor.name}` }]
  })
  const bodies: Json[] = [
    { externalIds: mine.externalIds },
    { externalIds: hidden.externalIds },
    { ownerId: mine.id },
    { externalIds: [{ source: 'a', id: '1' }, { source: 'a', id: '2' }] } // prettier-ignore
  ]
  return bodies.flatMap((body): [string, Ask][] => [
    [`PATCH ${JSON.stringify(body)}`, id => world.call('PATCH', `${path}/${id}`, body)],
    [
      `batch ${JSON.stringify(body)}`,
      id => world.call('POST', `${path}/batch`, { operations: [{ op: 'update', id, body }] })
    ]
  ])
}

/** What is taken says that it is taken, and not by whom, whatever the record is like. */
async function externalIds(t: Test, stage: Stage, world: World, actor: Actor, resource: Resource) {
  const unseen = (rows: readonly Json[]) =>
    rows.find(r => (r.externalIds as Json[]).length > 0 && !seesRecord(stage, actor, resource, r))!
  const path = `/v1/${resource.plural}`
  const ref = await references(world, resource, true)
  const body = () => sampleOf(resource).create(world.next(), ref)
  const mine = await makeOne(world, resource)
  for (const hidden of [unseen(stage.live.get(resource.name)!), unseen(stage.binned.get(resource.name)!)]) {
    const [key] = hidden.externalIds as [{ source: string; id: string }]
    const at = (id: string) => `${path}/external/${key.source}/${encodeURIComponent(id)}`
    await alike(t, world, 'GET by external id', [key.id], id => world.call('GET', at(id)))
    await alike(t, world, 'from the bin', [key.id], id => world.call('GET', `${at(id)}?deleted=true`))
    await alike(t, world, 'a guarded upsert', [key.id], id =>
      world.call('PUT', at(id), body(), { 'if-match': '"1"' })
    )
    const taken = { externalIds: [key] }
    const batch = async (operation: object) => {
      const { body } = await world.call('POST', `${path}/batch`, { operations: [operation] })
      return { status: body.results[0].error?.status as number, body: body.results[0].error as Json }
    }
    const upsert = { op: 'upsert', source: key.source, externalId: key.id }
    const answers = [
      await world.call('PUT', at(key.id), body()),
      await world.call('PUT', `${at(key.id)}?restore=true`, body()),
      await world.call('POST', path, { ...body(), ...taken }),
      await world.call('PATCH', `${path}/${mine.id}`, taken),
      await batch({ ...upsert, body: body() }),
      await batch({ ...upsert, body: body(), restore: true }),
      await batch({ op: 'create', body: { ...body(), ...taken } })
    ]
    for (const answer of answers) {
      t.match(answer, { status: 409, body: { code: 'conflict' } }, 'taken')
      t.notOk(answer.body.conflictsWith, 'nobody is named')
      t.notMatch(JSON.stringify(answer.body), hidden.id as string)
    }
  }
}

/** An id out of scope is answered, byte for byte, as one of another workspace and one that nobody has. */
export async function oracle(
  t: Test,
  stage: Stage,
  foreign: World,
  actor: Actor,
  resource: Resource
): Promise<void> {
  const world = worldOf(stage, actor)
  const unseen = (rows: readonly Json[]) => rows.find(r => !seesRecord(stage, actor, resource, r))!
  const hidden = unseen(stage.live.get(resource.name)!)
  const binned = unseen(stage.binned.get(resource.name)!)
  const theirs = String((await makeOne(foreign, resource)).id)
  const asks = [
    ...byPath(world, resource),
    ...overGraph(world, resource),
    ...(has(world, resource, 'batch') ? byBatch(world, resource) : []),
    ...(await special(world, resource)),
    ...(await moves(world, resource)),
    ...(await wrongChanges(world, actor, resource, hidden))
  ]
  for (const [name, ask] of asks) await alike(t, world, name, [hidden.id, binned.id, theirs], ask)
  await foreignReferences(t, world, resource, async target =>
    isOwned(target) ? String((await makeOne(stage.admin, target)).id) : undefined
  )
  await externalIds(t, stage, world, actor, resource)
  for (const record of [hidden, binned]) {
    const now = await stage.admin.call('GET', `/v1/${resource.plural}/${record.id}?deleted=true`)
    t.same(now.body, record, 'and nothing happened to them')
  }
}

/** Resources whose records an owner decides about, with all standard operations. */
export const ownedResources = ({ resources, suite }: Stage) =>
  resources.filter(
    r => isOwned(r) && has(suite, r, 'create', 'update', 'delete', 'restore', 'upsert', 'batch')
  )
