import t from 'tap'
import { testApp } from './helpers/app.js'

t.test('the process for Prometheus', async t => {
  const { app, call } = await testApp(t, { RATE_LIMIT: '3' })
  const made = await call('POST', '/v1/contacts', { firstName: 'Rumi' })
  await call('GET', `/v1/contacts/${made.body.id}`)
  await call('GET', '/v1/contacts/none')
  await app.inject('/nothing/here?a=secret')
  const { statusCode, headers, body } = await app.inject('/metrics')
  t.equal(statusCode, 200)
  t.match(headers['content-type'], /^text\/plain; version=/)
  t.equal(headers.ratelimit, undefined, 'Prometheus is not limited')
  const values = Object.fromEntries(
    body
      .split('\n')
      .filter(line => line && !line.startsWith('#'))
      .map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))])
  )
  const count = (route: string, method: string, status: number) =>
    values[`http_request_duration_seconds_count{route="${route}",method="${method}",status="${status}"}`]
  t.equal(count('/v1/contacts', 'POST', 201), 1)
  t.equal(count('/v1/contacts/:id', 'GET', 200), 1)
  t.equal(count('/v1/contacts/:id', 'GET', 400), 1)
  t.equal(count('none', 'GET', 404), 1)
  t.ok(values['database_connections{state="idle"}']! >= 1)
  t.equal(values['database_connections{state="waiting"}'], 0)
  t.type(values.nodejs_eventloop_lag_p99_seconds, 'number')
  t.notMatch(body, new RegExp(`secret|${made.body.id}`), 'tells no address')
})
