import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createClient, type ExecutionResult } from 'graphql-ws'
import { WebSocket } from 'ws'
import type { TestApp } from './helpers/app.js'
import { identity } from './helpers/identity.js'
import { admitted, ask, listen, locked, raw } from './helpers/socket.js'

function client(t: Test, { url, key }: Pick<TestApp, 'url' | 'key'>) {
  const made = createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    lazyCloseTimeout: 10_000,
    retryAttempts: 0
  })
  t.teardown(() => made.dispose())
  return async (query: string, variables?: Record<string, unknown>): Promise<ExecutionResult> => {
    const answers = made.iterate({ query, ...(variables && { variables }) })
    const { value } = await answers.next()
    return value as ExecutionResult
  }
}

t.test('queries and mutations, as over HTTP', async t => {
  const program = await listen(t)
  const send = client(t, program)
  const create =
    'mutation ($input: CreateContactInput!) { createContact(input: $input) { contact { id version } } }'
  const made = await send(create, { input: { firstName: 'Rumi' } })
  t.match(made, { data: { createContact: { contact: { version: 1 } } }, extensions: { cost: 11 } })
  const query = '{ contacts(first: 5) { nodes { firstName deals { nodes { id } } } totalCount } }'
  for (const turn of ['first', 'compiled', 'again'])
    t.same(await send(query), (await program.graphql(query)).body, turn)
  const { body } = await program.call('GET', '/v1/events')
  const ids = (body.data as { requestId: string }[]).map(event => event.requestId)
  t.match(ids.at(-1), /^[0-9a-f-]{36}$/)
})

t.test('what is refused, as over HTTP', async t => {
  const program = await listen(t)
  const socket = await admitted(t, program.url, program.key)
  const aliases = Array.from({ length: 101 }, (_, i) => `a${i}: __typename`).join(' ')
  const refused: [string, object?][] = [
    ['{ me { actorTpye } }'],
    ['{ me {'],
    ['query ($a: Int) { contacts(first: $a) { totalCount } }', { a: 'x' }],
    [`{ ${aliases} }`],
    ['{ contacts(first: 200) { nodes { deals(first: 200) { nodes { company { id } owner { id } } } } } }'],
    ['subscription { x }'],
    ['subscription A { x } query B { me { actorType } }'],
    ['{ ...A } fragment A on Query { ...A }'],
    [`{${'a{'.repeat(6000)}}`]
  ]
  for (const [query, variables] of refused) {
    socket.send(ask('1', query, variables))
    const message = await socket.next()
    const { errors } = (await program.graphql(query, variables)).body
    t.match(message, {
      id: '1',
      type: 'error',
      payload: [{ extensions: { code: /^[a-z_]+$/, status: 400 } }]
    })
    t.same(message.payload, errors, query.slice(0, 60))
  }
  socket.send(ask('2', 'mutation { createContact(input: { email: "a" }) { created } }'))
  t.match(await socket.next(), {
    type: 'next',
    payload: {
      data: null,
      errors: [{ extensions: { code: 'invalid_input', errors: [{ pointer: '/email' }] } }]
    }
  })
  t.match(await socket.next(), { id: '2', type: 'complete' })
  socket.send({ id: '3', type: 'subscribe', payload: { query: '' } })
  t.match(await socket.next(), {
    type: 'error',
    payload: [{ extensions: { errors: [{ pointer: '/query' }] } }]
  })
})

t.test('credentials', async t => {
  const program = await listen(t)
  const { url, key } = program
  const header = { authorization: `Bearer ${key}` }

  await t.test('in the upgrade', async t => {
    const socket = await raw(t, url, header)
    socket.send({ type: 'connection_init' })
    t.match(await socket.next(), { type: 'connection_ack' })
    await t.rejects(raw(t, url, { authorization: 'Bearer kith_a_b' }), /401/)
  })

  await t.test('wrong or missing', async t => {
    for (const payload of [
      undefined,
      {},
      { authorization: 5 },
      { authorization: 'Bearer kith_a_b' },
      { Authorization: '' }
    ]) {
      const socket = await raw(t, url)
      socket.send({ type: 'connection_init', payload })
      t.equal(await socket.closed, 4403)
    }
    const eager = await raw(t, url)
    eager.send(ask('1', '{ me { actorType } }'))
    t.equal(await eager.closed, 4401, 'asked before it was admitted')
    await t.rejects(raw(t, url, {}, 'graphql-ws'), /no subprotocol/)
  })

  await t.test('no other address takes sockets', async t => {
    const socket = await raw(t, url.replace('/graphql', '/v1/contacts'), header)
    socket.send({ type: 'connection_init' })
    t.equal(await socket.closed, 1005)
    await t.rejects(raw(t, url.replace('/graphql', '/v1/contacts')), /401/)
    await t.rejects(raw(t, url.replace('/graphql', '/none')), /404/)
  })

  await t.test('one that ends ends the socket', async t => {
    const { newUser, makeKey } = identity(program)
    const user = await newUser('rep')
    const token = program.app.jwt.sign({ workspace: program.workspaceId, sub: user.id }, { expiresIn: 2 })
    const [person, bot] = [await admitted(t, url, token), await makeKey()]
    const revoked = await admitted(t, url, bot.key)
    await program.call('POST', `/v1/api-keys/${bot.id}/revoke`)
    for (const socket of [person, revoked]) {
      socket.send(ask('1', '{ me { actorType } }'))
      t.match(await socket.next(), { type: 'next', payload: { data: { me: {} } } }, 'remembered for seconds')
    }
    await sleep(5100)
    for (const socket of [person, revoked]) {
      socket.send(ask('2', '{ me { actorType } }'))
      t.equal(await socket.closed, 4403)
    }
  })
})

t.test('bounds', async t => {
  const program = await listen(t, { RATE_LIMIT: '200' })
  const { url, key } = program

  await t.test('of a message', async t => {
    const socket = await admitted(t, url, key)
    socket.send(ask('1', `{ me { actorType } } # ${'x'.repeat(1024 * 1024)}`))
    t.equal(await socket.closed, 1009)
  })

  await t.test('of operations at once', async t => {
    const socket = await admitted(t, url, key)
    const lock = await locked(program.databaseUrl)
    for (let i = 0; i < 60; i++) socket.send(ask(`${i}`, '{ contacts { totalCount } }'))
    for (let i = 0; i < 10; i++)
      t.match(await socket.next(), { type: 'error', payload: [{ extensions: { code: 'rate_limited' } }] })
    await lock.release()
    const types = []
    while (types.length < 100) types.push((await socket.next()).type)
    t.equal(types.filter(type => type === 'next').length, 50)
    t.equal(types.filter(type => type === 'complete').length, 50)
  })

  await t.test('of operations a minute', async t => {
    const other = await program.newKey()
    const socket = await admitted(t, url, other)
    for (let i = 0; i < 201; i++) {
      socket.send(ask('1', '{ __typename }'))
      const { type, payload } = await socket.next()
      if (i < 200) await socket.next()
      else
        t.match(
          { type, payload },
          { type: 'error', payload: [{ extensions: { code: 'rate_limited', status: 429 } }] }
        )
    }
    const { status } = await program.call('GET', '/v1/me', undefined, { authorization: `Bearer ${other}` })
    t.equal(status, 429, 'the same limit as over HTTP')
  })

  await t.test('of sockets', async t => {
    const { url, newKey } = await listen(t)
    const token = await newKey()
    await Promise.all(Array.from({ length: 100 }, () => admitted(t, url, token)))
    const socket = await raw(t, url)
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })
    t.equal(await socket.closed, 1013)
  })
})

t.test('a server that stops finishes what runs and closes its sockets', async t => {
  const { app, url, key, databaseUrl } = await listen(t)
  const lock = await locked(databaseUrl)
  const [idle, busy, silent] = [await admitted(t, url, key), await admitted(t, url, key), await raw(t, url)]
  busy.send(ask('1', 'mutation { createContact(input: { firstName: "last" }) { created } }'))
  await lock.waited()
  const closed = app.close()
  await lock.release()
  await closed
  t.match(
    [await busy.next(), await busy.next()],
    [{ type: 'next', payload: { data: {} } }, { type: 'complete' }]
  )
  t.same(await Promise.all([idle.closed, busy.closed, silent.closed]), [1001, 1001, 1001])
})

t.test('an offer of HTTP/2 is not taken, the request is', async t => {
  const { origin, key, call } = await listen(t)
  const body = JSON.stringify({ firstName: 'h2c', needs: 'x'.repeat(15_000) })
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  socket.write(
    `POST /v1/contacts HTTP/1.1\r\nHost: kith\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n` +
      `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body.slice(0, 5000)}`
  )
  await sleep(50)
  socket.write(body.slice(5000))
  socket.write(
    `GET /v1/contacts HTTP/1.1\r\nHost: kith\r\nAuthorization: Bearer ${key}\r\nConnection: close\r\n\r\n`
  )
  const answers = await text(socket)
  t.match(answers, /^HTTP\/1.1 201 Created/)
  t.match(answers, /\}HTTP\/1.1 200 OK/, 'and the connection goes on')
  t.equal((await call('GET', '/v1/contacts?firstName=h2c&count=true')).body.page.totalCount, 1)
})
