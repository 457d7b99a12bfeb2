import t from 'tap'
import { testApp } from './helpers/app.js'
import { times } from './helpers/http.js'
import { as, identity } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'

const kith = await testApp(t)
const { call, graphql } = kith
const { newUser, tokenOf } = identity(kith)

let made = 0
async function newTeam(parentId: string | null = null): Promise<string> {
  const reply = await call('POST', '/v1/teams', { name: `Team ${++made}`, parentId })
  if (reply.status !== 201) throw new Error(reply.text)
  return reply.body.id as string
}

const move = (id: string, parentId: string | null) => call('PATCH', `/v1/teams/${id}`, { parentId })
const circular = { status: 422, code: 'unprocessable', pointer: '/parentId' }

t.test('teams are a tree', async t => {
  const top = await newTeam()
  const middle = await newTeam(top)
  const bottom = await newTeam(middle)
  isProblem(t, await move(top, top), circular)
  isProblem(t, await move(top, middle), circular)
  isProblem(t, await move(top, bottom), circular)
  const mutation = `mutation { updateTeam(input: { id: "${top}", parentId: "${bottom}" }) { team { id } } }`
  t.match((await graphql(mutation)).body.errors, [
    { extensions: { code: 'unprocessable', errors: [{ pointer: '/parentId', code: 'circular' }] } }
  ])
  t.equal((await move(bottom, top)).status, 200, 'a move to another branch')
  t.equal((await move(middle, bottom)).status, 200)
  t.equal((await move(bottom, null)).status, 200, 'and out of it')
  t.equal((await move(top, middle)).status, 200, 'what was below may come above')
  const { body } = await graphql(
    `{ team(id: "${bottom}") { parent { id } teams { nodes { id teams { nodes { id } } } } } }`
  )
  t.same(body.data.team, {
    parent: null,
    teams: { nodes: [{ id: middle, teams: { nodes: [{ id: top }] } }] }
  })
})

t.test('a team in the bin keeps its place', async t => {
  const top = await newTeam()
  const bottom = await newTeam(top)
  t.equal((await call('DELETE', `/v1/teams/${bottom}`)).status, 204)
  isProblem(t, await move(top, bottom), { status: 422, code: 'unknown_reference', pointer: '/parentId' })
  const leaf = await newTeam()
  const other = await newTeam(leaf)
  t.equal((await call('DELETE', `/v1/teams/${other}`)).status, 204)
  const external = { externalIds: [{ source: 'hr', id: 'other' }] }
  t.equal((await call('POST', `/v1/teams/${other}/restore`)).status, 200)
  t.equal((await call('PATCH', `/v1/teams/${other}`, external)).status, 200)
  const inner = await newTeam(other)
  t.equal((await call('DELETE', `/v1/teams/${other}`)).status, 204)
  const back = await call('PUT', '/v1/teams/external/hr/other?restore=true', { parentId: inner })
  isProblem(t, back, circular)
})

t.test('rows of a batch stand alone and close no circle together', async t => {
  const [a, b, c] = [await newTeam(), await newTeam(), await newTeam()]
  const rows = (pairs: [string, string | null][]) => ({
    operations: pairs.map(([id, parentId]) => ({ op: 'update', id, body: { parentId } }))
  })
  const both = await call('POST', '/v1/teams/batch', rows([[a, b], [b, c], [c, a]])) // prettier-ignore
  t.same(
    both.body.results.map((r: { error: { code: string } | null }) => r.error?.code),
    ['unprocessable', 'unprocessable', 'unprocessable']
  )
  const chain = await call('POST', '/v1/teams/batch', rows([[a, b], [b, c]])) // prettier-ignore
  t.same(
    chain.body.results.map((r: { status: string }) => r.status),
    ['updated', 'updated']
  )
})

t.test('of two moves at once that close a circle one is made', async t => {
  for (let i = 0; i < 8; i++) {
    const [a, b] = [await newTeam(), await newTeam()]
    const answers = await times(2, n => (n === 0 ? move(a, b) : move(b, a)))
    t.same(answers.map(r => r.status).sort(), [200, 422])
  }
})

t.test('only an admin writes teams and roles, everybody reads them', async t => {
  const manager = as(tokenOf(await newUser('manager')))
  const id = await newTeam()
  const calls: [string, string, object?][] = [
    ['POST', '/v1/teams', { name: 'mine' }],
    ['PATCH', `/v1/teams/${id}`, { name: 'mine' }],
    ['DELETE', `/v1/teams/${id}`],
    ['POST', '/v1/roles', { key: 'mine', name: 'mine', scopes: ['admin'], rowScope: 'all' }],
    ['POST', `/v1/users/${id}/reassign`, { to: [id] }]
  ]
  for (const [method, path, body] of calls) {
    isProblem(t, await call(method, path, body, manager), { status: 403, code: 'forbidden' }, path)
  }
  t.equal((await call('GET', '/v1/teams', undefined, manager)).status, 200)
  t.equal((await call('GET', '/v1/roles', undefined, manager)).status, 200)
})

t.test('the people of a team', async t => {
  const id = await newTeam()
  const user = await newUser('rep', { teamId: id, region: 'Sindh' })
  const { body } = await graphql(
    `{ team(id: "${id}") { members { totalCount nodes { id region team { id } } } } }`
  )
  t.same(body.data.team.members, {
    totalCount: 1,
    nodes: [{ id: user.id, region: 'Sindh', team: { id } }]
  })
  t.equal((await call('GET', `/v1/users?teamId=${id}&region=Sindh&count=true`)).body.page.totalCount, 1)
})
