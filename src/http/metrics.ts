import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** How many database connections there are, how many of them nobody uses, and how many requests wait for one. */
export interface Connections {
  total: number
  idle: number
  waiting: number
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]

/** /metrics: this process for Prometheus. Names routes and counts, nothing of any workspace. */
export function processMetrics(app: FastifyInstance, connections: () => Connections): void {
  const register = new Registry()
  const registers = [register]
  collectDefaultMetrics({ register })
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'How long requests took, by route, method and status.',
    labelNames: ['route', 'method', 'status'],
    buckets,
    registers
  })
  new Gauge({
    name: 'database_connections',
    help: 'Connections to the database by state, and requests waiting for one.',
    labelNames: ['state'],
    registers,
    collect() {
      const { total, idle, waiting } = connections()
      this.set({ state: 'idle' }, idle)
      this.set({ state: 'used' }, total - idle)
      this.set({ state: 'waiting' }, waiting)
    }
  })
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none'
    durations.observe({ route, method: request.method, status: reply.statusCode }, reply.elapsedTime / 1000)
    done()
  })
  app.get('/metrics', { config: { unlimited: true } }, async (_request, reply) =>
    reply.header('content-type', register.contentType).send(await register.metrics())
  )
}
