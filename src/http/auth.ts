import { setTimeout as sleep } from 'node:timers/promises'
import fastifyJwt from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import { createVerifier, type DecodedJwt } from 'fast-jwt'
import buildGetJwks from 'get-jwks'
import type { Config } from '../config.js'
import type { Principal } from '../kernel/context.js'
import { KithError } from '../kernel/errors.js'

/** How credentials become principals; given by the program, so that this file knows no table. */
export interface Principals {
  ofKey(key: string): Promise<{ principal: Principal; expires: number } | undefined>
  ofUser(workspaceId: string, subject: string, by: 'id' | 'externalSubject'): Promise<Principal | undefined>
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
// A revocation takes effect everywhere within this time.
const rememberedMs = 5000
const rememberedAtMost = 10000

interface Claims {
  workspace?: unknown
  sub?: unknown
  exp?: unknown
}

const refused = () => new KithError('unauthenticated', 'The credential is not valid.')

type Verify = (token: string) => Claims | Promise<Claims>

interface Verifier {
  verify(token: string): Promise<{ claims: Claims; by: 'id' | 'externalSubject' }>
}

const requiredClaims = ['exp', 'sub', 'workspace']

const patienceMs = 5000

async function tooLong(): Promise<never> {
  await sleep(patienceMs, undefined, { ref: false })
  throw new Error(`The identity provider did not answer within ${patienceMs} ms`)
}

// A key that the provider does not have speaks against the token; a provider that is away speaks against nobody.
function keyNotFetched(cause: unknown): never {
  const { code } = cause as { code?: string }
  if (code === 'JWK_NOT_FOUND' || code === 'NO_JWKS') throw refused()
  throw new KithError('unavailable', 'The identity provider cannot be reached.', { cause })
}

function providerVerifier({ url, issuer, audience }: NonNullable<Config['jwks']>): Verify {
  const { origin, pathname, search } = new URL(url)
  const keys = buildGetJwks({ jwksPath: pathname + search })
  const keyOf = ({ header }: DecodedJwt) =>
    keys.getPublicKey({ kid: String(header.kid ?? ''), alg: String(header.alg), domain: origin })
  return createVerifier({
    key: (token: DecodedJwt) => Promise.race([keyOf(token), tooLong()]).catch(keyNotFetched),
    algorithms: ['RS256', 'ES256'],
    allowedIss: issuer,
    allowedAud: audience,
    // What is not there is not compared.
    requiredClaims: [...requiredClaims, 'iss', 'aud']
  }) as Verify
}

// Our own tokens and those of a provider have verifiers of their own, so that no key is tried with another's algorithm.
async function registerVerifiers(app: FastifyInstance, config: Config): Promise<Verifier> {
  if (config.jwtSecret !== undefined) {
    await app.register(fastifyJwt, {
      secret: config.jwtSecret,
      sign: { algorithm: 'HS256' },
      verify: { algorithms: ['HS256'], requiredClaims }
    })
  }
  const own: Verify | undefined =
    config.jwtSecret === undefined ? undefined : token => app.jwt.verify<Claims>(token)
  const provider = config.jwks && providerVerifier(config.jwks)
  return {
    async verify(token) {
      const header = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { alg?: string }
      const by = header.alg === 'HS256' ? 'id' : 'externalSubject'
      const verifier = by === 'id' ? own : provider
      if (!verifier) throw refused()
      return { claims: await verifier(token), by }
    }
  }
}

function bearer(header: string | undefined): string {
  if (header === undefined) throw new KithError('unauthenticated')
  const match = /^Bearer ([A-Za-z0-9._~+/=-]{1,8000})$/i.exec(header)
  if (!match) throw refused()
  return match[1]!
}

async function principalOfToken(verifier: Verifier, principals: Principals, token: string) {
  const { claims, by } = await verifier.verify(token).catch((error: { originalError?: unknown }) => {
    const cause = error.originalError ?? error
    throw cause instanceof KithError && cause.status >= 500 ? cause : refused()
  })
  const { workspace, sub } = claims
  if (typeof workspace !== 'string' || typeof sub !== 'string' || !uuid.test(workspace)) throw refused()
  if ((by === 'id' && !uuid.test(sub)) || sub.includes('\0')) throw refused()
  return { principal: await principals.ofUser(workspace, sub, by), expires: Number(claims.exp) * 1000 }
}

/** Answers who an `Authorization` header stands for, or throws a 401. What was verified is remembered for seconds. */
export async function authenticator(app: FastifyInstance, config: Config, principals: Principals) {
  const verifier = await registerVerifiers(app, config)
  const remembered = new Map<string, { principal: Principal; until: number }>()

  async function look(token: string): Promise<Principal> {
    const now = Date.now()
    const found = token.startsWith('kith_')
      ? await principals.ofKey(token)
      : await principalOfToken(verifier, principals, token)
    if (!found?.principal) throw refused()
    if (remembered.size >= rememberedAtMost) remembered.delete(remembered.keys().next().value!)
    const { principal } = found
    remembered.set(token, { principal, until: Math.min(now + rememberedMs, found.expires) })
    return principal
  }

  return (authorization: string | undefined): Principal | Promise<Principal> => {
    const token = bearer(authorization)
    const known = remembered.get(token)
    if (known && known.until > Date.now()) return known.principal
    remembered.delete(token)
    return look(token)
  }
}
