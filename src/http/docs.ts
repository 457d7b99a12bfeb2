import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { docsPage, docsScript, docsStyle, graphiqlPage, graphiqlScript, graphiqlStyle } from './pages.js'

/** The contracts as text. */
export interface Docs {
  openapiJson(): string
  openapiYaml(): string
  sdl(): string
  introspection(): string
}

const html = 'text/html; charset=utf-8'
const javascript = 'text/javascript; charset=utf-8'
const css = 'text/css; charset=utf-8'
const json = 'application/json; charset=utf-8'

const texts = (docs: Docs): Record<string, [type: string, text: () => string]> => ({
  '/openapi.json': [json, docs.openapiJson],
  '/openapi.yaml': ['application/yaml; charset=utf-8', docs.openapiYaml],
  '/schema.graphql': ['text/plain; charset=utf-8', docs.sdl],
  '/docs/page.css': [css, () => docsStyle],
  '/docs/page.js': [javascript, () => docsScript],
  '/graphiql/page.css': [css, () => graphiqlStyle],
  '/graphiql/page.js': [javascript, () => graphiqlScript],
  '/graphiql/schema.json': [json, docs.introspection]
})

const files: Record<string, [module: string, file: string]> = {
  '/docs/swagger-ui.css': ['swagger-ui-dist', 'swagger-ui.css'],
  '/docs/swagger-ui-bundle.js': ['swagger-ui-dist', 'swagger-ui-bundle.js'],
  '/graphiql/react.production.min.js': ['react', 'umd/react.production.min.js'],
  '/graphiql/react-dom.production.min.js': ['react-dom', 'umd/react-dom.production.min.js'],
  '/graphiql/graphiql.min.css': ['graphiql', 'graphiql.min.css'],
  '/graphiql/graphiql.min.js': ['graphiql', 'graphiql.min.js']
}

// Both pages run our own files only and talk to this server only.
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  'font-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

const require = createRequire(import.meta.url)
const folderOf = (module: string) => dirname(require.resolve(`${module}/package.json`))

/** The contracts, and /docs and /graphiql to read them in a browser, offline as well. */
export async function docsRoutes(app: FastifyInstance, docs: Docs): Promise<void> {
  await app.register(fastifyStatic, { root: folderOf('swagger-ui-dist'), serve: false })
  for (const [path, page] of Object.entries({ '/docs': docsPage, '/graphiql': graphiqlPage })) {
    app.get(path, (_request, reply) =>
      reply.type(html).header('content-security-policy', contentSecurityPolicy).send(page)
    )
  }
  for (const [path, [type, text]] of Object.entries(texts(docs))) {
    app.get(path, (_request, reply) => reply.type(type).send(text()))
  }
  for (const [path, [module, file]] of Object.entries(files)) {
    app.get(path, (_request, reply) => reply.sendFile(file, folderOf(module)))
  }
}
