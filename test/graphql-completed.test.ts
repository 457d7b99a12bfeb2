import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually } from './helpers/http.js'
import { admitted, ask, listen, locked, type Raw } from './helpers/socket.js'

const complete = (id: string) => ({ type: 'complete', id })

t.test('a completed subscription says nothing to its successor of the same id', async t => {
  const { call, url, key } = await listen(t)
  const socket = await admitted(t, url, key)
  // Told from there on, however late it begins.
  const after = String((await call('GET', '/v1/events?limit=1000')).body.page.nextCursor)
  const events = (types: string) =>
    ask('1', `subscription { events(after: "${after}", types: "${types}") { type } }`)
  socket.send(events('contact.*'))
  await sleep(300)
  socket.send(complete('1'))
  socket.send(events('company.*'))
  await call('POST', '/v1/contacts', { firstName: 'For the first' })
  await call('POST', '/v1/companies', { name: 'For the second' })
  const told = { id: '1', type: 'next', payload: { data: { events: { type: 'company.created' } } } }
  t.match(await socket.next(), told)
  await call('POST', '/v1/companies', { name: 'And on' })
  t.match(await socket.next(), told, 'it was not ended either')
})

t.test('nor does a completed query', async t => {
  const { url, key, databaseUrl } = await listen(t)
  const socket = await admitted(t, url, key)
  const lock = await locked(databaseUrl)
  socket.send(ask('1', '{ contacts { totalCount } }'))
  await lock.waited()
  socket.send(complete('1'))
  socket.send(ask('1', '{ companies { totalCount } }'))
  t.match(await socket.next(), { id: '1', type: 'next', payload: { data: { companies: { totalCount: 0 } } } })
  t.match(await socket.next(), { id: '1', type: 'complete' })
  await lock.release()
  socket.send(ask('2', '{ __typename }'))
  t.match(await socket.next(), { id: '2', type: 'next' })
})

// Whether one more operation is refused; what others are told meanwhile is passed over.
function prober(socket: Raw): () => Promise<boolean> {
  let asked = 0
  return async () => {
    const id = `probe ${asked++}`
    socket.send(ask(id, '{ __typename }'))
    let told = await socket.next()
    while (told.id !== id) told = await socket.next()
    return told.type === 'error'
  }
}

t.test('to complete an operation makes room for another only once its work has ended', async t => {
  const { url, key, databaseUrl } = await listen(t)
  const socket = await admitted(t, url, key)
  const refused = prober(socket)
  const lock = await locked(databaseUrl)
  for (let i = 0; i < 50; i++) socket.send(ask(`${i}`, '{ contacts { totalCount } }'))
  await lock.waited()
  t.equal(await refused(), true, 'fifty are at work')
  for (let i = 0; i < 50; i++) socket.send(complete(`${i}`))
  t.equal(await refused(), true, 'they still are')
  await lock.release()
  await eventually('room', async () => !(await refused()) || undefined)
})

t.test('subscriptions are counted until they are completed', async t => {
  const { url, key } = await listen(t)
  const socket = await admitted(t, url, key)
  const refused = prober(socket)
  for (let i = 0; i < 50; i++) socket.send(ask(`${i}`, 'subscription { events { type } }'))
  t.equal(await refused(), true)
  for (let i = 0; i < 50; i++) socket.send(complete(`${i}`))
  await eventually('room', async () => !(await refused()) || undefined, 5)
})
