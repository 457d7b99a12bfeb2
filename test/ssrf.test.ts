import dns from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { isIP, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { isPublic, urlProblem } from '../src/jobs/addresses.js'
import { openEgress } from '../src/jobs/egress.js'
import { testApp } from './helpers/app.js'
import { isProblem } from './helpers/problems.js'
import { receiver } from './helpers/receiver.js'

/** Hosts as somebody might write them to reach what is not public. */
const refused = [
  '127.0.0.1',
  '127.1',
  '127.255.255.254',
  '2130706433',
  '0x7f000001',
  '0x7f.1',
  '0177.0.0.1',
  '017700000001',
  '127.0.0.1.',
  '0',
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '0xa.0.0.1',
  '167772161',
  '100.64.0.1',
  '100.127.255.255',
  '169.254.169.254',
  '168.63.129.16',
  '0xa9fea9fe',
  '2852039166',
  '0251.0376.0251.0376',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.7',
  '203.0.113.7',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '１２７.０.０.１',
  '127。0。0。1',
  '[::1]',
  '[::]',
  '[0:0:0:0:0:0:0:1]',
  '[::127.0.0.1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::ffff:10.1.2.3]',
  '[::ffff:a9fe:a9fe]',
  '[0:0:0:0:0:ffff:192.168.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b::a00:1]',
  '[64:ff9b:1::1]',
  '[2002:7f00:1::]',
  '[2002:a00:1::1]',
  '[2001::1]',
  '[2001:0:53aa:64c:0:0:80ff:fffe]',
  '[2001:db8::1]',
  '[2a00:1450:4001:80b::5efe:7f00:1]',
  '[2a00:1450:4001:80b:200:5efe:10.0.0.1]',
  '[2001:10::1]',
  '[3fff::1]',
  '[100::1]',
  '[fc00::1]',
  '[fd12:3456:789a::1]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '[5f00::1]',
  'localhost',
  'LOCALHOST',
  'localhost.',
  'a.localhost',
  'a.localhost.',
  'printer.local',
  'metadata.google.internal',
  'intranet',
  'router.lan',
  'nas.home.arpa'
]

const allowed = [
  'example.com',
  'hooks.example.com.',
  '8.8.8.8',
  '134744072',
  '1.1.1.1',
  '172.15.0.1',
  '168.63.129.17',
  '[2a00:1450:4001:80b::5efe:8.8.8.8]',
  '172.32.0.1',
  '100.63.255.255',
  '100.128.0.1',
  '223.255.255.255',
  '[2606:4700:4700::1111]',
  '[2a00:1450:4001:80b::200e]',
  '[::ffff:8.8.8.8]',
  '[64:ff9b::8.8.8.8]',
  'localhost.example.com',
  'xn--bcher-kva.example.com'
]

t.test('addresses that a webhook may not go to', async t => {
  const { call } = await testApp(t)
  t.ok(refused.length >= 40)
  for (const host of refused) {
    const reply = await call('POST', '/v1/webhooks', { url: `https://${host}/hook` })
    t.match(
      reply,
      { status: 400, body: { errors: [{ pointer: '/url', code: /^(forbidden_address|format)$/ }] } },
      host
    )
  }
  for (const host of allowed) {
    const reply = await call('POST', '/v1/webhooks', { url: `https://${host}/hook`, enabled: false })
    t.equal(reply.status, 201, `${host}: ${reply.text.slice(0, 200)}`)
  }
  const others = [
    'http://example.com',
    'ftp://example.com',
    'https://a:b@example.com',
    'https://a@example.com'
  ]
  for (const url of [
    ...others,
    'file:///etc/passwd',
    'https://',
    'https://exa mple.com',
    'https://256.256.256.256',
    'https://example.com/a\r\nb',
    'https://exam\tple.com/',
    ' https://example.com/',
    'https://example.com/\u0085'
  ]) {
    isProblem(
      t,
      await call('POST', '/v1/webhooks', { url }),
      { status: 400, pointer: '/url' },
      '/v1/webhooks'
    )
  }
})

t.test('addresses by themselves', async t => {
  for (const address of ['fe80::1%eth0', 'example.com', '', '1.2.3', '::ffff:1.2.3.4.5']) {
    t.equal(isPublic(address), false, address)
  }
  t.equal(urlProblem('http://127.0.0.1:80/', true), undefined, 'the setting allows them')
  t.ok(urlProblem('ftp://127.0.0.1/', true), 'but only http and https')
})

/** Has the machine's resolver answer as the owner of a hostile name would. */
function resolveTo(t: Test, addresses: string[]): void {
  const real = dns.lookup
  const hostile = (_name: string, _options: unknown, answer: (error: null, found: object[]) => void) =>
    answer(
      null,
      addresses.map(address => ({ address, family: isIP(address) }))
    )
  Object.assign(dns, { lookup: hostile })
  syncBuiltinESMExports()
  t.teardown(() => {
    Object.assign(dns, { lookup: real })
    syncBuiltinESMExports()
  })
}

t.test('a name is judged by what it leads to when the connection is made', async t => {
  const inside = await receiver(t)
  const egress = openEgress({ allowPrivate: false, timeoutMs: 5000 })
  t.teardown(() => egress.close())
  const { port } = new URL(inside.url)
  const says = /not an address on the public internet|does not lead to the public internet/
  for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', '2130706433']) {
    await t.rejects(egress.post(`https://${host}:${port}/`, {}, '{}'), { message: says }, host)
  }
  t.equal(urlProblem(`https://rebound.example.com:${port}/`, false), undefined, 'its text tells nothing')
  for (const addresses of [['127.0.0.1'], ['::1'], ['8.8.8.8', '10.0.0.1'], ['::ffff:169.254.169.254'], []]) {
    await t.test(addresses.join(), async t => {
      resolveTo(t, addresses)
      const post = egress.post(`https://rebound.example.com:${port}/`, {}, '{}')
      await t.rejects(post, { message: 'rebound.example.com does not lead to the public internet.' })
    })
  }
  t.equal(inside.got.length, 0, 'nothing arrived')
})

t.test('no redirect is followed, little is read, and time is bounded', async t => {
  const inside = await receiver(t)
  const egress = openEgress({ allowPrivate: true, timeoutMs: 700 })
  t.teardown(() => egress.close())
  inside.behave(({ path }, response) => {
    if (path === '/redirect') response.writeHead(307, { location: `${inside.url}/secret` }).end()
    if (path === '/endless') {
      response.writeHead(200)
      const more = setInterval(() => response.write('x'.repeat(10_000)), 1)
      response.on('close', () => clearInterval(more))
    }
    if (path === '/slow') response.writeHead(200).write('never ends')
    if (path === '/broken') response.writeHead(500).write('breaks', () => response.destroy())
    if (path === '/garbage') response.socket!.end('HTTP/9.9 what\r\n\r\n')
    if (path === '/nul') response.end('a\0b')
    return undefined
  })
  const post = (path: string) => egress.post(inside.url + path, {}, '{}')
  t.equal((await post('/redirect')).status, 307)
  t.equal(inside.at('/secret').length, 0)
  const { status, body } = await post('/endless')
  t.equal(status, 200)
  t.equal(body.length, 4096)
  t.equal((await post('/nul')).body, 'a\uFFFDb')
  const began = Date.now()
  t.match(await post('/slow'), { status: 200, body: 'never ends' }, 'the status counts, and what came')
  await t.rejects(post('/silent'), { message: 'No answer within 700 ms.' })
  t.ok(Date.now() - began < 5000)
  t.match(await post('/broken'), { status: 500, body: 'breaks' })
  await t.rejects(post('/garbage'), { message: /^The answer is not valid HTTP( \(HPE_[A-Z_]+\))?\.$/ })
  await t.rejects(egress.post(inside.url.replace('http:', 'https:'), {}, '{}'), {
    message: /^No TLS connection was made( \([A-Z_]+\))?\.$/
  })
  const closed = createServer()
  await once(closed.listen(0, '127.0.0.1'), 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  await t.rejects(egress.post(`http://127.0.0.1:${port}/`, {}, '{}'), {
    message: 'The connection was refused.'
  })
})
