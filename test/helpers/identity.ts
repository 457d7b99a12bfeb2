import type { Reply, TestApp } from './app.js'

/** A user as tests need one. */
export interface Person {
  id: string
  email: string
}

export const password = 'correct horse battery'

/** The header of a credential. */
export const as = (token: string) => ({ authorization: `Bearer ${token}` })

/** People and credentials of a test's workspace; each call throws where it does not succeed. */
export function identity({ app, call, workspaceId }: TestApp) {
  let people = 0

  async function made(path: string, body: object): Promise<Reply> {
    const reply = await call('POST', path, body)
    if (reply.status !== 201) throw new Error(reply.text)
    return reply
  }

  /** Makes a user; with a password if asked, because that takes a tenth of a second. */
  async function newUser(role: string, extra: object = {}): Promise<Person> {
    const email = `person${++people}@example.com`
    return (await made('/v1/users', { email, name: 'Amina', role, ...extra })).body as Person
  }

  async function makeKey(body: object = {}): Promise<{ id: string; key: string; reply: Reply }> {
    const reply = await made('/v1/api-keys', { name: 'a key', scopes: ['contacts:read'], ...body })
    return { id: reply.body.apiKey.id as string, key: reply.body.key as string, reply }
  }

  const signIn = (email: string, secret = password, workspace = workspaceId) =>
    app.inject({ method: 'POST', url: '/v1/auth/token', payload: { workspace, email, password: secret } })

  /** A token of a user, signed as signing in does, without its price. */
  const tokenOf = (user: Person, claims: object = {}): string =>
    app.jwt.sign({ workspace: workspaceId, sub: user.id, ...claims }, { expiresIn: 3600 })

  const me = (token: string) => call('GET', '/v1/me', undefined, as(token))

  return { newUser, makeKey, signIn, tokenOf, me }
}
