import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { declaredOperations } from '../src/operations.js'
import { contracts } from '../src/surfaces/contracts.js'
import { version } from '../src/version.js'
import { jwtSecret, testApp, type TestApp } from './helpers/app.js'
import { testDatabase } from './helpers/database.js'
import { kith } from './helpers/program.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- the document is read freely

const made = contracts(declaredOperations(), version)
const yaml = made.openapiYaml()
const document = JSON.parse(made.openapiJson()) as Json
const committed = (name: string) => readFile(new URL(`../${name}`, import.meta.url), 'utf8')

// Thousands of small schemas, each for a value or two: what counts is how long they take to compile.
const quick = { inlineRefs: false, code: { optimize: false } }
const ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true, ...quick })
formats.default(ajv)
ajv.addSchema(closed(document), 'openapi')

/** The document without its promise that answers may get new fields: today's have only those that it shows. */
function closed(open: Json): Json {
  const copy = structuredClone(open)
  for (const { path, node } of places(copy)) {
    if (node.type && node.properties && path.at(-1) !== 'Problem') node.additionalProperties ??= false
  }
  return copy
}

const escape = (part: string) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))
const pointerOf = (path: readonly string[]) => `/${path.map(escape).join('/')}`

/** What is wrong with a value by the schema at this place of the document. */
function problems(path: readonly string[], value: unknown): string[] {
  const validate = ajv.getSchema(`openapi#${pointerOf(path)}`)!
  return validate(value) ? [] : [`${path.join(' ')}: ${ajv.errorsText(validate.errors)}`]
}

interface Place {
  path: string[]
  node: Json
}

/** Every object of the document, except in examples, which are data. */
function* places(node: unknown, path: string[] = []): Generator<Place> {
  if (typeof node !== 'object' || node === null) return
  if (!Array.isArray(node)) yield { path, node }
  const isData = (key: string) =>
    ['example', 'examples', 'value'].includes(key) && path.at(-1) !== 'properties'
  for (const [key, child] of Object.entries(node)) {
    if (!isData(key)) yield* places(child, [...path, key])
  }
}

interface Call {
  path: string
  method: string
  operation: Json
}

const calls: Call[] = Object.entries(document.paths as Record<string, Json>).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation }))
)

t.test('the committed contracts are those of the operations', async t => {
  t.ok((await committed('openapi.yaml')) === yaml, 'openapi.yaml: run npm run generate')
  t.ok((await committed('schema.graphql')) === made.sdl(), 'schema.graphql: run npm run generate')
  t.ok(isDeepStrictEqual(parse(yaml), document), 'YAML and JSON say the same')
  t.notMatch(yaml, /(: |- )(\d{4}-\d\d-\d\d.*|yes|no|on|off)$/m, 'also to a reader of YAML 1.1')
})

t.test('a started server serves the committed files', async t => {
  const program = kith(t, ['serve'], { DATABASE_URL: await testDatabase(t), JWT_SECRET: jwtSecret })
  const origin = await program.origin()
  for (const name of ['openapi.yaml', 'schema.graphql']) {
    const served = await (await fetch(`${origin}/${name}`)).text()
    t.ok(served === (await committed(name)), `${name} is the same to the letter`)
  }
})

t.test('the document is OpenAPI 3.1', async t => {
  const result = await new Validator().validate(structuredClone(document))
  t.ok(result.valid, JSON.stringify(result.errors))
  t.equal(document.openapi, '3.1.0')
})

t.test('every name in the document leads somewhere', async t => {
  const ids = calls.map(c => c.operation.operationId as string)
  t.same(
    ids.filter((id, i) => ids.indexOf(id) !== i || !/^[a-z][A-Za-z]+$/.test(id)),
    [],
    'operationIds are unique camelCase'
  )
  const references = [...places(document)].filter(p => typeof p.node.$ref === 'string')
  const dangling = references.filter(({ node }) => {
    const parts = (node.$ref as string).slice(2).split('/')
    return parts.reduce<Json | undefined>((at, part) => at?.[part] as Json, document) === undefined
  })
  t.ok(references.length > 100)
  t.same(dangling, [], 'every $ref resolves')
  const used = new Set(references.map(r => r.node.$ref as string))
  const unused = ['schemas', 'parameters', 'headers', 'responses'].flatMap(kind =>
    Object.keys(document.components[kind] as Json).filter(name => !used.has(`#/components/${kind}/${name}`))
  )
  t.same(unused, [], 'every component is used')
})

t.test('the document explains itself and hides what is only ours', async t => {
  const text = JSON.stringify(document)
  const own = [
    'x-kind',
    'x-enum',
    'x-type',
    'x-resource',
    'x-filter',
    '"instant"',
    '"http-url"',
    '"time-zone"'
  ]
  t.same(
    own.filter(word => text.includes(word)),
    [],
    'no keyword or format of our own'
  )
  const tags = document.tags as Json[]
  t.same(
    tags.filter(tag => !tag.description),
    [],
    'every tag is described'
  )
  for (const { path, method, operation } of calls) {
    const parameters = (operation.parameters as Json[]).filter(p => !p.$ref)
    const bare = parameters.filter(p => !p.description).map(p => p.name as string)
    t.same(bare, [], `${method} ${path}: its parameters are described`)
    t.ok(operation.summary && operation.description, `${method} ${path} is described`)
  }
})

t.test('every example is valid', async t => {
  const wrong: string[] = []
  let count = 0
  const check = (path: readonly string[], value: unknown) => {
    count++
    wrong.push(...problems(path, value))
  }
  for (const { path, node } of places(document)) {
    if (Array.isArray(node.examples)) node.examples.forEach(value => check(path, value))
    if (!node.schema) continue
    const named = Object.values((node.examples ?? {}) as Record<string, Json>).map(e => e.value as unknown)
    for (const value of [...named, ...('example' in node ? [node.example] : [])]) {
      check([...path, 'schema'], value)
    }
  }
  t.same(wrong, [])
  t.ok(count > 200, `${count} examples`)
  const contents = calls.flatMap(({ operation }) => [
    ...Object.values((operation.requestBody?.content ?? {}) as Record<string, Json>),
    ...Object.values(operation.responses as Record<string, Json>).flatMap(r =>
      Object.values((r.content ?? {}) as Json)
    )
  ]) as Json[]
  t.same(
    contents.filter(media => media.example === undefined),
    [],
    'every body and every success has one'
  )
})

/** An app, and the routes that it registers. */
async function appWithRoutes(t: Parameters<typeof testApp>[0]) {
  const routes: RouteOptions[] = []
  const watch = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', route => void routes.push(route))
  }
  subscribe('fastify.initialization', watch)
  const app = await testApp(t, { RATE_LIMIT: '0' })
  unsubscribe('fastify.initialization', watch)
  return { app, routes }
}

t.test('the document has every route, and the server every documented one', async t => {
  const { app, routes } = await appWithRoutes(t)
  const registered = routes
    .filter(r => r.url.startsWith('/v1/'))
    .flatMap(r => [r.method].flat().map(method => ({ method: method.toUpperCase(), url: r.url })))
    .filter(r => !['HEAD', 'OPTIONS'].includes(r.method))
  const inDocument = (url: string) => document.paths[url.replace(/:([A-Za-z]+)/g, '{$1}')] as Json | undefined
  t.ok(registered.length > 50)
  for (const { method, url } of registered) {
    const path = inDocument(url)
    if (path?.[method.toLowerCase()] !== undefined) continue
    const answer = await app.call(method, url)
    t.equal(answer.status, 405, `${method} ${url} is in the document or refused`)
    t.ok(path, `${url} is in the document`)
  }
  for (const { path, method } of calls) {
    const url = path.replace(/\{([A-Za-z]+)\}/g, ':$1')
    t.ok(
      registered.some(r => r.method === method && r.url === url),
      `${method} ${path} is a route`
    )
  }
})

/** Sends a documented call with its own example, and checks that the answer is a documented one. */
async function tried(app: TestApp, call: Call, ids: Map<string, string>): Promise<string[]> {
  const { path, method, operation } = call
  const tag = operation.tags[0] as string
  const url = path
    .replace('{id}', ids.get(tag) ?? '019b4c1a-3c00-7a10-8b20-000000000000')
    .replace('{source}', 'erp')
    .replace('{externalId}', '4711')
  const media = operation.requestBody?.content['application/json'] as Json | undefined
  const answer = await app.call(method, url, media?.example)
  const where = `${method} ${path} ${answer.status}`
  if (answer.status === 201)
    ids.set(tag, (answer.body.id ?? (answer.body.apiKey ?? answer.body.webhook).id) as string)
  const documented = operation.responses[answer.status] as Json | undefined
  if (!documented) return [`${where} is not documented: ${answer.text}`]
  if (answer.text === '') return documented.content ? [`${where} lacks its body`] : []
  const type = String(answer.headers['content-type']).split(';')[0]!
  const at = documented.$ref
    ? (documented.$ref as string).slice(2).split('/')
    : ['paths', path, method.toLowerCase(), 'responses', String(answer.status)]
  return problems([...at, 'content', type, 'schema'], type.endsWith('json') ? answer.body : answer.text).map(
    p => `${where} ${p}`
  )
}

// A stream has no end that could be waited for.
const ends = ({ path }: Call) => !path.endsWith('/stream')

t.test('the server answers as the document says', async t => {
  const app = await testApp(t, { RATE_LIMIT: '0' })
  const ids = new Map<string, string>()
  for (const call of calls.filter(ends))
    t.same(await tried(app, call, ids), [], `${call.method} ${call.path}`)
  for (const tag of ['users', 'api-keys', 'companies', 'contacts', 'pipelines']) {
    t.ok(ids.has(tag), `the example of ${tag} can be sent`)
  }
  for (const [tag, include] of [
    ['companies', 'parent'],
    ['contacts', 'company']
  ]) {
    const call = calls.find(c => c.path === `/v1/${tag}` && c.method === 'GET')!
    const answer = await app.call('GET', `${call.path}?include=${include}&fields=id,createdAt&count=true`)
    t.equal(answer.status, 200)
    t.same(
      problems(
        ['paths', call.path, 'get', 'responses', '200', 'content', 'application/json', 'schema'],
        answer.body
      ),
      [],
      `${tag} with include and fields`
    )
  }
})
