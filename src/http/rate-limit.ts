import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { KithError } from '../kernel/errors.js'

/**
 * Counts a request for whom it comes from and answers the headers that say how many are left; throws a 429 when it is
 * one too many.
 */
export type Count = (request: FastifyRequest) => Promise<Record<string, string>>

const windowSeconds = 60
const countersAtMost = 10_000
const signInsPerWindow = 10

const addressOf = (request: FastifyRequest) => normalizeIP(request.ip)

// https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
function counter(
  app: FastifyInstance,
  name: string,
  max: number,
  keyGenerator: (request: FastifyRequest) => string
): Count {
  const check = app.createRateLimit({ max, timeWindow: windowSeconds * 1000, keyGenerator })
  const policy = `"${name}";q=${max};w=${windowSeconds}`
  return async request => {
    const counted = await check(request)
    // Nobody is on an allow list.
    if (counted.isAllowed) return {}
    const { remaining, ttlInSeconds, isExceeded } = counted
    const headers = {
      'ratelimit-policy': policy,
      ratelimit: `"${name}";r=${remaining};t=${ttlInSeconds}`
    }
    if (!isExceeded) return headers
    throw new KithError(
      'rate_limited',
      `At most ${max} in ${windowSeconds} seconds; try again in ${ttlInSeconds}.`,
      { headers: { ...headers, 'retry-after': String(ttlInSeconds) } }
    )
  }
}

// Guessing a password is limited more than asking is, whoever the guesser says to be.
function limitSignIns(app: FastifyInstance): void {
  const count = counter(app, 'sign-in', signInsPerWindow, request => {
    const { email } = (request.body ?? {}) as { email?: unknown }
    return `${addressOf(request)} ${typeof email === 'string' ? email.trim().toLowerCase().slice(0, 320) : ''}`
  })
  app.addHook('onRoute', route => {
    if (route.config?.operation?.name !== 'auth.token') return
    route.preHandler = async (request, reply) => {
      for (const [name, value] of Object.entries(await count(request)))
        void reply.header(name, `${reply.getHeader(name) as string}, ${value}`)
    }
  })
}

/** Makes the limits of a process; they hold for routes registered later. Without a limit nothing is counted. */
export async function rateLimits(app: FastifyInstance, perMinute: number): Promise<Count> {
  if (perMinute === 0) return async () => ({})
  await app.register(rateLimit, { global: false, cache: countersAtMost })
  limitSignIns(app)
  return counter(app, 'default', perMinute, request => request.principal?.actor.id ?? addressOf(request))
}
