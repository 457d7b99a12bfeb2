import { Writable } from 'node:stream'
import t, { type Test } from 'tap'
import { buildApp } from '../src/app.js'
import { readConfig } from '../src/config.js'
import { makeLogger } from '../src/http/logging.js'
import { execute } from './helpers/database.js'
import { jwtSecret, testApp } from './helpers/app.js'
import { as, identity, password } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'

const kith = await testApp(t)
const { call, graphql, database, url, newKey } = kith
const { newUser, tokenOf, makeKey } = identity(kith)

const lacks = (scope: string) => ({ status: 403, code: 'forbidden', says: new RegExp(`\\b${scope}\\b`) })

const company = (await call('POST', '/v1/companies', { name: 'Hidden Ltd' })).body
const contact = (await call('POST', '/v1/contacts', { firstName: 'Seen', companyId: company.id })).body
const person = await newUser('rep')

t.test('roles', async t => {
  const [manager, rep, viewer, admin] = await Promise.all(
    ['manager', 'rep', 'viewer', 'admin'].map(r => newUser(r))
  )
  const status = async (user: typeof person | undefined, method: string, path: string, body?: object) =>
    (await call(method, path, body, as(tokenOf(user!)))).status
  const calls: [method: string, path: string, body: object | undefined, may: number[]][] = [
    ['GET', '/v1/contacts', undefined, [200, 200, 200, 200]],
    ['POST', '/v1/contacts', {}, [201, 201, 201, 403]],
    ['DELETE', `/v1/contacts/${contact.id}`, undefined, [204, 404, 404, 403]],
    ['POST', '/v1/pipelines', { name: 'a', stages: [] }, [201, 201, 403, 403]],
    ['GET', '/v1/events', undefined, [200, 200, 200, 200]],
    ['GET', '/v1/users', undefined, [200, 200, 200, 200]],
    ['GET', '/v1/api-keys', undefined, [200, 200, 200, 403]],
    ['POST', '/v1/users', { email: 'a@b.cd', name: 'a', role: 'admin' }, [201, 403, 403, 403]],
    ['PATCH', `/v1/users/${person.id}`, { role: 'admin' }, [200, 403, 403, 403]],
    ['POST', '/v1/api-keys', { name: 'a', scopes: ['admin'] }, [201, 403, 403, 403]],
    ['PATCH', '/v1/workspace', { name: 'test' }, [200, 403, 403, 403]],
    ['GET', '/v1/workspace', undefined, [200, 200, 200, 200]]
  ]
  for (const [method, path, body, may] of calls) {
    const found = []
    for (const user of [admin, manager, rep, viewer]) found.push(await status(user, method, path, body))
    t.strictSame(found, may, `${method} ${path}`)
  }
  t.equal((await call('POST', `/v1/contacts/${contact.id}/restore`)).status, 200)
})

t.test('only an admin writes users and keys', async t => {
  const key = as(
    await newKey(['users:read', 'users:write', 'api-keys:read', 'api-keys:write', 'contacts:write'])
  )
  const { id } = await makeKey()
  const writes: [string, string, object?][] = [
    ['POST', '/v1/users', { email: 'x@y.zz', name: 'x', role: 'admin' }],
    ['PATCH', `/v1/users/${person.id}`, { role: 'admin' }],
    ['DELETE', `/v1/users/${person.id}`],
    ['POST', '/v1/users/batch', { operations: [{ op: 'delete', id: person.id }] }],
    ['PUT', '/v1/users/external/a/b', { email: 'x@y.zz', name: 'x', role: 'admin' }],
    ['POST', '/v1/api-keys', { name: 'more', scopes: ['contacts:read'] }],
    ['POST', `/v1/api-keys/${id}/rotate`, {}],
    ['POST', `/v1/api-keys/${id}/revoke`],
    ['PATCH', `/v1/api-keys/${id}`, { expiresAt: null }]
  ]
  for (const [method, path, body] of writes) {
    isProblem(t, await call(method, path, body, key), lacks('admin'), path)
  }
  const mutation = 'mutation { createApiKey(input: { name: "a", scopes: ["admin"] }) { key } }'
  t.match((await graphql(mutation, {}, key)).body.errors, [
    { extensions: { code: 'forbidden', scope: 'admin' } }
  ])
  const own = await call('PUT', `/v1/users/${person.id}/password`, { password }, key)
  isProblem(t, own, { status: 404 })
})

t.test('a scope counts on every way to a record', async t => {
  const key = as(await newKey(['contacts:read', 'contacts:write', 'events:read']))
  const at = `/v1/contacts/${contact.id}`
  t.match((await call('GET', at, undefined, key)).body, { companyId: company.id }, 'the id stays')
  const refused: [string, string, object?][] = [
    ['GET', '/v1/companies'],
    ['GET', `/v1/companies/${company.id}`],
    ['GET', `/v1/companies/${company.id}/changes`],
    ['GET', '/v1/companies?count=true&limit=1'],
    ['GET', '/v1/companies/external/a/b'],
    ['POST', '/v1/companies/search', {}],
    ['GET', `${at}?include=company`],
    ['GET', '/v1/contacts?include=company'],
    ['POST', '/v1/contacts/search', { include: ['company'] }],
    ['POST', '/v1/contacts/search', { filter: { company: { name: { startsWith: 'H' } } } }],
    ['POST', '/v1/contacts/search', { count: true, filter: { not: { company: {} } } }]
  ]
  for (const [method, path, body] of refused) {
    isProblem(t, await call(method, path, body, key), lacks('companies:read'), path.split('?')[0])
  }
  isProblem(t, await call('POST', '/v1/companies', { name: 'a' }, key), lacks('companies:write'))
  const blind = as(await newKey(['companies:read']))
  isProblem(t, await call('GET', '/v1/events', undefined, blind), lacks('events:read'))
  const feed = await call('GET', '/v1/events?limit=1000', undefined, key)
  t.ok(feed.body.data.length > 0)
  t.ok(
    feed.body.data.every((e: { resource: string }) => e.resource === 'contact'),
    'events of contacts only'
  )
  t.notMatch(feed.text, /Hidden/)
  t.strictSame((await call('GET', '/v1/events?resource=company', undefined, key)).body.data, [])
})

t.test('a scope counts in GraphQL', async t => {
  const key = as(await newKey(['contacts:read', 'contacts:write']))
  const queries = [
    '{ companies { nodes { name } } }',
    '{ companies { totalCount } }',
    `{ company(id: "${company.id}") { name } }`,
    '{ contacts { nodes { company { name } } } }',
    `{ contact(id: "${contact.id}") { company { name } deals { totalCount } } }`,
    '{ contacts(filter: { company: { name: { startsWith: "H" } } }) { totalCount } }',
    '{ contacts { nodes { deals { nodes { id } } } } }',
    `{ companyChanges(id: "${company.id}") { data { id } } }`,
    'mutation { createContact(input: {}) { contact { owner { id } company { id } deals { totalCount } } } }'
  ]
  for (const query of queries) {
    const { body, text } = await graphql(query, {}, key)
    t.match(body.errors, [{ extensions: { code: 'forbidden', scope: /:read$/ } }], query)
    t.notMatch(text, /Hidden/)
  }
  const node = await graphql(
    `{ node(id: "${company.id}") { id } nodes(ids: ["${company.id}"]) { id } }`,
    {},
    key
  )
  t.strictSame(node.body.data, { node: null, nodes: [null] })
})

t.test('another tenant sees nothing', async t => {
  const key = as(await newKey(['admin'], await kith.newWorkspace('foreign')))
  for (const path of [
    `/v1/contacts/${contact.id}`,
    `/v1/users/${person.id}`,
    `/v1/companies/${company.id}`
  ]) {
    isProblem(t, await call('GET', path, undefined, key), { status: 404 }, path)
    isProblem(t, await call('PATCH', path, {}, key), { status: 404 }, path)
    isProblem(t, await call('DELETE', path, undefined, key), { status: 404 }, path)
  }
  isProblem(t, await call('POST', '/v1/contacts', { companyId: company.id }, key), {
    status: 422,
    pointer: '/companyId'
  })
  t.match((await call('GET', '/v1/contacts?count=true', undefined, key)).body, {
    data: [],
    page: { totalCount: 0 }
  })
})

/** The same program with a log of everything that is kept for the test. */
async function logged(t: Test) {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    }
  })
  const config = readConfig({ DATABASE_URL: url, JWT_SECRET: jwtSecret })
  const logger = makeLogger('trace', destination)
  const app = await buildApp({ config, database, logger, migrated: async () => undefined })
  t.teardown(() => app.close())
  return { app, lines }
}

t.test('the log knows no secret and no person', async t => {
  const { app, lines } = await logged(t)
  const user = await newUser('rep', { password, email: 'private@person.example' })
  const { key } = await makeKey({ scopes: ['admin'] })
  const token = tokenOf(user)
  const secrets = [
    'private@person',
    password,
    key.slice(-43),
    token,
    'Geheimname',
    '+4915112345678',
    'Nachname'
  ]
  const send = (method: 'GET' | 'POST' | 'PUT', path: string, payload?: object | string, headers = as(key)) =>
    app.inject({ method, url: path, headers, ...(payload !== undefined && { payload }) })
  const body = { firstName: 'Geheimname', lastName: 'Nachname', email: user.email, phone: '+4915112345678' }
  await send('POST', '/v1/contacts', body)
  await send('POST', '/v1/contacts', { ...body, companyId: person.id })
  await send('POST', '/v1/contacts', { ...body, nope: 1 })
  await send('POST', '/v1/contacts', `{"email":"${user.email}`)
  await send('POST', '/v1/users', { email: user.email, name: 'Nachname', role: 'rep', password })
  await send('GET', `/v1/contacts?email=${user.email}&phone=%2B4915112345678&firstName=Geheimname`)
  await send('GET', `/v1/contacts?email=${user.email}&email=x`)
  await send('GET', `/nowhere/${user.email}?key=${key}&token=${token}`)
  await send('GET', `/v1/contacts/external/source/${user.email}`)
  await send('GET', '/v1/me', undefined, as(token))
  await send('GET', '/v1/me', undefined, as(`${key}x`))
  await send('GET', '/v1/me', undefined, as(`${token}x`))
  await send('POST', '/v1/auth/token', { workspace: 'test', email: user.email, password })
  await send('POST', '/v1/auth/token', { workspace: 'test', email: user.email, password: `${password}!` })
  await send('PUT', `/v1/users/${user.id}/password`, { password, currentPassword: password }, as(token))
  const made = await send('POST', '/v1/api-keys', { name: 'Nachname', scopes: [] })
  secrets.push(made.json<{ key: string }>().key.slice(-43))
  const query = `mutation ($email: String) { createContact(input: { email: $email, firstName: "Geheimname" }) { contact { id } } }`
  await send('POST', '/graphql', { query, variables: { email: user.email } })
  await send('POST', '/graphql', { query, variables: { email: { [user.email]: 1 } } })
  const before = lines.length
  // A fault of ours, while a row with all of it is being written.
  await execute(url, 'alter table contacts rename column needs to wants')
  const fault = await send('POST', '/v1/contacts', body)
  const { requestId, ...told } = fault.json<Record<string, unknown>>()
  t.match(requestId, /./)
  t.strictSame(told, {
    type: 'urn:kith:error:internal',
    title: 'Something went wrong on our side',
    status: 500,
    detail: 'Something went wrong on our side',
    code: 'internal',
    instance: '/v1/contacts'
  })
  const graph = await send('POST', '/graphql', { query, variables: { email: user.email } })
  t.match(graph.json(), {
    errors: [{ message: 'Something went wrong on our side', extensions: { code: 'internal' } }]
  })
  t.ok(lines.length >= before + 2, 'faults are logged')
  t.match(lines.slice(before).join(''), /"code":"42703"/, 'with their cause')
  const log = lines.join('')
  t.ok(lines.length >= 20, 'every request is logged')
  for (const secret of secrets) t.notOk(log.includes(secret), `not ${secret.slice(0, 8)}…`)
})
