import t from 'tap'
import { Client } from '../scripts/load/client.js'
import { loadCalls } from '../scripts/load/telephone-campaign.js'
import { testApp } from './helpers/app.js'
import { edgeCase, expectedOf, hasReference, near, referenceFolder, type Json } from './helpers/expected.js'
import { sender, type Send } from './helpers/http.js'

const app = await testApp(t)
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })

async function world(
  name: string
): Promise<{ send: Send; key: string; score(parameters: object): Promise<Json> }> {
  const key = await app.newKey(['admin'], await app.newWorkspace(name))
  const send = sender(origin, key)
  return {
    send,
    key,
    async score(parameters) {
      const answer = await send('POST', '/v1/metrics/lead-score', parameters)
      if (answer.status !== 200) throw new Error(answer.text)
      return answer.body
    }
  }
}

t.test('the quality of given scores', async t => {
  const { given, expect } = edgeCase('E25')
  const { score } = await world('given')
  const answer = await score({ data: { scores: given.scores, outcomes: given.converted } })
  near(t, answer.value.quality.auc, expect.auc as number, 'AUC')
  near(t, answer.value.quality.brier, expect.brier as number, 'Brier')
})

t.test('an empty workspace, and what cannot be asked', async t => {
  const { send, score } = await world('empty')
  const empty = await score({ features: [{ field: 'industry', kind: 'category' }], scores: true })
  t.match(empty, { value: { n: 0, positives: 0, coefficients: [], converged: null }, scores: [] })
  t.match(empty.reasons, { '/value/coefficients': /./ })
  t.match((await score({ method: 'rules', scores: true })).value, { n: 0, quality: { auc: null } })
  const refused = async (body: object) => {
    const { status, body: problem } = await send('POST', '/v1/metrics/lead-score', body)
    return [status, problem.errors?.[0]?.pointer]
  }
  t.same(await refused({ features: [{ field: 'shoeSize', kind: 'number' }] }), [400, '/features'])
  t.same(await refused({ method: 'rules', strength: 2 }), [400, '/strength'])
  t.same(await refused({ limit: 3 }), [400, '/limit'])
  t.same(await refused({ data: { scores: [0.5], outcomes: [] } }), [400, '/data'])
  t.equal((await send('GET', '/v1/metrics/lead-score')).status, 405, 'it is asked for by POST')
})

t.test('rules', async t => {
  const { send, score } = await world('rules')
  const make = async (path: string, body: object) => {
    const { status, body: made, text } = await send('POST', `/v1/${path}`, body)
    if (status !== 201) throw new Error(text)
    return made
  }
  const retail = await make('leads', {
    lastName: 'R',
    industry: 'Retail',
    budget: 'confirmed',
    capturedAt: '2025-01-01T00:00:00Z'
  })
  const other = await make('leads', {
    lastName: 'O',
    industry: 'Mining',
    budget: 'no',
    capturedAt: '2025-01-01T00:00:00Z'
  })
  const fit = await make('scoring-rules', {
    field: 'industry',
    condition: { eq: 'Retail' },
    points: 20,
    group: 'fit'
  })
  const budget = await make('scoring-rules', {
    field: 'budget',
    condition: { eq: 'confirmed' },
    points: 30,
    group: 'bant'
  })
  await make('scoring-rules', { field: 'budget', condition: { eq: 'no' }, points: -10, group: 'bant' })
  const calls = await make('scoring-rules', {
    field: 'touches.channel',
    condition: { eq: 'email' },
    points: 8,
    group: 'activity',
    halfLifeDays: 7
  })
  // The last one is as far away as no power of two is any more.
  for (const occurredAt of [
    '2025-01-01T00:00:00Z',
    '2025-01-08T00:00:00Z',
    '2025-02-01T00:00:00Z',
    '1985-01-01T00:00:00Z'
  ])
    await make('touches', { leadId: retail.id, channel: 'email', occurredAt })
  await make('touches', { leadId: retail.id, channel: 'tv', occurredAt: '2025-01-08T00:00:00Z' })

  const asked = { method: 'rules', asOf: '2025-01-15T00:00:00Z', scores: true }
  const { scores, value } = await score(asked)
  t.equal(value.n, 2)
  t.same(
    (scores as Json[]).map(s => [s.leadId, s.score]),
    [
      [retail.id, 20 + 30 + 8 / 4 + 8 / 2],
      [other.id, -10]
    ]
  )
  t.same(
    new Map((scores[0].shares as Json[]).map(s => [s.ruleId, s.value])),
    new Map([
      [fit.id, 20],
      [budget.id, 30],
      [calls.id, 6]
    ])
  )
  const paged = await score({ ...asked, limit: 1 })
  const next = await score({ ...asked, limit: 1, after: paged.page.nextCursor })
  t.same([...paged.scores, ...next.scores], scores)
  t.equal(next.page.hasMore, false)

  const writing = { method: 'rules', write: true }
  for (const name of ['asOf', 'knownAt'])
    t.match(await send('POST', '/v1/metrics/lead-score', { ...writing, [name]: asked.asOf }), {
      status: 400,
      body: { errors: [{ pointer: `/${name}`, code: 'not_allowed' }] }
    })
  await score(writing)
  t.match((await send('GET', `/v1/leads/${retail.id}`)).body, {
    score: 50,
    scoreBreakdown: { industry: 20, budget: 30 }
  })
  t.match((await send('GET', `/v1/leads/${other.id}`)).body, { score: -10, version: 2 })
  await score(writing)
  t.match((await send('GET', `/v1/leads/${other.id}`)).body, { version: 2 }, 'the same score is no change')
  const reader = await app.newKey(['metrics:read', 'leads:read', 'deals:read', 'scoring-rules:read'])
  const denied = await sender(origin, reader)('POST', '/v1/metrics/lead-score', {
    method: 'rules',
    write: true
  })
  t.match([denied.status, denied.body.scope], [403, 'leads:write'])
})

t.test('a lead that was given up is a failure until it is taken up again', async t => {
  const { send, score } = await world('again')
  const lead = {
    lastName: 'R',
    capturedAt: '2025-01-01T00:00:00Z',
    unqualifiedAt: '2025-01-02T00:00:00Z',
    workingAt: '2025-01-04T00:00:00Z',
    status: 'working'
  }
  t.equal((await send('POST', '/v1/leads', lead)).status, 201)
  const settled = async (asOf: string) => (await score({ method: 'rules', asOf })).value.quality.n
  t.equal(await settled('2025-01-01T12:00:00Z'), 0)
  t.equal(await settled('2025-01-03T00:00:00Z'), 1)
  t.equal(await settled('2025-01-05T00:00:00Z'), 0)
  t.equal(await settled('2025-06-01T00:00:00Z'), 1, 'it is old')
})

if (hasReference) {
  t.test('4,119 calls', async t => {
    const expected = await expectedOf('telephone-campaign')
    const { send, score, key } = await world('calls')
    await loadCalls(
      { client: new Client(origin, key), tell: () => undefined },
      referenceFolder('telephone-campaign')
    )
    const columns = ['age', 'campaign', 'previous', 'euribor3m', 'cons.conf.idx']
    const fieldOf = (column: string) => `customFields.${column.replaceAll('.', '_')}`
    const number = (column: string) => ({ field: fieldOf(column), kind: 'number' })
    const asked = {
      features: columns.map(number),
      outcome: { customFields: { y: { eq: 'yes' } } },
      train: { customFields: { fold: { ne: 0 } } },
      strength: 0
    }
    const { value, scores, warnings } = await score({ ...asked, scores: true })
    const wanted = expected.model_numeric as Json
    t.match(value, {
      n: wanted.n_train,
      positives: wanted.positives_train,
      converged: true,
      leaks: [],
      refused: []
    })
    t.same(warnings, [])
    near(t, value.logLikelihood, wanted.loglik as number, 'log-likelihood')
    near(t, value.trainAuc, wanted.auc_train as number, 'AUC of training')
    for (const [i, name] of ['(Intercept)', ...columns].entries()) {
      near(t, value.coefficients[i].value, wanted.coefficients[name] as number, name)
      near(t, value.coefficients[i].stdError, wanted.std_errors[name] as number, `${name}: standard error`)
    }
    const { quality } = value
    t.match(quality, { n: wanted.n_test, positives: wanted.positives_test })
    near(t, quality.auc, wanted.auc_test as number, 'AUC')
    near(t, quality.brier, wanted.brier_test as number, 'Brier')
    near(t, quality.logLoss, wanted.logloss_test as number, 'log-loss')
    near(t, quality.liftTop10, wanted.lift_top10pct_test as number, 'lift')
    for (const [i, tenth] of (wanted.calibration_deciles_test as Json[]).entries()) {
      t.match(quality.calibration[i], { bin: tenth.bin, n: tenth.n })
      near(t, quality.calibration[i].mean, tenth.mean_p as number, `tenth ${i}`)
      near(t, quality.calibration[i].rate, tenth.rate as number, `tenth ${i}`)
    }
    for (const { score, probability, shares } of (scores as Json[]).slice(0, 5)) {
      near(t, score, probability * 100, 'score')
      const logOdds = (shares as Json[]).reduce((sum, s) => sum + s.value, 0)
      near(t, 1 / (1 + Math.exp(-logOdds)), probability as number, 'shares add up')
    }
    const all = await score({ ...asked, filter: { customFields: { place: { lt: 200 } } }, scores: true })
    t.match(all.reasons, { '/value/coefficients': 'too_few_conversions' })

    const leaky = await score({
      ...asked,
      features: [...asked.features, number('duration'), { field: 'status', kind: 'category' }]
    })
    t.equal(leaky.value.leaks.length, 1)
    t.equal(leaky.value.leaks[0].field, 'customFields.duration')
    near(t, leaky.value.leaks[0].auc, expected.leak_duration_only.auc_test as number, 'duration alone', 1e-4)
    t.same(leaky.value.refused, [{ field: 'status', reason: 'known_afterwards' }])
    t.match(leaky.warnings, [{ code: 'leak' }])

    const months = await score({
      ...asked,
      features: [{ field: 'customFields.month', kind: 'category', reference: 'may' }]
    })
    const levels = (months.value.coefficients as Json[]).map(c => c.level as string | undefined)
    t.notOk(levels.includes('may'))
    t.equal(months.value.coefficients.length, Object.keys(expected.conversion_by_month as Json).length)

    await score({ ...asked, write: true })
    const first = (await send('POST', '/v1/leads/search', { filter: { customFields: { place: { eq: 0 } } } }))
      .body.data[0] as Json
    near(t, first.score, wanted.first10_test_predictions[0] * 100, 'written', 1e-4)
    for (const [i, p] of (wanted.first10_test_predictions as number[]).entries()) {
      const filter = { customFields: { place: { eq: i * 5 } } }
      const [lead] = (await send('POST', '/v1/leads/search', { filter })).body.data as Json[]
      near(t, lead!.score, p * 100, `call ${i * 5}`, 1e-4)
    }
    const base = await send('POST', '/v1/leads/aggregate', {
      groupBy: [{ field: 'customFields.y', name: 'y' }]
    })
    const [no, yes] = ['no', 'yes'].map(
      y => (base.body.data as Json[]).find(b => b.group.y === y)!.count as number
    )
    t.equal(yes! + no!, expected.rows)
    near(t, yes! / (yes! + no!), expected.base_rate as number, 'base rate')
    t.ok(first.scoreBreakdown['customFields.age'] > 0)
  })
}
