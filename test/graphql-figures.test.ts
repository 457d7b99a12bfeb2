import t from 'tap'
import { testApp } from './helpers/app.js'
import { makeDeal, makePipeline } from './helpers/funnel.js'

const app = await testApp(t)
const { call, graphql } = app
const graphResponse = 'application/graphql-response+json'

const pipeline = await makePipeline(call, ['a', 'won:won', 'lost:lost'], 'First')
await makeDeal(call, pipeline, [['a', '2025-01-01T00:00:00Z']])
await call('POST', '/v1/companies', { name: 'Acme' })

/** The same document three times: it is compiled after its first run. */
async function thrice(query: string, key = app.key) {
  const headers = { authorization: `Bearer ${key}`, accept: graphResponse }
  const [first, ...later] = [
    await graphql(query, {}, headers),
    await graphql(query, {}, headers),
    await graphql(query, {}, headers)
  ]
  for (const { body } of later) t.same(body, first.body, 'compiled or not')
  t.equal(first.status, 200)
  return first.body
}

const companies = { nodes: [{ name: 'Acme' }] }

t.test('a figure that is asked for in a wrong way fails alone', async t => {
  const body = await thrice(`{
    metrics {
      f: funnel { value { deals } }
      bad: winRate(groupBy: ["nope"]) { value { won } }
      churn { value { ended } }
    }
    companies(first: 1) { nodes { name } }
  }`)
  const metrics = { f: { value: { deals: 1 } }, bad: null, churn: { value: { ended: 0 } } }
  t.same(body.data, { metrics, companies })
  t.match(body.errors, [{ path: ['metrics', 'bad'], extensions: { code: 'invalid_input', status: 400 } }])
  t.equal(body.errors.length, 1)
  t.ok(body.extensions.cost >= 3000, 'what fails is paid for')
})

t.test('a figure that a role may not see fails alone', async t => {
  const key = await app.newKey(['metrics:read', 'deals:read', 'companies:read'])
  const query = `{
    metrics { catalogue { data { name } } leadFunnel { value { leads } } funnel { value { deals } } }
    companies(first: 1) { nodes { name } }
  }`
  const body = await thrice(query, key)
  t.ok(body.data.metrics.catalogue.data.length > 0)
  t.match(body.data, { metrics: { leadFunnel: null, funnel: { value: { deals: 1 } } }, companies })
  t.match(body.errors, [
    { path: ['metrics', 'leadFunnel'], extensions: { code: 'forbidden', status: 403, scope: 'leads:read' } }
  ])
  t.equal(body.errors.length, 1)

  const without = await thrice(query, await app.newKey(['companies:read']))
  t.same(without.data, { metrics: { catalogue: null, leadFunnel: null, funnel: null }, companies })
  t.equal(without.errors.length, 3)
})

t.test('with several pipelines the funnel needs one, and churn none', async t => {
  await makePipeline(call, ['x'], 'Second')
  const body = await thrice(
    '{ metrics { funnel { value { deals } } churn(from: "2025-01-01", to: "2025-04-01") { value { subscriptions } } } }'
  )
  t.same(body.data, { metrics: { funnel: null, churn: { value: { subscriptions: 0 } } } })
  t.match(body.errors, [
    {
      path: ['metrics', 'funnel'],
      extensions: {
        code: 'unprocessable',
        status: 422,
        errors: [{ pointer: '/pipelineId', code: 'required' }]
      }
    }
  ])
  t.match(
    body.errors[0].extensions.pipelines.map((p: { name: string }) => p.name),
    ['First', 'Second']
  )
})
