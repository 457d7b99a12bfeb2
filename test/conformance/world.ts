import type { Operation } from '../../src/kernel/operation.js'
import type { Resource } from '../../src/kernel/resource.js'
import { resourceNamed } from '../../src/kernel/resource.js'
import type { Field } from '../../src/kernel/schema.js'
import type { Reply, TestApp } from '../helpers/app.js'
import { commonValues, samples, textOf, type Ref, type Sample } from '../samples.js'
import type { Statements } from './statements.js'

export type Json = Reply['body']

/** What the whole suite shares. */
export interface Suite {
  app: TestApp
  statements: Statements
  /** All operations by name. */
  operations: ReadonlyMap<string, Operation>
}

/** A workspace of its own with a key that may do everything in it. */
export interface World extends Suite {
  workspaceId: string
  key: string
  call: TestApp['call']
  graphql: TestApp['graphql']
  /** A number that was not given before: records made of it differ. */
  next(): number
  pools: Map<string, string[]>
}

/** Whether a resource has a standard operation, by its verb. */
export const has = (suite: Suite, resource: Resource, ...verbs: string[]) =>
  verbs.every(verb => suite.operations.has(`${resource.plural}.${verb}`))

export const sampleOf = (resource: Resource): Sample => {
  const sample = samples[resource.name]
  if (!sample) throw new Error(`test/samples.ts has no sample of ${resource.name}`)
  return sample
}

/** A fresh workspace. */
export async function newWorld(suite: Suite): Promise<World> {
  const workspaceId = await suite.app.newWorkspace('conformance')
  const key = await suite.app.newKey(['admin'], workspaceId)
  const authorization = { authorization: `Bearer ${key}` }
  let n = 0
  return {
    ...suite,
    workspaceId,
    key,
    call: (method, path, body, headers) =>
      suite.app.call(method, path, body, { ...authorization, ...headers }),
    graphql: (query, variables, headers) =>
      suite.app.graphql(query, variables, { ...authorization, ...headers }),
    next: () => n++,
    pools: new Map()
  }
}

/** The headers of another credential in the same world. */
export async function credential(world: World, scopes: string[]): Promise<{ authorization: string }> {
  return { authorization: `Bearer ${await world.app.newKey(scopes, world.workspaceId)}` }
}

const poolSize = 4

/** Ids of a few records that references may point to, made when first asked for. */
export async function pool(world: World, target: Resource): Promise<string[]> {
  const known = world.pools.get(target.name)
  if (known) return known
  const ids: string[] = []
  world.pools.set(target.name, ids)
  const ref = await references(world, target, true)
  for (let i = 0; i < poolSize; i++) {
    const record = await made(world, target, sampleOf(target).create(world.next(), ref))
    ids.push(record.id as string)
  }
  return ids
}

/** Makes the records that a resource may point to; `needed` for those alone that a create cannot do without. */
export async function references(world: World, resource: Resource, needed = false): Promise<Ref> {
  const used = new Set<string>()
  sampleOf(resource).create(0, field => (used.add(field), ''))
  const pools = new Map<string, string[]>()
  for (const { kind, field, target } of Object.values(resource.relations)) {
    if (kind === 'one' && (used.has(field) || !needed)) {
      pools.set(field, await pool(world, resourceNamed(target)))
    }
  }
  return (field, n) => {
    const ids = pools.get(field)
    if (!ids) throw new Error(`${resource.name}.${field} is not a relation to one record`)
    return ids[n % ids.length]!
  }
}

const days = ['2026-01-31', '2025-12-24', '2026-02-28', '1999-07-04']
const kinds: Record<string, readonly unknown[]> = {
  email: ['Karim@Example.com', 'anna@example.org', 'x+y@sub.example.com'],
  integer: [10, 3, 99, 4000],
  number: [0.25, 0.5, 1, 0],
  decimal: ['10', '9.5', '100.25', '-3.0001'],
  boolean: [true, false],
  instant: ['2026-01-31T09:30:00.000Z', '2025-12-24T00:00:00.000Z', '2026-02-28T23:59:59.999Z'],
  day: days,
  customFields: [{ tier: 'gold', score: 12, vip: true }, { tier: 'Silver', score: 7.5 }, { vip: false }, {}],
  externalIds: [[]]
}

function pick<T>(values: readonly T[], n: number): T {
  return values[n % values.length]!
}

function listOf(items: Field, n: number): unknown[] {
  const values = (items.enum ?? ['red', 'Green', 'নীল']) as unknown[]
  return n % 4 === 0 ? [] : [...new Set([pick(values, n), pick(values, n + 1)])]
}

function objectOf(schema: Field, n: number): object {
  const names = Object.keys(schema.properties as object)
  return Object.fromEntries(names.slice(0, 1 + (n % 3)).map((name, i) => [name, textOf(n + i)]))
}

/** A value of a field for a record made of n, by what the sample says, its name or its kind. */
export function valueOf(resource: Resource, name: string, n: number, ref: Ref): unknown {
  const { schema, kind } = resource.fields.get(name)!
  const given = sampleOf(resource).values?.[name] ?? commonValues[name]
  if (typeof given === 'function') return given(n)
  if (given) return pick(given, n)
  if (schema.enum)
    return pick(
      schema.enum.filter(v => v !== null),
      n
    )
  if (kind === 'id') return ref(name, n)
  if (kind === 'list') return listOf(schema.items!, n)
  if (kind === 'object') return objectOf(schema, n)
  return kinds[kind] ? pick(kinds[kind], n) : textOf(n)
}

/** A create with every field filled in, but for some that are left null: which ones depends on n. */
export function fullBody(resource: Resource, n: number, ref: Ref): Json {
  const { create, omit = [], values = {} } = sampleOf(resource)
  const names = Object.keys(resource.createBody.properties).filter(
    name => resource.fields.has(name) && !omit.includes(name)
  )
  const filled = names.flatMap((name, i) => {
    if (resource.fields.get(name)!.nullable && (n + i) % 3 === 0) return []
    const isUnique = typeof values[name] === 'function'
    const number = isUnique ? n : Math.floor(n / 2) + n * (i % 3)
    return [[name, valueOf(resource, name, number, ref)]]
  })
  return { ...Object.fromEntries(filled), ...create(n, ref) }
}

/** The record in an answer to a create: some answers hold more than the record. */
export const recordIn = (resource: Resource, body: Json): Json => (body[resource.name] as Json) ?? body

/** Makes a record over REST. */
export async function made(world: World, resource: Resource, body: object): Promise<Json> {
  const reply = await world.call('POST', `/v1/${resource.plural}`, body)
  if (reply.status !== 201) throw new Error(`POST /v1/${resource.plural}: ${reply.text}`)
  return recordIn(resource, reply.body)
}

/** Makes a record of the sample with nothing but what is needed. */
export async function makeOne(world: World, resource: Resource, more: object = {}): Promise<Json> {
  const ref = await references(world, resource, true)
  return made(world, resource, { ...sampleOf(resource).create(world.next(), ref), ...more })
}

/** Makes records with all their fields, nulls among them, and answers them in no certain order. */
export async function makeMany(world: World, resource: Resource, count: number): Promise<Json[]> {
  const ref = await references(world, resource)
  const bodies = Array.from({ length: count }, () => fullBody(resource, world.next(), ref))
  return Promise.all(bodies.map(body => made(world, resource, body)))
}

/** All records of a resource outside of the bin, up to 200. */
export async function all(world: World, resource: Resource): Promise<Json[]> {
  const reply = await world.call('GET', `/v1/${resource.plural}?limit=200`)
  return reply.body.data as Json[]
}
