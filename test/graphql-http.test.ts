import t from 'tap'
import { serverAudits } from 'graphql-http'
import { testApp } from './helpers/app.js'

t.test('GraphQL over HTTP as its working group audits it', { timeout: 60_000 }, async t => {
  const { app, key } = await testApp(t)
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  const audits = serverAudits({
    url: `${origin}/graphql`,
    fetchFn: (url: string, init: { headers?: Record<string, string> } = {}) =>
      fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${key}` } })
  })
  t.equal(audits.length, 61)
  // None is excused: neither an error nor a warning.
  for (const { id, name, fn } of audits) t.match(await fn(), { status: 'ok' }, `${id} ${name}`)
})
