import t from 'tap'
import { testApp, type Reply } from './helpers/app.js'
import { eventually } from './helpers/http.js'
import { as, identity } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'

const kith = await testApp(t)
const { call, graphql } = kith
const { newUser, tokenOf, makeKey, me } = identity(kith)

const field = { name: 'Field sales', scopes: ['contacts:read', 'contacts:write'], rowScope: 'own' }
const newRole = (more: object) => call('POST', '/v1/roles', { ...field, ...more })

t.test('an own role', async t => {
  const made = await newRole({ key: 'field' })
  t.match(made, { status: 201, body: { key: 'field', rowScope: 'own', scopes: field.scopes } })
  const taken = await newRole({ key: 'field' })
  isProblem(t, taken, { status: 409, code: 'conflict', pointer: '/key' })
  t.same(taken.body.conflictsWith, { resource: 'role', id: made.body.id })
  for (const key of ['admin', 'manager', 'rep', 'viewer', 'Field', '1st', 'a-b', '', 'a'.repeat(41)]) {
    isProblem(t, await newRole({ key }), { status: 400, pointer: '/key' })
  }
  const scopes = ['contacts:read', 'contact:write']
  const misspelt = await newRole({ key: 'other', scopes })
  isProblem(t, misspelt, { status: 400, pointer: '/scopes/1', says: /contacts:write/ })
  const path = `/v1/roles/${made.body.id}`
  isProblem(t, await call('PATCH', path, { scopes }), { status: 400, pointer: '/scopes/1' })
  isProblem(t, await call('PATCH', path, { key: 'renamed' }), { status: 400, pointer: '/key' })
  isProblem(t, await call('PATCH', path, { rowScope: 'mine' }), { status: 400, pointer: '/rowScope' })
  const rows = { operations: [{ op: 'create', body: { ...field, key: 'rep' } }, { op: 'create', body: { ...field, key: 'x', scopes: ['nothing:read'] } }] } // prettier-ignore
  const batch = await call('POST', '/v1/roles/batch', rows)
  t.match(batch.body.results, [
    { status: 'failed', error: { errors: [{ pointer: '/operations/0/body/key' }] } },
    { status: 'failed', error: { errors: [{ pointer: '/operations/1/body/scopes/0' }] } }
  ])
})

t.test('who may do what, by role', async t => {
  await newRole({ key: 'teamwork', rowScope: 'team' })
  const expected: [string, string, RegExp][] = [
    ['admin', 'all', /^admin$/],
    ['manager', 'team', /pipelines:write/],
    ['rep', 'own', /deals:write/],
    ['viewer', 'all', /deals:read/],
    ['teamwork', 'team', /^contacts:read contacts:write$/]
  ]
  for (const [role, rowScope, scopes] of expected) {
    const user = await newUser(role)
    const { body } = await me(tokenOf(user))
    t.match(body, { role, rowScope, user: { id: user.id, role } })
    t.match((body.scopes as string[]).join(' '), scopes, role)
    const bound = await makeKey({ scopes: ['admin'], userId: user.id })
    t.match((await me(bound.key)).body, { actorType: 'key', role, rowScope, scopes: body.scopes }, 'bound')
  }
  t.match((await me(kith.key)).body, { role: null, rowScope: 'all', user: null })
  const { body } = await graphql('{ me { role rowScope } }')
  t.same(body.data.me, { role: null, rowScope: 'ALL' })
})

t.test('a role that nobody knows', async t => {
  const unknown = { status: 422, code: 'unknown_reference', pointer: '/role' }
  const body = { email: 'somebody@example.com', name: 'x', role: 'nonsense' }
  const user = await newUser('rep')
  isProblem(t, await call('POST', '/v1/users', body), unknown)
  isProblem(t, await call('PATCH', `/v1/users/${user.id}`, { role: 'nonsense' }), unknown)
  isProblem(t, await call('PUT', '/v1/users/external/hr/1', body), unknown)
  const batch = await call('POST', '/v1/users/batch', { operations: [{ op: 'create', body }] })
  t.match(batch.body.results, [{ error: { errors: [{ pointer: '/operations/0/body/role' }] } }])
})

t.test('a role in use stays', async t => {
  const id = (await newRole({ key: 'needed' })).body.id as string
  const user = await newUser('needed')
  const path = `/v1/roles/${id}`
  isProblem(t, await call('DELETE', path), { status: 409, code: 'in_use' })
  const batch = await call('POST', '/v1/roles/batch', { operations: [{ op: 'delete', id }] })
  t.match(batch.body.results, [{ error: { code: 'in_use' } }])
  t.equal((await call('DELETE', `/v1/users/${user.id}`)).status, 204)
  t.equal((await call('DELETE', path)).status, 204)
  const restored = await call('POST', `/v1/users/${user.id}/restore`)
  isProblem(t, restored, { status: 422, code: 'unknown_reference', pointer: '/role' })
  const again = await newRole({ key: 'needed' })
  t.equal(again.status, 201, 'its key is free')
  isProblem(t, await call('POST', `${path}/restore`), { status: 409, code: 'conflict' })
  t.equal((await call('POST', `/v1/users/${user.id}/restore`)).status, 200)
})

t.test('a role that is deleted while somebody gets it', async t => {
  for (let i = 0; i < 8; i++) {
    const role = await newRole({ key: `raced_${i}` })
    const user = await newUser('rep')
    const [given, deleted] = await Promise.all([
      call('PATCH', `/v1/users/${user.id}`, { role: `raced_${i}` }),
      call('DELETE', `/v1/roles/${role.body.id}`)
    ])
    t.match([given.status, deleted.status].join(), /^(200,409|422,204)$/, 'one of the two')
  }
})

t.test('a change of a role, a team or a person is in force within five seconds', async t => {
  const role = await newRole({ key: 'changing', scopes: ['companies:read', 'companies:write'] })
  const team = (await call('POST', '/v1/teams', { name: 'Changing' })).body.id as string
  const user = await newUser('changing', { teamId: team })
  const mate = await newUser('rep')
  const token = as(tokenOf(user))
  const { id } = (await call('POST', '/v1/companies', { name: 'Shared', ownerId: mate.id })).body
  const get = () => call('GET', `/v1/companies/${id}`, undefined, token)
  const becomes = (status: number, what: string) =>
    eventually<Reply>(what, async () => {
      const reply = await get()
      return reply.status === status ? reply : undefined
    }, 6) // prettier-ignore
  t.equal((await get()).status, 404, 'out of scope')
  await call('PATCH', `/v1/roles/${role.body.id}`, { rowScope: 'team' })
  await call('PATCH', `/v1/users/${mate.id}`, { teamId: team })
  t.ok(await becomes(200, 'a wider row scope and a new mate'))
  await call('DELETE', `/v1/teams/${team}`)
  t.ok(await becomes(404, 'the team is dissolved'))
  await call('PATCH', `/v1/roles/${role.body.id}`, { scopes: ['contacts:read'] })
  isProblem(t, await becomes(403, 'a scope is taken away'), { status: 403 })
})
