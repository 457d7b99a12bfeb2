import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { Statements } from './conformance/statements.js'
import { testApp } from './helpers/app.js'
import { execute } from './helpers/database.js'
import { makeDeal, makePipeline } from './helpers/funnel.js'
import { eventually, sender, times } from './helpers/http.js'
import { longModel } from './helpers/long-model.js'

const app = await testApp(t, { FIGURES_POOL: '2', FIGURES_TIMEOUT: '3000' })
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })
const send = sender(origin, app.key)
const pipeline = await makePipeline(app.call, ['a', 'won:won'])
await makeDeal(app.call, pipeline, [['a', '2025-01-01T00:00:00Z']])

/** Keeps every reader of deals waiting until it is let go. */
async function held(): Promise<{ free(): Promise<void> }> {
  const client = new pg.Client(app.url)
  await client.connect()
  await client.query('begin; lock table deals in access exclusive mode')
  return {
    async free() {
      await client.query('rollback')
      await client.end()
    }
  }
}

const waiting = async () => {
  const { rows } = await execute(
    app.url,
    `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  )
  return rows[0]!.n as number
}
const until = (n: number) =>
  eventually(`${n} statements wait`, async () => (await waiting()) === n || undefined)

function asking(path: string) {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  socket.write(`GET ${path} HTTP/1.1\r\nhost: kith\r\nauthorization: Bearer ${app.key}\r\n\r\n`)
  return socket
}

t.test('closing the connection ends the statement', async t => {
  const lock = await held()
  const socket = asking('/v1/metrics/funnel')
  await until(1)
  socket.destroy()
  await until(0)
  await lock.free()
  t.equal((await send('GET', '/v1/metrics/funnel')).status, 200, 'its connection is of use again')
})

t.test('a model that takes too long is given up', async t => {
  const { status, body } = await send('POST', '/v1/metrics/attribution', longModel)
  t.match({ status, body }, { status: 503, body: { code: 'timeout' } })
})

t.test('who waits for the same figure keeps it running', async t => {
  const lock = await held()
  const leaving = asking('/v1/metrics/funnel')
  await until(1)
  const staying = asking('/v1/metrics/funnel')
  const other = asking('/v1/metrics/funnel?interval=month')
  await until(2)
  leaving.destroy()
  other.destroy()
  await until(1)
  const answer = once(staying, 'data')
  await lock.free()
  t.match(String(await answer), /^HTTP\/1.1 200/)
  staying.destroy()
})

t.test('the same figure at the same time is computed once', async t => {
  const statements = new Statements(app)
  const lock = await held()
  const one = await statements.count(async () => {
    const asked = send('GET', '/v1/metrics/funnel?groupBy=status')
    await until(1)
    await lock.free()
    await asked
  })
  const again = await held()
  const many = await statements.count(async () => {
    const asked = times(5, () => send('GET', '/v1/metrics/funnel?groupBy=stageId'))
    await until(1)
    await sleep(300)
    t.equal(await waiting(), 1)
    await again.free()
    const answers = await asked
    t.equal(new Set(answers.map(a => a.text)).size, 1)
    t.equal(answers[0]!.status, 200)
  })
  // Each asks for the state of the workspace; a group by stage has its names besides.
  t.equal(many, one + 4 + 1)
})

t.test('a change is in every answer that is asked for after it', async t => {
  const lock = await held()
  const before = send('GET', '/v1/metrics/funnel?cohort=created')
  await until(1)
  await lock.free()
  const answers = await times(8, async () => {
    await makeDeal(app.call, pipeline, [['a', '2025-01-02T00:00:00Z']])
    const { body } = await send('GET', '/v1/metrics/funnel?cohort=created')
    return body.value.deals as number
  })
  t.equal((await before).status, 200)
  t.equal(Math.max(...answers), 9)
  t.ok(answers.every(n => n >= 2))
})

t.test('a figure that takes too long is given up, and the others go on', async t => {
  const lock = await held()
  const slow = send('GET', '/v1/metrics/funnel?interval=day&from=2025-01-01')
  await until(1)
  t.equal((await send('GET', '/v1/companies')).status, 200)
  const { status, body } = await slow
  t.match({ status, code: body.code }, { status: 503, code: 'timeout' })
  await lock.free()
})
