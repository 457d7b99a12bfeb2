import type { FastifyInstance } from 'fastify'
import { KithError } from '../kernel/errors.js'

export interface Health {
  /** Rejects unless the database answers and has this program's migrations. */
  ready(): Promise<void>
  /** Whether the process is about to stop: readiness fails first, so that no new connection comes when it closes. */
  draining(): boolean
}

const deadlineMs = 3000

// A network that swallows everything should not keep an orchestrator waiting for the driver to give up.
const deadline = () =>
  new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new KithError('unavailable')), deadlineMs).unref()
  })

/** /healthz: the process lives. /readyz: it can serve. */
export function healthRoutes(app: FastifyInstance, health: Health): void {
  app.get('/healthz', { config: { unlimited: true } }, (_request, reply) => reply.send({ status: 'ok' }))
  app.get('/readyz', { config: { unlimited: true } }, async (_request, reply) => {
    if (health.draining()) throw new KithError('unavailable', 'The process is stopping.')
    await Promise.race([health.ready(), deadline()])
    return reply.send({ status: 'ready' })
  })
}
