import {
  getNamedType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isLeafType,
  isObjectType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema
} from 'graphql'
import type { Test } from 'tap'
import type { Operation } from '../../src/kernel/operation.js'
import { resourceNamed, type Resource } from '../../src/kernel/resource.js'
import { unknownId } from './crud.js'
import { graphList, listField } from './graph.js'
import { credential, has, makeOne, newWorld } from './world.js'
import type { Json, Suite, World } from './world.js'

/** A literal that fits a type: nothing where it may be null. */
function literal(type: GraphQLInputType): string | undefined {
  if (!isNonNullType(type)) return undefined
  const inner = type.ofType
  if (isListType(inner)) return '[]'
  if (isEnumType(inner)) return inner.getValues()[0]!.name
  if (isInputObjectType(inner)) {
    const fields = Object.values(inner.getFields()).flatMap(f => {
      const value = literal(f.type)
      return value === undefined ? [] : [`${f.name}: ${value}`]
    })
    return `{ ${fields.join(', ')} }`
  }
  const name = String(inner)
  if (name === 'ID') return `"${unknownId()}"`
  if (name === 'DateTime') return '"2026-01-01T00:00:00Z"'
  if (name === 'Date') return '"2026-01-01"'
  return { Int: '1', Float: '1', Boolean: 'true', Decimal: '"1"' }[name] ?? '"x"'
}

function call(field: GraphQLField<unknown, unknown>): string {
  const args = field.args.flatMap(a => {
    const value = literal(a.type)
    return value === undefined ? [] : [`${a.name}: ${value}`]
  })
  const leaf = isLeafType(getNamedType(field.type))
  return `${field.name}${args.length ? `(${args.join(', ')})` : ''}${leaf ? '' : ' { __typename }'}`
}

/** A document that calls the field of an operation, in its namespace if it has one. */
function documentOf(schema: GraphQLSchema, operation: Operation): string {
  const root = operation.kind === 'read' ? schema.getQueryType()! : schema.getMutationType()!
  const [space, name] = operation.graphql!.split('.') as [string, string | undefined]
  const keyword = operation.kind === 'read' ? 'query' : 'mutation'
  const field = root.getFields()[space]!
  if (name === undefined) return `${keyword} { ${call(field)} }`
  const inner = getNamedType(field.type)
  if (!isObjectType(inner)) throw new Error(`${space} holds no fields`)
  return `${keyword} { ${space} { ${call(inner.getFields()[name]!)} } }`
}

const forbidden = (scope: string) => ({ code: 'forbidden', status: 403, scope })

/** Every operation names the scope that a credential lacks, on both surfaces. */
export async function operationScopes(
  t: Test,
  suite: Suite,
  operations: readonly Operation[],
  schema: GraphQLSchema
): Promise<void> {
  const world = await newWorld(suite)
  const poor = await credential(world, ['nothing:read'])
  for (const operation of operations) {
    const { permission, rest, name } = operation
    if (permission === 'public' || permission === 'authenticated') continue
    if (rest) {
      const path = `/v1${rest.path.replace(/:(\w+)/g, unknownId())}`
      t.match(
        await world.call(rest.method, path, undefined, poor),
        { status: 403, body: forbidden(permission) },
        name
      )
    }
    if (operation.graphql === null) continue
    const reply = await world.graphql(documentOf(schema, operation), {}, poor)
    t.match((reply.body.errors as Json[])?.[0]?.extensions, forbidden(permission), `${name} over GraphQL`)
  }
  t.equal((await world.call('GET', '/v1/me', undefined, poor)).status, 200)
}

async function relationScopes(t: Test, world: World, resource: Resource): Promise<void> {
  const own = await credential(world, [resource.permissions.read])
  for (const [name, { kind, target, field }] of Object.entries(resource.relations)) {
    const other = resourceNamed(target)
    const same = other.permissions.read === resource.permissions.read
    const id = String((await makeOne(world, resource, await linked(world, resource, name))).id)
    const expected = forbidden(other.permissions.read)
    const nested = kind === 'one' ? `${name} { id }` : `${name} { totalCount nodes { id } }`
    const query = `query($id: ID!) { ${resource.name}(id: $id) { ${nested} } }`
    const filter = { [name]: { id: { eq: unknownId() } } }
    const replies = [
      await world.call('POST', `/v1/${resource.plural}/search`, { filter }, own),
      ...(kind === 'one'
        ? [await world.call('GET', `/v1/${resource.plural}?include=${name}`, undefined, own)]
        : []),
      ...(kind === 'one'
        ? [await world.call('GET', `/v1/${resource.plural}/${id}?include=${name}`, undefined, own)]
        : [])
    ]
    for (const reply of replies) {
      if (same) t.equal(reply.status, 200)
      else t.match(reply, { status: 403, body: expected }, `${name} needs its scope`)
    }
    // A link that only operations make is empty here, and so is never followed.
    const followed = kind === 'many' || resource.createBody.properties[field] !== undefined
    const graphs = [
      ...(followed ? [await world.graphql(query, { id }, own)] : []),
      await graphList(world, resource, { filter }, 'id', own)
    ]
    for (const { body } of graphs) {
      if (same) t.notOk(body.errors)
      else t.match((body.errors as Json[])?.[0]?.extensions, expected, `${name} (${field}) over GraphQL`)
    }
  }
}

/** What must be set so that a relation to one record is looked for. */
async function linked(world: World, resource: Resource, name: string): Promise<object> {
  const { kind, target, field } = resource.relations[name]!
  const settable = resource.fields.get(field)?.nullable && resource.createBody.properties[field]
  if (kind === 'many' || !settable) return {}
  return { [field]: (await makeOne(world, resourceNamed(target))).id as string }
}

async function lookups(t: Test, world: World, resource: Resource): Promise<void> {
  const id = String((await makeOne(world, resource)).id)
  const poor = await credential(world, ['nothing:read'])
  const expected = forbidden(resource.permissions.read)
  const one = await world.graphql(`query($id: ID!) { ${resource.name}(id: $id) { id } }`, { id }, poor)
  t.match(one.body.errors[0].extensions, expected)
  const many = await world.graphql(`{ ${listField(resource)} { totalCount } }`, {}, poor)
  t.match(many.body.errors[0].extensions, expected)
  const node = await world.graphql(
    'query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }',
    { id },
    poor
  )
  t.same(node.body.data, { node: null, nodes: [null] }, 'a record one may not read is as none')
  if (!has(world, resource, 'create')) return
  const reader = await credential(world, [resource.permissions.read])
  const refused = await world.call('POST', `/v1/${resource.plural}`, {}, reader)
  t.match(refused, { status: 403, body: { scope: resource.permissions.write } }, 'reading is not writing')
}

/** The scopes that reading a record and what it is related to needs. */
export async function scopes(t: Test, suite: Suite, resource: Resource): Promise<void> {
  const world = await newWorld(suite)
  await lookups(t, world, resource)
  await relationScopes(t, world, resource)
}
