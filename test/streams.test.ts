import { setTimeout as sleep } from 'node:timers/promises'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import sql from 'sql-template-tag'
import t from 'tap'
import { neededFrom } from '../src/jobs/webhooks/needed.js'
import { forgetOldEvents } from '../src/kernel/events.js'
import { testApp } from './helpers/app.js'
import { eventually, feed, listening, sender, times } from './helpers/http.js'

interface Frame {
  id: string
  event: string
  data: Record<string, unknown>
}

const app = await testApp(t)
const send = await listening(app)
const origin = `http://127.0.0.1:${(app.app.server.address() as { port: number }).port}`

const made = async (name: string) => String((await send('POST', '/v1/contacts', { firstName: name })).body.id)
const head = async () => String((await send('GET', '/v1/events?limit=1000')).body.page.nextCursor)

/** Reads server-sent events until it has seen so many of them, or the stream ends. */
async function streamed(
  path: string,
  count: number,
  headers: Record<string, string> = {},
  frames: Frame[] = []
): Promise<Frame[]> {
  const gone = new AbortController()
  const answer = await fetch(origin + path, {
    headers: { authorization: `Bearer ${app.key}`, ...headers },
    signal: AbortSignal.any([gone.signal, AbortSignal.timeout(20_000)])
  })
  if (!answer.ok) throw new Error(await answer.text())
  let text = ''
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const parts = text.split('\n\n')
    text = parts.pop()!
    for (const part of parts) {
      const lines = new Map(part.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])) // prettier-ignore
      if (!lines.has('data')) continue
      const data = JSON.parse(lines.get('data')!) as Record<string, unknown>
      frames.push({ id: lines.get('id')!, event: lines.get('event')!, data })
    }
    if (frames.length >= count) break
  }
  gone.abort()
  return frames
}

t.test('a page that waits comes with the first event, from whichever process', async t => {
  const after = await head()
  const begun = Date.now()
  const waiting = send('GET', `/v1/events?after=${after}&wait=20&types=contact.*`)
  await sleep(300)
  const id = await made('awaited')
  const { status, body } = await waiting
  t.equal(status, 200)
  t.match(body.data, [{ type: 'contact.created', recordId: id, payloadVersion: '1' }])
  t.ok(Date.now() - begun < 5000, 'long before the time is over')
  const graph = app.graphql(`{ events(after: "${body.page.nextCursor}", wait: 20) { data { recordId } } }`)
  await sleep(300)
  const second = await made('awaited over GraphQL')
  t.same((await graph).body.data.events.data, [{ recordId: second }])

  const none = await send('GET', `/v1/events?after=${await head()}&wait=1&types=deal.*`)
  t.same(none.body.data, [], 'empty when the time is over')
  t.equal((await send('GET', '/v1/events?wait=61')).status, 400)
})

t.test('a connection that is kept for many waiting pages holds nothing of them', async t => {
  const warnings: string[] = []
  const told = (warning: Error) => void warnings.push(warning.name)
  process.on('warning', told)
  t.teardown(() => process.off('warning', told))
  for (let n = 0; n < 15; n++) {
    const waiting = send('GET', `/v1/events?after=${await head()}&wait=5&limit=1`)
    await made(`wakes reader ${n}`)
    t.equal((await waiting).status, 200)
  }
  t.same(warnings, [])
})

t.test('a stream goes on where its reader was', async t => {
  const after = await head()
  const ids = await times(3, n => made(`before ${n}`))
  const path = `/v1/events/stream?types=contact.*&after=${after}`
  const reading = streamed(path, 5)
  await sleep(300)
  const later = [await made('during'), await made('during too')]
  const frames = await reading
  t.same(new Set(frames.map(f => f.data.recordId)), new Set([...ids, ...later]))
  t.same(frames.map(f => f.event), Array(5).fill('contact.created')) // prettier-ignore
  t.same(
    frames.map(f => f.data),
    (await feed(send, '&types=contact.*', after)).slice(0, 5),
    'the events are those of the feed'
  )
  t.same(frames.map(f => f.id), frames.map(f => f.data.sequence)) // prettier-ignore
  const resumed = await streamed(path, 2, { 'last-event-id': frames[2]!.id })
  t.same(resumed, frames.slice(3), 'Last-Event-ID counts before the address')
})

t.test('a stream ends with its credential, and takes only good ones', async t => {
  const created = await send('POST', '/v1/api-keys', {
    name: 'reader',
    scopes: ['events:read', 'contacts:read']
  })
  const { key, apiKey } = created.body as { key: string; apiKey: { id: string } }
  const after = await head()
  const authorization = `Bearer ${key}`
  const frames: Frame[] = []
  const reading = streamed(`/v1/events/stream?after=${after}`, 100, { authorization }, frames)
  await made('seen')
  await eventually('the first', () => frames.length > 0 || undefined)
  await send('POST', `/v1/api-keys/${apiKey.id}/revoke`)
  await sleep(5200)
  await made('not seen')
  t.same((await reading).map(f => f.event), ['contact.created']) // prettier-ignore
  const stranger = sender(origin, await app.newKey(['contacts:read']))
  t.equal((await stranger('GET', '/v1/events/stream')).status, 403)
  t.equal((await send('GET', '/v1/events/stream?types=contract.*')).body.errors[0].code, 'unknown_type')
  t.equal((await send('GET', '/v1/events/stream?after=999999999')).status, 422)
})

t.test('what is wrong with Last-Event-ID is told by its name, and a stream has a HEAD', async t => {
  for (const [last, status] of [['abc', 400], ['999999999', 422]] as const) {
    const answer = await send('GET', '/v1/events/stream', undefined, { 'last-event-id': last })
    t.equal(answer.status, status)
    t.match(answer.body, { detail: /^Last-Event-ID /, errors: [{ in: 'header', parameter: 'Last-Event-ID' }] })
  } // prettier-ignore
  const after = await head()
  const id = await made('first')
  const [first] = await streamed(`/v1/events/stream?after=${after}`, 1, { 'last-event-id': '' })
  t.equal(first!.data.recordId, id, 'an empty header is none')
  const answered = await send('HEAD', '/v1/events/stream')
  t.match({ status: answered.status, text: answered.text }, { status: 200, text: '' })
  t.match(answered.headers.get('content-type'), /^text\/event-stream/)
  const refused = await app.app.inject({ method: 'HEAD', url: '/v1/events/stream' })
  t.match({ status: refused.statusCode, text: refused.body }, { status: 401, text: '' })
  t.equal((await send('DELETE', '/v1/events/stream')).headers.get('allow'), 'GET, HEAD')
})

t.test('a stream that finds nothing tells how far it has looked', async t => {
  await made('none of it')
  const position = await head()
  const gone = new AbortController()
  const answer = await fetch(`${origin}/v1/events/stream?types=product.*&after=0`, {
    headers: { authorization: `Bearer ${app.key}` },
    signal: gone.signal
  })
  let text = ''
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes('id:')) break
  }
  gone.abort()
  t.match(text, new RegExp(`^retry: 1000\\n\\n:\\nid: ${position}\\n\\n$`))
})

t.test('every type of event has a schema that its events fit', async t => {
  const { body } = await send('GET', '/v1/event-types')
  const types = body.data as { type: string; schema: object; description: string }[]
  for (const name of ['contact.created', 'deal.stage_changed', 'user.password_changed', 'lead.deleted'])
    t.ok(types.some(({ type }) => type === name), name) // prettier-ignore
  t.same(types.filter(({ description }) => !description.endsWith('.')), []) // prettier-ignore

  const id = await made('schema')
  await send('PATCH', `/v1/contacts/${id}`, { tags: ['a'], address: { city: 'Dhaka' } })
  await send('DELETE', `/v1/contacts/${id}`)
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  const validators = new Map(types.map(({ type, schema }) => [type, ajv.compile(schema)]))
  const events = await feed(send)
  t.ok(events.length > 10)
  for (const event of events) {
    const valid: ValidateFunction = validators.get(event.type as string)!
    t.ok(valid(event), ajv.errorsText(valid.errors))
  }
  const graph = await app.graphql('{ eventTypes { data { type } } }')
  t.same(graph.body.data.eventTypes.data.map((e: { type: string }) => e.type), types.map(e => e.type)) // prettier-ignore
})

t.test('old events are forgotten in portions, and a reader that fell behind is told', async t => {
  const age = (days: number, upTo: string) =>
    app.database.query(sql`
      update event_log set recorded_at = recorded_at - ${days} * interval '1 day'
      where workspace_id = ${app.workspaceId} and sequence <= ${upTo}::bigint`)
  const middle = await head()
  await made('kept')
  await age(91, middle)
  await forgetOldEvents(app.database, 90, neededFrom)
  const { body } = await send('GET', '/v1/events')
  t.equal(body.data[0].sequence, String(Number(middle) + 1), 'without a position it starts with what is kept')
  const behind = await send('GET', '/v1/events?after=0')
  t.equal(behind.status, 410)
  t.match(behind.body, { code: 'events_forgotten', startAfter: middle })
  t.equal((await send('GET', `/v1/events?after=${middle}`)).status, 200)
  t.equal((await send('GET', `/v1/events/stream?after=1`)).status, 410)
  const left = await app.database.query<{ n: number }>(
    sql`select count(*)::int as n from events where workspace_id = ${app.workspaceId}`
  )
  t.equal(left[0]!.n, Number(await head()) - Number(middle))
  await made('after')
  t.equal((await send('GET', '/v1/events')).body.data.length, left[0]!.n + 1, 'sequences go on')
})
