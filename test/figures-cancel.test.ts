import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { sender } from './helpers/http.js'
import { journeys, longModel } from './helpers/long-model.js'

const app = await testApp(t)
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })
const send = sender(origin, app.key)

const path = '/v1/metrics/attribution'

const short = { models: ['linear'], data: { journeys: journeys.slice(0, 2) } }

function asking(body: object): Socket {
  const text = JSON.stringify(body)
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: kith\r\nauthorization: Bearer ${app.key}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  )
  return socket
}

// There are two threads for models: with one of them held, whoever asks for a short one hears of it only once the other
// is free.
const waitingMs = 1500

const hold = () => asking({ ...longModel, seed: 9 })

/** Asks for a short model; whether it was answered soon shows if both threads are busy. */
async function asked() {
  const answer = send('POST', path, short)
  const free = await Promise.race([answer.then(() => true), sleep(waitingMs, false)])
  return { answer, free }
}

t.test('closing the connection ends its model', async t => {
  t.equal((await send('POST', path, short)).status, 200)
  const holding = hold()
  await sleep(500)
  t.equal((await send('POST', path, short)).status, 200, 'one long model leaves a thread for others')
  const socket = asking(longModel)
  await sleep(500)
  const behind = await asked()
  t.equal(behind.free, false, 'both threads are busy')
  socket.destroy()
  t.equal((await behind.answer).status, 200, 'who waited for it has his turn')
  holding.destroy()
  await sleep(500)
  const before = process.cpuUsage()
  await sleep(1000)
  const { user } = process.cpuUsage(before)
  t.ok(user < 500_000, 'nobody works on')
})

t.test('a model that waits for a thread is forgotten too', async t => {
  const holding = hold()
  const running = asking(longModel)
  await sleep(500)
  const waiting = asking({ ...longModel, seed: 2 })
  await sleep(300)
  waiting.destroy()
  running.destroy()
  t.equal((await send('POST', path, short)).status, 200)
  holding.destroy()
})

t.test('a model that several ask for ends with the last of them', async t => {
  const holding = hold()
  const [leaving, staying] = [asking(longModel), asking(longModel)]
  await sleep(500)
  leaving.destroy()
  const behind = await asked()
  t.equal(behind.free, false, 'it goes on for the other one')
  staying.destroy()
  t.equal((await behind.answer).status, 200)
  holding.destroy()
})

t.test('who stays gets the answer', async t => {
  const some = { ...longModel, bootstrap: 5, markovOrder: 1 }
  const [leaving, staying] = [asking(some), asking(some)]
  const answer = once(staying, 'data')
  leaving.destroy()
  t.match(String(await answer), /^HTTP\/1.1 200/)
  staying.destroy()
})
