import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, makePipeline } from './helpers/funnel.js'

const { call, newKey } = await testApp(t)
await makePipeline(call, ['a', 'won:won'])

/** What a figure takes beside `metrics:read`; all others are of deals. */
const records: Record<string, string[]> = {
  'lead-funnel': ['leads', 'deals'],
  'lead-score': ['leads', 'deals'],
  'cost-per-lead': ['leads', 'costs', 'campaigns'],
  'acquisition-cost': ['deals', 'orders', 'costs', 'campaigns'],
  attribution: ['deals', 'leads', 'touches', 'costs'],
  churn: ['subscriptions'],
  retention: ['orders'],
  'lifetime-value': ['orders']
}

async function ask(figure: string, scopes: readonly string[], parameters: object = {}) {
  const authorization = `Bearer ${await newKey(['metrics:read', ...scopes])}`
  const given = { from: '2025-01-01', to: '2025-02-01', ...parameters }
  return call('POST', `/v1/metrics/${figure}`, given, { authorization })
}

t.test('every figure takes exactly the read scopes of its records', async t => {
  const { data } = (await done(call('GET', '/v1/metrics'))) as { data: { name: string }[] }
  for (const { name } of data) {
    const scopes = (records[name] ?? ['deals']).map(plural => `${plural}:read`)
    t.equal((await ask(name, scopes)).status, 200, name)
    for (const scope of scopes) {
      const without = scopes.filter(s => s !== scope)
      t.match(await ask(name, without), { status: 403, body: { scope } }, `${name} without ${scope}`)
    }
  }
})

t.test('another basis takes other scopes', async t => {
  const rules = { method: 'rules' }
  const scopes = ['leads:read', 'deals:read']
  t.match(await ask('lead-score', scopes, rules), { status: 403, body: { scope: 'scoring-rules:read' } })
  t.equal((await ask('lead-score', [...scopes, 'scoring-rules:read'], rules)).status, 200)
  const paid = { basis: 'subscriptions' }
  t.equal((await ask('lifetime-value', ['subscriptions:read'], paid)).status, 200)
  t.match(await ask('lifetime-value', ['orders:read'], paid), { body: { scope: 'subscriptions:read' } })
})
