import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { WebSocket } from 'ws'
import { begin, type Portion } from '../src/kernel/operation.js'
import { createRecords, newId } from '../src/kernel/write.js'
import { sequenceEvents } from '../src/kernel/events.js'
import { watchEvents } from '../src/jobs/watch.js'
import { contacts } from '../src/resources/contacts/resource.js'
import { eventOperations } from '../src/resources/events/operations.js'
import { systemContext } from '../src/resources/identity/create.js'
import { testApp } from './helpers/app.js'
import { eventually, listening } from './helpers/http.js'

const app = await testApp(t)
await listening(app)
const { port } = app.app.server.address() as AddressInfo
const authorization = `Bearer ${app.key}`

const sockets = new Set<Socket>()
app.app.server.on('connection', socket => void sockets.add(socket))

// More than the network between two programs of one machine holds.
const count = 1500
const bytesEach = 15_000
const ids = Array.from({ length: count }, () => newId())

/** What the process itself holds of answers that nobody reads, at most while it is watched. */
async function heldWhile(ms: number): Promise<number> {
  let most = 0
  for (const until = Date.now() + ms; Date.now() < until; await sleep(5)) {
    most = Math.max(most, ...[...sockets].map(s => s.writableLength))
  }
  return most
}

async function subscribe(): Promise<{ socket: WebSocket; told: string[] }> {
  const url = `ws://127.0.0.1:${port}/graphql`
  const socket = new WebSocket(url, 'graphql-transport-ws', { headers: { authorization } })
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  socket.send('{"type":"connection_init"}')
  await once(socket, 'message')
  const query = 'subscription { events(after: "0", types: "contact.*") { recordId data } }'
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
  socket.pause()
  const told: string[] = []
  socket.on('message', data => {
    const { payload } = JSON.parse((data as Buffer).toString()) as {
      payload: { data: { events: { recordId: string } } }
    }
    told.push(payload.data.events.recordId)
  })
  return { socket, told }
}

async function stream(): Promise<{ response: IncomingMessage; told: string[] }> {
  const path = '/v1/events/stream?after=0&types=contact.*'
  const [response] = (await once(get({ port, path, headers: { authorization } }), 'response')) as [
    IncomingMessage
  ]
  t.teardown(() => void response.destroy())
  const told: string[] = []
  let rest = ''
  const read = (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop()!
    for (const line of lines.filter(l => l.startsWith('data: '))) {
      told.push((JSON.parse(line.slice(6)) as { recordId: string }).recordId)
    }
  }
  response.pause().on('data', read)
  return { response, told }
}

t.test('who reads slowly is waited for, and gets all of it', async t => {
  for (let at = 0; at < count; at += 500) {
    const rows = ids.slice(at, at + 500).map(id => ({
      id,
      values: { firstName: 'Large', customFields: { text: 'x'.repeat(bytesEach) } }
    }))
    await createRecords(systemContext(app.database, app.workspaceId), contacts, rows)
  }
  const { socket, told } = await subscribe()
  const { response, told: streamed } = await stream()
  const held = await heldWhile(1500)
  t.ok(held < (count * bytesEach) / 5, `${held} bytes of ${count * bytesEach} are held`)
  t.ok(told.length < count && streamed.length < count, 'nothing was read meanwhile')
  socket.resume()
  response.resume()
  await eventually('all of it', () => (told.length >= count && streamed.length >= count) || undefined)
  t.same(told, ids, 'in order, by subscription')
  t.same(streamed, ids, 'and as server-sent events')
})

t.test('what is held for a reader is bounded by bytes', async t => {
  const { database, workspaceId } = app
  const watch = watchEvents({
    database,
    listen: (channel, onMessage) => database.listen(channel, onMessage)
  })
  t.teardown(() => watch.close())
  const operations = eventOperations(id => sequenceEvents(database, id), watch)
  const stream = operations.find(o => o.name === 'events.stream')!
  const portions = (await begin(systemContext(database, workspaceId), stream, {
    query: { after: '0', types: 'contact.*' }
  })) as AsyncIterable<Portion<{ recordId: string }>>
  const sizes: number[] = []
  const told: string[] = []
  for await (const { data } of portions) {
    told.push(...data.map(e => e.recordId))
    sizes.push(JSON.stringify(data).length)
    if (told.length >= 50) break
  }
  t.same(told, ids.slice(0, told.length))
  t.ok(Math.max(...sizes) < 200_000, `portions of ${sizes.join(', ')} bytes`)
})
