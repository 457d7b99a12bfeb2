import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, makeDeal, makePipeline } from './helpers/funnel.js'

interface Listed {
  name: string
  parameters: { name: string; default: unknown }[]
}

const { call } = await testApp(t)
const asOf = '2025-06-01T00:00:00.000Z'
const pipeline = await makePipeline(call, ['a', 'won:won', 'lost:lost'])
await makeDeal(call, pipeline, [
  ['a', '2025-01-01T00:00:00Z'],
  ['won', '2025-02-01T00:00:00Z']
])

const { data: figures } = (await done(call('GET', '/v1/metrics'))) as { data: Listed[] }
const defaultsOf = (figure: string) =>
  Object.fromEntries(
    figures
      .find(f => f.name === figure)!
      .parameters.filter(p => p.default !== null)
      .map(p => [p.name, p.default])
  )
const period = { asOf, from: '2025-01-01', to: '2025-04-01' }

async function ask(figure: string, given: object) {
  const { status, body } = await call('POST', `/v1/metrics/${figure}`, given)
  const { knownAt: _knownAt, instance: _instance, requestId: _requestId, ...rest } = body
  return { status, ...rest }
}

t.test('a parameter that is given its own default changes nothing', async t => {
  t.ok(figures.length > 10)
  for (const { name } of figures) {
    const defaults = defaultsOf(name)
    t.ok(Object.keys(defaults).length > 0, name)
    t.same(await ask(name, { ...defaults, ...period }), await ask(name, period), name)
  }
})

t.test('nor is it refused where it means nothing', async t => {
  const customers = { averageOrderValue: '10', ordersPerMonth: 1, monthlyChurn: 0.1 }
  const idle: [figure: string, asked: object][] = [
    ['lifetime-value', { method: 'simple' }],
    ['lifetime-value', { method: 'simple', data: customers }],
    ['lead-score', { method: 'rules' }],
    ['win-rate', { data: { won: 1, lost: 1 } }]
  ]
  for (const [figure, asked] of idle) {
    const bare = await ask(figure, { asOf, ...asked })
    t.equal(bare.status, 200, figure)
    t.same(await ask(figure, { asOf, ...defaultsOf(figure), ...asked }), bare, JSON.stringify(asked))
  }
  const funnel = await call('GET', '/v1/metrics/funnel?reentry=false&order=reached&explain=false')
  t.equal(funnel.status, 200)
  t.equal(funnel.body.parameters.reentry, false)
})

t.test('any other value is', async t => {
  for (const [figure, asked, name] of [
    ['funnel', { reentry: true }, 'reentry'],
    ['funnel', { windowDays: [7] }, 'windowDays'],
    ['lifetime-value', { method: 'simple', months: 13 }, 'months'],
    ['lead-score', { method: 'rules', strength: 2 }, 'strength'],
    ['win-rate', { data: { won: 1, lost: 1 }, cohort: 'created' }, 'cohort']
  ] as const)
    t.match(await ask(figure, asked), {
      status: 400,
      errors: [{ in: 'body', pointer: `/${name}`, code: 'not_allowed' }]
    })
})
