import sql from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { KithError, notFound } from '../../kernel/errors.js'
import { payloadVersion } from '../../kernel/event-types.js'
import { sequenceWithin } from '../../kernel/events.js'
import { operation, record, value, type Operation } from '../../kernel/operation.js'
import { findRecord, type RecordRow } from '../../kernel/read.js'
import { About, Closed, Integer, Text, Type } from '../../kernel/schema.js'
import { byId } from '../../kernel/standard-schemas.js'
import { standardOperations } from '../../kernel/standard.js'
import { newId } from '../../kernel/write.js'
import { changeOne, createOne, type Writer } from '../../kernel/writer.js'
import { deliveryOf, deliveryReads, deliverySchema } from './deliveries.js'
import { resendOperations } from './resend.js'
import { webhooks } from './resource.js'
import { newSecret } from './secrets.js'
import { fresh, guard, tryAtOnce, webhookWriter, type CheckUrl } from './writer.js'

const permission = webhooks.permissions.write
const verbs = ['list', 'get', 'search', 'aggregate', 'update', 'delete', 'restore', 'changes']

const shown = value(
  Closed({
    webhook: Type.Unsafe<Record<string, unknown>>({ ...webhooks.model, 'x-resource': webhooks.name }),
    secret: Text(100, { description: 'What requests are signed with. It is shown this once.' })
  })
)

const createWebhook = (writer: Writer) =>
  operation({
    name: 'webhooks.create',
    kind: 'write',
    permission,
    summary: 'Create a webhook',
    description: 'It gets what is changed from now on. The signing secret is answered once and never again.',
    rest: 'POST /webhooks',
    graphql: 'createWebhook',
    body: webhooks.createBody,
    result: shown,
    status: 201,
    secret: true,
    atomic: true,
    async run(ctx, { body }) {
      // What was committed before this endpoint lies behind its place in the feed.
      await sequenceWithin(ctx.db, ctx.workspaceId)
      const secret = newSecret()
      const { type, id } = ctx.actor
      const made = { ...body, secret, credentialType: type, credentialId: id, scopes: [...ctx.scopes].sort() }
      return { webhook: (await createOne(ctx, webhooks, writer, made))!, secret }
    }
  })

const rotateSecret = (writer: Writer) =>
  operation({
    name: 'webhooks.rotate',
    kind: 'write',
    permission,
    summary: "Replace a webhook's signing secret",
    description:
      'Requests are signed with both secrets for `graceSeconds` more; without it with the new one alone.',
    rest: 'POST /webhooks/:id/rotate',
    graphql: 'rotateWebhookSecret',
    params: byId,
    body: Closed({
      graceSeconds: Type.Optional(
        About('How long the old secret signs too; 0 unless said.', Integer(0, 604800))
      )
    }),
    result: shown,
    secret: true,
    atomic: true,
    async run(ctx, { id, body, expectedVersion }) {
      const [old] = await ctx.db.query<{ secret: string; until: string }>(sql`
        select secret, clock_timestamp() + ${body.graceSeconds ?? 0} * interval '1 second' as until
        from webhooks where workspace_id = ${ctx.workspaceId} and id = ${id} and deleted_at is null
        for no key update`)
      if (!old) throw notFound('webhook')
      const secret = newSecret()
      const patch = { secret, previousSecret: old.secret, previousSecretExpiresAt: old.until }
      const eventType = 'webhook.secret_rotated'
      const { record: webhook } = await changeOne(ctx, webhooks, writer, {
        id,
        patch,
        expectedVersion,
        eventType
      })
      return { webhook, secret }
    }
  })

async function live(ctx: Context, id: string): Promise<RecordRow> {
  const webhook = await findRecord(ctx, webhooks, id)
  if (!webhook) throw notFound('webhook')
  if (webhook.status === 'disabled')
    throw new KithError('unprocessable', 'The webhook is disabled: enable it.')
  return webhook
}

const resumeWebhook = (writer: Writer) =>
  operation({
    name: 'webhooks.resume',
    kind: 'write',
    permission,
    summary: 'Have a parked or failing webhook go on at once',
    description: 'It goes on where it stopped, in order, and more at once as requests succeed.',
    rest: 'POST /webhooks/:id/resume',
    graphql: 'resumeWebhook',
    params: byId,
    result: record(webhooks),
    atomic: true,
    async run(ctx, { id, expectedVersion }) {
      await live(ctx, id)
      const row = { id, patch: fresh, expectedVersion, eventType: 'webhook.resumed' }
      const change = await changeOne(ctx, webhooks, writer, row)
      await tryAtOnce(ctx, [id])
      return change
    }
  })

const testWebhook = operation({
  name: 'webhooks.test',
  kind: 'write',
  permission,
  summary: 'Send a test event to a webhook',
  description: 'An event of type `webhook.test` that only this webhook gets, whatever its types and filter.',
  rest: 'POST /webhooks/:id/test',
  graphql: 'testWebhook',
  params: byId,
  result: value(deliverySchema),
  status: 202,
  atomic: true,
  async run(ctx, { id, expectedVersion }) {
    await guard(ctx, id, expectedVersion)
    const webhook = await live(ctx, id)
    if (webhook.status === 'parked') throw new KithError('unprocessable', 'The webhook is parked: resume it.')
    const eventId = newId()
    const now = new Date().toISOString()
    const body = {
      id: eventId,
      sequence: null,
      type: 'webhook.test',
      payloadVersion,
      resource: webhooks.name,
      recordId: webhook.id,
      occurredAt: now,
      recordedAt: now,
      actor: ctx.actor,
      requestId: ctx.requestId,
      idempotencyKey: ctx.idempotencyKey,
      data: webhook,
      previous: null,
      changedFields: []
    }
    await ctx.db.query(sql`
      with state as (
        update webhook_states set due_at = now(), hold_until = null
        where workspace_id = ${ctx.workspaceId} and webhook_id = ${id}
      )
      insert into webhook_deliveries (workspace_id, webhook_id, event_id, sequence, type, resource, record_id,
        occurred_at, created_at, body)
      values (${ctx.workspaceId}, ${id}, ${eventId}, 0, ${body.type}, ${webhooks.name}, ${eventId}, ${now}, ${now},
        ${JSON.stringify(body)})`)
    return deliveryOf(ctx, id, eventId)
  }
})

/** Endpoints, their log, and what can be done about it. `checkUrl` says which addresses may be sent to. */
export function webhookOperations(checkUrl: CheckUrl): Operation[] {
  const writer = webhookWriter(checkUrl)
  return [
    ...standardOperations(webhooks, writer).filter(o => verbs.includes(o.name.split('.')[1]!)),
    createWebhook(writer),
    rotateSecret(writer),
    testWebhook,
    resumeWebhook(writer),
    ...deliveryReads,
    ...resendOperations
  ]
}
