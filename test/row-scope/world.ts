import { allResources, resourceNamed, type Resource } from '../../src/kernel/resource.js'
import type { TestApp } from '../helpers/app.js'
import { all, has, makeOne, type Json, type Suite, type World } from '../conformance/world.js'
import { newCast, sees, type Actor, type Cast } from './cast.js'

/** Records of every kind and every owner, as a key that sees all of them reads them. */
export interface Stage {
  suite: Suite
  cast: Cast
  admin: World
  resources: Resource[]
  /** By resource name. */
  live: Map<string, Json[]>
  binned: Map<string, Json[]>
}

const people = new Set(['user', 'team', 'role', 'apiKey'])

export const isOwned = (resource: Resource) => resource.fields.has('ownerId')

/** The same workspace through the credential of an actor, who refers to records of its own. */
export function worldOf({ suite, admin }: Stage, { header }: Actor): World {
  const { call, graphql } = suite.app
  const shared = [...admin.pools].filter(([name]) => !isOwned(resourceNamed(name)))
  return {
    ...admin,
    call: (method, path, body, headers) => call(method, path, body, { ...header, ...headers }),
    graphql: (query, variables, headers) => graphql(query, variables, { ...header, ...headers }),
    pools: new Map(shared)
  }
}

/** Whether an actor sees a record of a resource. */
export const seesRecord = ({ cast }: Stage, actor: Actor, resource: Resource, record: Json): boolean =>
  !isOwned(resource) || sees(cast, actor, record.ownerId as string | null)

/** Whether an actor may read a resource at all: keys are hidden from viewers, and where data go from all but admins. */
export const mayRead = ({ may, webhooks }: Actor, { plural }: Resource) =>
  (may !== 'read' || plural !== 'api-keys') && (webhooks || plural !== 'webhooks')

/** Whether an actor may have to do with endpoints: only who sees all records. */
export const mayOwnWebhooks = ({ webhooks, rowScope }: Actor) => webhooks && rowScope === 'all'

/** Whether an actor may write a resource. */
export function mayWrite({ may }: Actor, { plural, permissions }: Resource): boolean {
  if (may === 'admin') return true
  if (may === 'read' || permissions.write === 'admin') return false
  return may === 'write' || !['pipelines', 'stages'].includes(plural)
}

const made = async (world: World, resource: Resource, name: string, more: object) => {
  const externalIds = [{ source: 'erp', id: name }]
  return (await makeOne(world, resource, { ...more, externalIds })).id as string
}

async function fill(world: World, resource: Resource, owners: Cast['owners']): Promise<void> {
  const bin = async (id: string) => {
    const { status, text } = await world.call('DELETE', `/v1/${resource.plural}/${id}`)
    if (status !== 204) throw new Error(text)
  }
  if (!isOwned(resource)) {
    for (let n = 0; n < 3; n++) await made(world, resource, `unowned-${n}`, {})
    return
  }
  for (const [name, ownerId] of Object.entries(owners)) {
    await made(world, resource, name, { ownerId })
    await bin(await made(world, resource, `${name}-binned`, { ownerId }))
  }
}

/** Has records point to those of other owners, wherever a relation may be changed; answers what was never pointed to. */
async function link(world: World, resource: Resource): Promise<string[]> {
  const rows = await all(world, resource)
  const unlinked: string[] = []
  for (const [name, { kind, field, target }] of Object.entries(resource.relations)) {
    if (kind !== 'one' || people.has(target) || !resource.fields.get(field)!.writable) continue
    const targets = await all(world, resourceNamed(target))
    // Those of one kind stand in a line, since none may be part of itself.
    const linked = target === resource.name ? rows.slice(1) : rows
    const operations = linked.map(({ id }, i) => ({
      op: 'update',
      id: id as string,
      body: { [field]: targets[target === resource.name ? i : (i * 3 + 1) % targets.length]!.id as string }
    }))
    const { body } = await world.call('POST', `/v1/${resource.plural}/batch`, { operations })
    const updated = (body.results as Json[]).filter(r => r.status === 'updated')
    if (updated.length === 0) unlinked.push(`${resource.name}.${name}`)
  }
  return unlinked
}

/** Reads all records of these resources again: what the model of the tests goes by. */
export async function readFacts(stage: Stage, resources: readonly Resource[]): Promise<void> {
  for (const resource of resources) {
    const list = async (deleted: boolean, after?: string): Promise<Json[]> => {
      const query = new URLSearchParams({ limit: '200', deleted: String(deleted), ...(after && { after }) })
      const { body } = await stage.admin.call('GET', `/v1/${resource.plural}?${query.toString()}`)
      const { hasMore, nextCursor } = body.page as { hasMore: boolean; nextCursor: string }
      return [...(body.data as Json[]), ...(hasMore ? await list(deleted, nextCursor) : [])]
    }
    stage.live.set(resource.name, await list(false))
    stage.binned.set(resource.name, await list(true))
  }
}

/** The cast in the test's workspace, with records of every owner that point to each other. */
export async function newStage(app: TestApp, suite: Suite): Promise<{ stage: Stage; unlinked: string[] }> {
  const cast = await newCast(app)
  let n = 0
  const { workspaceId, key, call, graphql } = app
  const admin: World = { ...suite, workspaceId, key, call, graphql, next: () => n++, pools: new Map() }
  const resources = allResources().filter(r => has(suite, r, 'list'))
  const business = resources.filter(r => !people.has(r.name))
  for (const resource of business) await fill(admin, resource, cast.owners)
  const unlinked: string[] = []
  for (const resource of business) unlinked.push(...(await link(admin, resource)))
  await cast.partWays()
  const stage: Stage = { suite, cast, admin, resources, live: new Map(), binned: new Map() }
  await readFacts(stage, resources)
  return { stage, unlinked }
}
