import { pino } from 'pino'
import sql from 'sql-template-tag'
import type { Test } from 'tap'
import { readConfig } from '../../src/config.js'
import { startWebhooks } from '../../src/jobs/webhooks/worker.js'
import { jwtSecret, testApp, type Reply, type TestApp } from './app.js'
import { eventually } from './http.js'

export const allowed = { WEBHOOK_ALLOW_PRIVATE: 'true' }

export interface WebhookWorld extends TestApp {
  /** Makes an endpoint over REST and answers its record and secret. */
  made(body: object, headers?: Record<string, string>): Promise<{ id: string; secret: string; reply: Reply }>
  /** Makes a record over REST and answers its id. */
  created(plural: string, body: object, headers?: Record<string, string>): Promise<string>
  /** Whatever was committed before this is delivered when it answers, or never will be. */
  settled(): Promise<void>
  /** The endpoint once it looks like this. */
  shows(id: string, what: string, is: (webhook: Reply['body']) => unknown): Promise<Reply['body']>
}

/** The whole program with a worker that delivers, in this process. */
export async function webhookWorld(t: Test, env: Record<string, string> = {}): Promise<WebhookWorld> {
  const app = await testApp(t, { ...allowed, ...env })
  const config = readConfig({ DATABASE_URL: app.url, JWT_SECRET: jwtSecret, ...allowed, ...env })
  const stop = await startWebhooks({
    database: app.database,
    url: app.url,
    settings: config.webhooks,
    logger: pino({ level: 'error' }, process.stderr)
  })
  t.teardown(stop)
  return {
    ...app,
    async made(body, headers) {
      const reply = await app.call('POST', '/v1/webhooks', body, headers)
      if (reply.status !== 201) throw new Error(reply.text)
      return { id: reply.body.webhook.id as string, secret: reply.body.secret as string, reply }
    },
    async created(plural, body, headers) {
      const reply = await app.call('POST', `/v1/${plural}`, body, headers)
      if (reply.status !== 201) throw new Error(reply.text)
      return reply.body.id as string
    },
    async settled() {
      await app.call('GET', '/v1/events')
      const open = sql`
        select 1 from webhook_states s join webhooks w on w.workspace_id = s.workspace_id and w.id = s.webhook_id
        join event_heads h on h.workspace_id = s.workspace_id
        where w.enabled and w.deleted_at is null and (s.cursor < h.sequence or exists (
          select from webhook_deliveries d
          where d.workspace_id = s.workspace_id and d.webhook_id = s.webhook_id and d.status = 'pending'))`
      await eventually('all is delivered', async () => {
        const left = await app.database.query(open)
        return left.length === 0 || undefined
      })
    },
    shows: (id, what, is) =>
      eventually(what, async () => {
        const { body } = await app.call('GET', `/v1/webhooks/${id}`)
        return is(body) ? body : undefined
      })
  }
}
