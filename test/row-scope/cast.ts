import { allResources } from '../../src/kernel/resource.js'
import { as, identity, type Person } from '../helpers/identity.js'
import type { TestApp } from '../helpers/app.js'

/** Somebody with a credential, as the model of these tests sees them. */
export interface Actor {
  name: string
  header: { authorization: string }
  userId: string | null
  rowScope: 'all' | 'team' | 'own'
  /** What the actor may do: everything, write, write but pipelines, or only read. */
  may: 'admin' | 'write' | 'sell' | 'read'
  /** Whether the scopes include those of webhooks, which no built-in role but admin gives. */
  webhooks: boolean
}

interface Team {
  id: string
  parent: Team | undefined
  managerId: string | null
  inBin: boolean
}

/** The people of the tests and how they belong together. */
export interface Cast {
  actors: Actor[]
  /** Who owns records: by name, null for nobody. */
  owners: Record<string, string | null>
  /** By user. */
  teams: Map<string, Team>
  /** Lets the leaver go: inactive, in the bin, or with a team that is in the bin. */
  partWays(): Promise<void>
}

const reads = () => [...allResources().map(r => r.permissions.read), 'events:read', 'metrics:read']
const writes = () =>
  allResources()
    .map(r => r.permissions.write)
    .filter(scope => scope !== 'admin')

async function ownRoles(app: TestApp): Promise<void> {
  const scopes = [...new Set([...reads(), ...writes()])]
  for (const rowScope of ['all', 'team', 'own']) {
    await post(app, '/v1/roles', { key: `sees_${rowScope}`, name: rowScope, scopes, rowScope })
  }
  await post(app, '/v1/roles', { key: 'own_admin', name: 'Owner', scopes: ['admin'], rowScope: 'own' })
}

async function post(app: TestApp, path: string, body: object): Promise<string> {
  const reply = await app.call('POST', path, body)
  if (reply.status !== 201) throw new Error(`${path}: ${reply.text}`)
  return reply.body.id as string
}

/** A tree of teams, people in it with every kind of role, and credentials of theirs. */
export async function newCast(app: TestApp): Promise<Cast> {
  const { newUser, tokenOf, makeKey } = identity(app)
  await ownRoles(app)
  const head = await newUser('manager')
  const byId = new Map<string, Team>()
  const newTeam = async (name: string, parent?: Team, managerId: string | null = null): Promise<Team> => {
    const id = await post(app, '/v1/teams', { name, parentId: parent?.id ?? null, managerId })
    const team = { id, parent, managerId, inBin: false }
    byId.set(id, team)
    return team
  }
  const north = await newTeam('North')
  const inner = await newTeam('Inner North', north, head.id)
  const deep = await newTeam('Deep North', inner)
  const south = await newTeam('South')
  const lost = await newTeam('Lost North', inner)

  const teams = new Map<string, Team>()
  const join = async (role: string, team?: Team): Promise<Person> => {
    const user = await newUser(role, { teamId: team?.id ?? null })
    if (team) teams.set(user.id, team)
    return user
  }
  const people = {
    admin: await join('admin', south),
    manager: await join('manager', north),
    rep: await join('rep', inner),
    rival: await join('rep', south),
    viewer: await join('viewer', deep),
    leaver: await join('rep', deep),
    gone: await join('rep', inner),
    stray: await join('rep', lost),
    all: await join('sees_all', south),
    team: await join('sees_team', inner),
    own: await join('sees_own', inner),
    ownAdmin: await join('own_admin', north)
  }
  const person = (name: string, user: Person, rowScope: Actor['rowScope'], may: Actor['may']): Actor => ({
    name,
    header: as(tokenOf(user)),
    userId: user.id,
    rowScope,
    may,
    webhooks: may === 'admin' || name.startsWith('an own role')
  })
  const bound = async (user: Person) => as((await makeKey({ scopes: ['admin'], userId: user.id })).key)
  const manager = person('a manager', people.manager, 'team', 'write')
  const rep = person('a rep', people.rep, 'own', 'sell')
  return {
    actors: [
      person('an admin', people.admin, 'all', 'admin'),
      manager,
      person("another team's head", head, 'team', 'write'),
      rep,
      person('a viewer', people.viewer, 'all', 'read'),
      person('an own role that sees all', people.all, 'all', 'write'),
      person('an own role that sees teams', people.team, 'team', 'write'),
      person('an own role that sees its own', people.own, 'own', 'write'),
      person('an own role of an admin with its own', people.ownAdmin, 'own', 'admin'),
      { ...manager, name: 'a key of a manager', header: await bound(people.manager) },
      { ...rep, name: 'a key of a rep', header: await bound(people.rep) },
      { name: 'a key', header: as(app.key), userId: null, rowScope: 'all', may: 'admin', webhooks: true }
    ],
    owners: {
      nobody: null,
      head: head.id,
      ...Object.fromEntries(Object.entries(people).map(([name, { id }]) => [name, id]))
    },
    teams,
    async partWays() {
      const replies = [
        await app.call('PATCH', `/v1/users/${people.leaver.id}`, { active: false }),
        await app.call('DELETE', `/v1/users/${people.gone.id}`),
        await app.call('DELETE', `/v1/teams/${lost.id}`)
      ]
      for (const { status, text } of replies) if (status >= 300) throw new Error(text)
      lost.inBin = true
    }
  }
}

// From a team upwards, as far as no team is in the bin.
function* chain(team: Team | undefined): Generator<Team> {
  for (let at = team; at && !at.inBin; at = at.parent) yield at
}

/** Whether an actor sees the records of an owner, worked out from the owner's team upwards. */
export function sees(cast: Cast, actor: Actor, ownerId: string | null): boolean {
  if (actor.rowScope === 'all') return true
  if (ownerId === null) return false
  if (ownerId === actor.userId) return true
  if (actor.rowScope === 'own') return false
  const own = cast.teams.get(actor.userId!)
  return [...chain(cast.teams.get(ownerId))].some(t => t === own || t.managerId === actor.userId)
}
