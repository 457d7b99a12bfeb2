import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { testApp, type Reply } from './helpers/app.js'
import { isProblem, tellsNothing, type Expected } from './helpers/problems.js'

const { app, call, key } = await testApp(t)
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = app.server.address() as AddressInfo

const path = '/v1/contacts'
const json = { 'content-type': 'application/json' }
const uuid = '01890000-0000-7000-8000-000000000000'

/** Sends bytes and reads the one answer until the server ends the connection. */
async function sendBytes(...parts: (string | Buffer)[]): Promise<Reply> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A server that has answered 413 may close while we still write.
  socket.on('error', () => undefined)
  for (const part of parts) socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
  await once(socket, 'close')
  const [head = '', text = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n', 2)
  const [status, ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(
    lines.map(l => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 2)])
  )
  const isJson = /json/.test(headers['content-type'] ?? '')
  const body = isJson && text !== '' ? (JSON.parse(text) as Reply['body']) : {}
  return { status: Number(status!.split(' ')[1]), headers, body, text }
}

const request = (method: string, target: string, headers = '', body = '') =>
  `${method} ${target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\nconnection: close\r\n${headers}\r\n${body}`

t.test('malformed percent escapes', async t => {
  for (const escape of ['%zz', '%', '%f', '%ff', '%c0%af', '%ed%a0%80', '%e0%a4', '%u0041']) {
    for (const target of [
      `${path}/${escape}`,
      `${path}?email=${escape}`,
      `${path}?${escape}=1`,
      `/${escape}`
    ]) {
      await t.test(target, async t => {
        const reply = await sendBytes(request('GET', target))
        isProblem(t, reply, { status: 400, code: 'bad_request' }, target.split('?')[0])
      })
    }
  }
})

t.test('addresses that are too long', async t => {
  const long = 'a'.repeat(600)
  isProblem(t, await sendBytes(request('GET', `${path}/${long}`)), { status: 414, code: 'uri_too_long' })
  isProblem(t, await sendBytes(request('GET', `${path}/external/a/${long}`)), { status: 414 })
  isProblem(t, await sendBytes(request('GET', `/${'a'.repeat(9000)}`)), { status: 404 })
  isProblem(t, await sendBytes(request('GET', `${path}?email=${'a'.repeat(9000)}`)), {
    status: 400,
    parameter: 'email'
  })
})

t.test('what the parser of HTTP refuses', async t => {
  const cases: [string, string, Expected['status'], string][] = [
    ['garbage', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400, 'bad_request'],
    ['words', 'hello, is this the CRM?\r\n\r\n', 400, 'bad_request'],
    ['a blank in the address', request('GET', `${path} ${path}`), 400, 'bad_request'],
    ['large headers', request('GET', path, `x-large: ${'a'.repeat(20_000)}\r\n`), 431, 'headers_too_large'],
    ['a large address', request('GET', `/${'a'.repeat(20_000)}`), 431, 'headers_too_large'],
    ['a header without colon', request('GET', path, 'nonsense\r\n'), 400, 'bad_request'],
    ['NUL in a header', request('GET', path, 'x-a: a\0b\r\n'), 400, 'bad_request'],
    [
      'two lengths',
      request('POST', path, 'content-length: 2\r\ncontent-length: 3\r\n', '{}'),
      400,
      'bad_request'
    ],
    ['a length of letters', request('POST', path, 'content-length: abc\r\n', '{}'), 400, 'bad_request'],
    [
      'length and chunks',
      request('POST', path, 'content-length: 4\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'),
      400,
      'bad_request'
    ]
  ]
  for (const [name, bytes, status, code] of cases) {
    await t.test(name, async t => {
      const reply = await sendBytes(bytes)
      t.equal(reply.status, status)
      t.match(reply.headers['content-type'], /^application\/problem\+json/)
      t.match(reply.body, { code, status, title: /./, detail: /./, requestId: /^[0-9a-f-]{36}$/ })
      t.equal(reply.headers['x-request-id'], reply.body.requestId)
      tellsNothing(t, reply.text)
    })
  }
  t.equal((await sendBytes('GET /healthz HTTP/1.1\r\n\r\n')).status, 400, 'no Host')
  t.equal((await sendBytes(request('GET', '/healthz'))).status, 200, 'the server still serves')
})

t.test('large bodies', async t => {
  const large = `{"firstName":"${'a'.repeat(10 * 1024 * 1024)}"}`
  const tooLarge = { status: 413, code: 'payload_too_large' }
  isProblem(t, await call('POST', path, large, json), tooLarge, path)
  isProblem(t, await call('POST', `${path}/batch`, large, json), tooLarge, `${path}/batch`)
  isProblem(t, await call('POST', '/graphql', large, json), tooLarge, '/graphql')
  const declared = request('POST', path, 'content-type: application/json\r\ncontent-length: 10485760\r\n')
  isProblem(t, await sendBytes(declared), tooLarge, path)
  const chunk = `${(1 << 20).toString(16)}\r\n${' '.repeat(1 << 20)}\r\n`
  const chunked = request('POST', path, 'content-type: application/json\r\ntransfer-encoding: chunked\r\n')
  isProblem(t, await sendBytes(chunked, chunk, chunk, '0\r\n\r\n'), tooLarge, path)
  const name = `{"${'a'.repeat(1_000_000)}":1}`
  isProblem(t, await call('POST', path, name, json), { status: 400, code: 'invalid_input' }, path)
})

t.test('bytes that are not UTF-8', async t => {
  const encoded = {
    'a lone byte': Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    'a surrogate': Buffer.from('{"firstName":"\u00ed\u00a0\u0080"}', 'latin1'),
    'an overlong slash': Buffer.from('{"firstName":"\u00c0\u00af"}', 'latin1'),
    'latin-1': Buffer.from('{"firstName":"Jörg"}', 'latin1'),
    'UTF-16': Buffer.from('{"firstName":"a"}', 'utf16le'),
    gzip: gzipSync('{"firstName":"a"}')
  }
  for (const [name, payload] of Object.entries(encoded)) {
    await t.test(name, async t =>
      isProblem(t, await call('POST', path, payload, json), { status: 400, code: 'invalid_json' }, path)
    )
  }
  t.equal(
    (await call('POST', path, Buffer.from('\ufeff{"firstName":"a"}'), json)).status,
    201,
    'a byte order mark'
  )
})

t.test('media types', async t => {
  const body = '{"firstNmae":"a"}'
  const refused = [
    'text/plain',
    'text/json',
    'text/plain; application/json',
    'application/xml',
    'application/jsonx',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/json;charset="iso-8859-1"',
    'application/json-patch+json',
    'x',
    '*/*'
  ]
  for (const type of refused) {
    await t.test(type, async t => {
      const reply = await call('POST', path, body, { 'content-type': type })
      isProblem(t, reply, { status: 415, code: 'unsupported_media_type' }, path)
    })
  }
  const known = [
    'application/json',
    'Application/JSON',
    'application/json; charset=UTF-8',
    'application/json;charset="utf-8"'
  ]
  for (const type of [...known, 'application/merge-patch+json']) {
    await t.test(`${type} is read`, async t => {
      const reply = await call('POST', path, body, { 'content-type': type })
      isProblem(t, reply, { status: 400, pointer: '/firstNmae' }, path)
    })
  }
  for (const type of [
    'application/json\t',
    ' application/json',
    'application/json ;',
    'application/json\u00a0',
    'application/json,x'
  ]) {
    const reply = await sendBytes(
      request('POST', path, `content-type: ${type}\r\ncontent-length: ${body.length}\r\n`, body)
    )
    t.ok([400, 415].includes(reply.status), `${JSON.stringify(type)} does not pass by validation`)
  }
  await t.test('none', async t => {
    const bare = await sendBytes(request('POST', path, `content-length: ${body.length}\r\n`, body))
    isProblem(t, bare, { status: 415, code: 'unsupported_media_type' }, path)
  })
  await t.test('compressed', async t => {
    const reply = await call('POST', path, gzipSync('{}'), { ...json, 'content-encoding': 'gzip' })
    isProblem(t, reply, { status: 415, code: 'unsupported_media_type' }, path)
  })
})

t.test('a body where none is taken', async t => {
  for (const [method, at] of [
    ['DELETE', `${path}/${uuid}`],
    ['POST', `${path}/${uuid}/restore`]
  ] as const) {
    isProblem(t, await call(method, at, { force: true }), { status: 400, code: 'invalid_input' }, at)
    isProblem(t, await call(method, at, {}), { status: 404 }, at)
  }
  t.equal(
    (await sendBytes(request('GET', `${path}`, 'content-length: 2\r\n', '{}'))).status,
    200,
    'left unread'
  )
})

t.test('paths and methods there are not', async t => {
  const lost = [
    '/',
    '/v1',
    '/v2/contacts',
    '/v1/contact',
    '/V1/contacts',
    `/${path}`,
    `${path}/${uuid}/x`,
    '/%00',
    '/..',
    '/v1/contacts;x=1'
  ]
  for (const at of lost) {
    await t.test(at, async t =>
      isProblem(t, await sendBytes(request('GET', at)), { status: 404, code: 'not_found' }, at)
    )
  }
  const others: [string, string, string][] = [
    ['DELETE', path, 'GET, POST, HEAD'],
    ['PUT', path, 'GET, POST, HEAD'],
    ['PUT', `${path}/${uuid}`, 'GET, PATCH, DELETE, HEAD'],
    ['GET', `${path}/batch`, 'POST'],
    ['GET', '/v1/auth/token', 'POST'],
    ['HEAD', '/v1/auth/token', 'POST'],
    ['POST', '/v1/me', 'GET, HEAD'],
    ['PUT', '/graphql', 'GET, POST, HEAD'],
    ['DELETE', '/graphql', 'GET, POST, HEAD']
  ]
  for (const [method, at, allow] of others) {
    await t.test(`${method} ${at}`, async t => {
      const reply = await sendBytes(request(method, at))
      t.equal(reply.status, 405)
      t.strictSame(String(reply.headers.allow).split(', ').sort(), allow.split(', ').sort())
      if (method !== 'HEAD') isProblem(t, reply, { status: 405, code: 'method_not_allowed' }, at)
    })
  }
  t.match(await sendBytes(request('HEAD', path)), { status: 200, text: '' })
  t.match(await sendBytes(request('HEAD', `${path}/x`)), { status: 400, text: '' })
  t.match(await sendBytes(request('HEAD', '/nowhere')), { status: 404, text: '' })
  for (const method of ['OPTIONS', 'TRACE', 'PROPFIND', 'QUERY']) {
    const reply = await sendBytes(request(method, path))
    t.ok(reply.status < 500, `${method} ${reply.status}`)
    if (reply.status >= 400) isProblem(t, reply, { status: reply.status })
  }
})
