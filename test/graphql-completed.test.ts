import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually } from './helpers/http.js'
import { admitted, ask, listen, locked } from './helpers/socket.js'

const complete = (id: string) => ({ type: 'complete', id })

t.test('a completed subscription says nothing to its successor of the same id', async t => {
  const { call, url, key } = await listen(t)
  const socket = await admitted(t, url, key)
  const events = (types: string) => ask('1', `subscription { events(types: "${types}") { type } }`)
  socket.send(events('contact.*'))
  await sleep(300)
  socket.send(complete('1'))
  socket.send(events('company.*'))
  await sleep(300)
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

t.test('to complete an operation makes room for another only once its work has ended', async t => {
  const { url, key, databaseUrl } = await listen(t)
  const socket = await admitted(t, url, key)
  const refused = async (id: string) => {
    socket.send(ask(id, '{ __typename }'))
    const { type } = await socket.next()
    if (type === 'next') await socket.next()
    return type === 'error'
  }
  const lock = await locked(databaseUrl)
  for (let i = 0; i < 50; i++) socket.send(ask(`${i}`, '{ contacts { totalCount } }'))
  await lock.waited()
  await sleep(500)
  for (let i = 0; i < 50; i++) socket.send(complete(`${i}`))
  await sleep(200)
  t.equal(await refused('more'), true, 'fifty are at work')
  await lock.release()
  await eventually('room', async () => (await refused('again')) === false || undefined)

  for (let i = 0; i < 50; i++) socket.send(ask(`${i}`, 'subscription { events { type } }'))
  await sleep(500)
  t.equal(await refused('more'), true, 'fifty subscriptions are, too')
  for (let i = 0; i < 50; i++) socket.send(complete(`${i}`))
  await eventually('room', async () => (await refused('again')) === false || undefined, 5)
})
