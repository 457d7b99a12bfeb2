import type { FastifyInstance } from 'fastify'
import { KithError } from '../kernel/errors.js'

export interface Health {
  /** Rejects unless the database answers and has this program's migrations. */
  ready(): Promise<void>
  /** Whether the process is about to stop: readiness fails first, so that no new connection comes when it closes. */
  draining(): boolean
}

/** /healthz: the process lives. /readyz: it can serve. */
export function healthRoutes(app: FastifyInstance, health: Health): void {
  app.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    if (health.draining()) throw new KithError('unavailable', 'The process is stopping.')
    await health.ready()
    return reply.send({ status: 'ready' })
  })
}
