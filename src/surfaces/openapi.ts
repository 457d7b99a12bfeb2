import { stringify } from 'yaml'
import type { Operation } from '../kernel/operation.js'
import type { Resource } from '../kernel/resource.js'
import { Examples } from './openapi-examples.js'
import { bodyName, operationId, partsOf, resourceOf } from './openapi-names.js'
import { headerParameters, namesSchema, parametersOf } from './openapi-parameters.js'
import { addProblem, errorComponents, responseHeaders, responsesOf } from './openapi-responses.js'
import { Components, type Json } from './openapi-schemas.js'
import { introduction, parameterTexts, subjects } from './openapi-texts.js'
import { webhooksOf } from './openapi-webhooks.js'

const bearer = {
  type: 'http',
  scheme: 'bearer',
  description:
    'An access token of `POST /v1/auth/token` or of your identity provider, or an API key (`kith_…`).'
}

function neededScope({ permission }: Operation): string {
  if (permission === 'public') return 'Needs no credential.'
  return permission === 'authenticated' ? 'Needs any credential.' : `Needs the scope \`${permission}\`.`
}

// A search names relations and fields like a list does, in its body.
function withNames(body: Json, resource: Resource | undefined): Json {
  if (!resource || !('filter' in ((body.properties ?? {}) as Json))) return body
  const properties = Object.entries(body.properties as Record<string, Json>).flatMap(([name, schema]) => {
    const named = namesSchema(resource, name)
    const text = parameterTexts[name]
    if (named && ((named.items as Json).enum as string[]).length === 0) return []
    return [[name, { ...(named ?? schema), ...(text !== undefined && { description: text }) }]]
  })
  return { ...body, properties: Object.fromEntries(properties) as Json }
}

function bodyExample(operation: Operation, components: Components, schema: Json): unknown {
  const examples = new Examples(components, 'input')
  const { action } = partsOf(operation)
  const resource = resourceOf(operation)
  if (action === 'batch' && resource) {
    const create = components.body(`${resource.noun}Create`, resource.createBody)
    const upsert = { op: 'upsert', source: 'erp', externalId: '4711', body: examples.first(create, 2) }
    return { operations: [{ op: 'create', body: examples.of(create) }, upsert] }
  }
  if (action === 'search') return { ...examples.first(schema, 1), sort: '-createdAt', limit: 50 }
  return operation.rest!.method === 'PATCH' || action === 'upsert'
    ? examples.first(schema, 2)
    : examples.of(schema)
}

function requestBody(operation: Operation, components: Components): Json {
  const { body, rest, result } = operation
  if (!body) return {}
  const plain = components.of(body, 'input')
  const schema =
    plain.$ref === undefined
      ? components.share(bodyName(operation), withNames(plain, result.resource))
      : plain
  const media = { schema, example: bodyExample(operation, components, schema) }
  const types = ['application/json', ...(rest!.method === 'PATCH' ? ['application/merge-patch+json'] : [])]
  return { requestBody: { required: true, content: Object.fromEntries(types.map(type => [type, media])) } }
}

function operationObject(operation: Operation, components: Components): Json {
  const { permission, summary, description } = operation
  const scoped = permission !== 'public' && permission !== 'authenticated'
  return {
    operationId: operationId(operation),
    tags: [partsOf(operation).subject],
    summary,
    description: [description, neededScope(operation)].filter(Boolean).join('\n\n'),
    ...(scoped && { 'x-scope': permission }),
    ...(permission === 'public' && { security: [] }),
    parameters: parametersOf(operation, components),
    ...requestBody(operation, components),
    responses: responsesOf(operation, components)
  }
}

const pathOf = ({ rest }: Operation) => `/v1${rest!.path.replaceAll(/:([A-Za-z]+)/g, '{$1}')}`

function tagsOf(operations: readonly Operation[]): Json[] {
  const bySubject = new Map(operations.map(o => [partsOf(o).subject, resourceOf(o)]))
  return [...bySubject].map(([name, resource]) => {
    const description = resource?.description ?? subjects[name]
    return { name, ...(description !== undefined && { description }) }
  })
}

/** The OpenAPI 3.1 document of all operations with a REST form; the same operations give the same document. */
export function openApiDocument(operations: readonly Operation[], version: string): object {
  const shown = operations.filter(o => o.rest !== null)
  const components = new Components()
  addProblem(components)
  const webhooks = webhooksOf(components)
  const paths: Record<string, Json> = {}
  for (const operation of shown) {
    const path = (paths[pathOf(operation)] ??= {})
    path[operation.rest!.method.toLowerCase()] = operationObject(operation, components)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Kith',
      version,
      description: introduction,
      license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' }
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: tagsOf(shown),
    paths,
    webhooks,
    components: {
      securitySchemes: { bearer },
      schemas: components.all(),
      parameters: headerParameters,
      headers: responseHeaders,
      responses: errorComponents()
    }
  }
}

// What readers of YAML 1.1 take for a number, a time or a boolean where 1.2 reads a text.
const ambiguous = {
  tag: 'tag:yaml.org,2002:ambiguous',
  default: true,
  test: /^([-+.]?[0-9].*|y|n|yes|no|on|off)$/i,
  resolve: (text: string) => text
}

/** The document as YAML, with texts quoted where a reader of YAML 1.1 would see something else. */
export const toYaml = (document: object): string =>
  stringify(document, {
    aliasDuplicateObjects: false,
    lineWidth: 110,
    // A list of tags is taken here, though the types know names of schemas alone.
    compat: [ambiguous] as unknown as string
  })
