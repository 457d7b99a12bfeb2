import { introspectionFromSchema, printSchema } from 'graphql'
import type { Operation } from '../kernel/operation.js'
import { graphqlSchema } from './graphql.js'
import { openApiDocument, toYaml } from './openapi.js'

/** The contracts as text; each is made when it is first asked for. */
export interface Contracts {
  openapiJson(): string
  openapiYaml(): string
  sdl(): string
  /** The same schema as the answer to an introspection query. */
  introspection(): string
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** The OpenAPI document and the GraphQL schema of the operations, as served and as committed. */
export function contracts(operations: readonly Operation[], version: string): Contracts {
  const schema = once(() => graphqlSchema(operations))
  const document = once(() => openApiDocument(operations, version))
  return {
    openapiJson: once(() => JSON.stringify(document())),
    openapiYaml: once(() => toYaml(document())),
    sdl: once(() => `${printSchema(schema())}\n`),
    introspection: once(() => JSON.stringify(introspectionFromSchema(schema())))
  }
}
