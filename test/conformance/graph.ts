import { TimePart } from '../../src/kernel/filter-parts.js'
import type { Resource } from '../../src/kernel/resource.js'
import { camel } from '../../src/kernel/resource.js'
import type { TSchema } from '../../src/kernel/schema.js'
import type { Reply } from '../helpers/app.js'
import type { Json, World } from './world.js'

type Choice = (schema: TSchema, value: string) => string

const screaming = (value: string) =>
  value
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toUpperCase()

const toGraph: Choice = (_schema, value) => screaming(value)
const toRest: Choice = (schema, value) =>
  (schema.enum as string[]).find(v => v !== null && screaming(v) === value) ?? value

function translated(schema: TSchema | undefined, value: unknown, choice: Choice): unknown {
  if (!schema || value === null || value === undefined) return value
  if (schema['x-enum'] !== undefined) return choice(schema, value as string)
  if (Array.isArray(value)) return value.map(v => translated(schema.items as TSchema, v, choice))
  const properties = schema.properties as Record<string, TSchema> | undefined
  if (!properties || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, translated(properties[k], v, choice)]))
}

/** A body of REST as the input of GraphQL: choices are screaming there. */
export const inputOf = (schema: TSchema, body: object) => translated(schema, body, toGraph) as Json

/** A sort of REST as GraphQL's `orderBy`. */
export const orderOf = (sort: string) =>
  sort.startsWith('-') ? `${screaming(sort.slice(1))}_DESC` : `${screaming(sort)}_ASC`

/** A JSON filter of REST as GraphQL's, with the choices translated; relations are looked up. */
export function filterOf(resource: Resource, filter: Json, target: (name: string) => Resource): Json {
  return Object.fromEntries(
    Object.entries(filter).map(([key, value]) => {
      if (key === 'and' || key === 'or')
        return [key, (value as Json[]).map(f => filterOf(resource, f, target))]
      if (key === 'not') return [key, filterOf(resource, value as Json, target)]
      const relation = resource.relations[key]
      if (relation) return [key, filterOf(target(relation.target), value as Json, target)]
      const { schema } = resource.fields.get(key)!
      const leaf = schema.items ?? schema
      const tests = Object.entries(value as Json).map(([op, v]) => [
        op,
        op === 'isNull'
          ? v
          : op === 'part'
            ? inputOf(TimePart, v as Json)
            : Array.isArray(v)
              ? v.map(x => translated(leaf, x, toGraph))
              : translated(leaf, v, toGraph)
      ])
      return [key, Object.fromEntries(tests)]
    })
  )
}

/** The selection of all fields of a record. */
export function selection(resource: Resource): string {
  return [...resource.fields.values()]
    .map(({ name, kind, schema }) => {
      if (kind === 'externalIds') return `${name} { source id }`
      if (kind === 'links') return `${name} { ${Object.keys(schema.items!.properties as object).join(' ')} }`
      return kind === 'object' ? `${name} { ${Object.keys(schema.properties as object).join(' ')} }` : name
    })
    .join(' ')
}

// Members of a nested object that were never given are null in GraphQL and absent in REST.
function withoutNulls(value: Json): Json {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== null))
}

/** A record of GraphQL as REST answers it. */
export function recordOf(resource: Resource, node: Json): Json {
  const record = translated(resource.model, node, toRest) as Json
  for (const { name, kind } of resource.fields.values()) {
    if (kind === 'object' && record[name]) record[name] = withoutNulls(record[name] as Json)
  }
  return record
}

/** What came of a call, alike for both surfaces. */
export interface Outcome {
  record?: Json | null
  error?: Json
}

const shown = ({ code, status, errors, conflictsWith, currentVersion, scope }: Json): Json => ({
  code,
  status,
  ...(conflictsWith && { conflictsWith }),
  ...(currentVersion && { currentVersion }),
  ...(scope && { scope }),
  ...(errors && {
    errors: (errors as Json[]).map(e => ({ at: e.pointer ?? `/${e.parameter}`, code: e.code as string }))
  })
})

/** The outcome of a REST call: its problem document without what only REST has. */
export function restOutcome({ status, body }: Reply): Outcome {
  if (status >= 400) return { error: shown(body) }
  return { record: status === 204 ? null : body }
}

/** The outcome of one field of a GraphQL answer. */
export function graphOutcome(resource: Resource, { body }: Reply, field: string): Outcome {
  const error = (body.errors as Json[] | undefined)?.[0]
  if (error) return { error: shown(error.extensions as Json) }
  const payload = body.data[field] as Json | null
  const node = payload && ((payload[resource.name] as Json | undefined) ?? (payload.version ? payload : null))
  return { record: node && recordOf(resource, node) }
}

const mutations: Record<string, (r: Resource) => string> = {
  delete: () => 'id',
  batch: () => 'results { index status id version error }'
}

/** Sends a mutation of a resource: `create`, `update` and so on, with an input as GraphQL wants it. */
export function mutate(
  world: World,
  resource: Resource,
  verb: string,
  input: object,
  headers?: Record<string, string>
): Promise<Reply> {
  const field = `${verb}${resource.noun}`
  const answer =
    mutations[verb]?.(resource) ??
    `${verb === 'upsert' ? 'created ' : ''}${resource.name} { ${selection(resource)} }`
  const name = `${field[0]!.toUpperCase()}${field.slice(1)}Input`
  return world.graphql(
    `mutation($input: ${name}!) { ${field}(input: $input) { ${answer} } }`,
    { input },
    headers
  )
}

/** The same, with a body as REST takes it and the outcome as REST would have it. */
export async function mutated(
  world: World,
  resource: Resource,
  verb: string,
  input: object,
  schema: TSchema = resource.createBody
): Promise<Outcome> {
  const reply = await mutate(world, resource, verb, inputOf(schema, input))
  return graphOutcome(resource, reply, `${verb}${resource.noun}`)
}

/** A record by its id over GraphQL. */
export async function graphGet(world: World, resource: Resource, id: string): Promise<Outcome> {
  const query = `query($id: ID!) { ${resource.name}(id: $id) { ${selection(resource)} } }`
  return graphOutcome(resource, await world.graphql(query, { id }), resource.name)
}

/** The list field of a resource. */
export const listField = (resource: Resource) => camel(resource.plural)

/** A list over GraphQL; arguments as variables. */
export function graphList(
  world: World,
  resource: Resource,
  variables: object,
  nodes = 'id',
  headers?: Record<string, string>
): Promise<Reply> {
  const name = resource.typeName
  return world.graphql(
    `query($first: Int, $after: String, $last: Int, $before: String, $filter: ${name}Filter, $orderBy: ${name}OrderBy) {
      ${listField(resource)}(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {
        nodes { ${nodes} } edges { cursor }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }`,
    variables,
    headers
  )
}
