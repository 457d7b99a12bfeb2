import { pino } from 'pino'
import t from 'tap'
import { startScoring } from '../src/jobs/lead-scores.js'
import { testApp, type Reply } from './helpers/app.js'
import { execute } from './helpers/database.js'
import { eventually } from './helpers/http.js'

const app = await testApp(t)

type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Reply>

interface World {
  call: Call
  graphql(query: string, variables?: object): Promise<Reply>
  make(path: string, body: object): Promise<Reply['body']>
  lead(id: string): Promise<Reply['body']>
  workspaceId: string
}

async function world(name: string): Promise<World> {
  const workspaceId = await app.newWorkspace(name)
  const authorization = `Bearer ${await app.newKey(['admin'], workspaceId)}`
  const call: Call = (method, path, body, headers = {}) =>
    app.call(method, path, body, { authorization, ...headers })
  return {
    workspaceId,
    call,
    graphql: (query, variables = {}) => call('POST', '/graphql', { query, variables }),
    async make(path, body) {
      const { status, body: made, text } = await call('POST', `/v1/${path}`, body)
      if (status !== 201) throw new Error(text)
      return made
    },
    async lead(id) {
      return (await call('GET', `/v1/leads/${id}`)).body
    }
  }
}

const fit = { field: 'industry', condition: { eq: 'Retail' }, points: 20, group: 'fit' }
const mutation = `mutation ($input: ScoreLeadsInput!) {
  scoreLeads(input: $input) { changed leadScore { metric value { n } scores { leadId score } } }
}`

t.test('only the mutation of GraphQL writes', async t => {
  const { graphql, make, lead, call } = await world('graphql')
  const { id } = await make('leads', { lastName: 'R', industry: 'Retail' })
  await make('scoring-rules', fit)
  const asked = await graphql('{ metrics { leadScore(method: RULES, write: true) { metric } } }')
  t.match(asked.body.errors[0].message, /write/)
  const read = await graphql('{ metrics { leadScore(method: RULES) { value { n } } } }')
  t.equal(read.body.data.metrics.leadScore.value.n, 1)
  t.match(await lead(id), { score: null, version: 1 })

  const query = encodeURIComponent('mutation { scoreLeads(input: { method: RULES }) { changed } }')
  t.equal((await call('GET', `/graphql?query=${query}`)).status, 405)
  t.match(await lead(id), { score: null, version: 1 })

  const { body } = await graphql(mutation, { input: { method: 'RULES', scores: true } })
  t.same(body.data.scoreLeads, {
    changed: 1,
    leadScore: { metric: 'lead-score', value: { n: 1 }, scores: [{ leadId: id, score: 20 }] }
  })
  t.match(await lead(id), { score: 20, scoreBreakdown: { industry: 20 }, version: 2 })
  const again = await graphql(mutation, { input: { method: 'RULES' } })
  t.equal(again.body.data.scoreLeads.changed, 0)

  const reading = await app.newKey(['metrics:read', 'leads:read', 'deals:read', 'scoring-rules:read'])
  const { body: refused } = await app.graphql(
    mutation,
    { input: { method: 'RULES' } },
    { authorization: `Bearer ${reading}` }
  )
  t.match(refused.errors[0].extensions, { code: 'forbidden', scope: 'leads:write' })
})

t.test('a write over REST is repeated under its key', async t => {
  const { make, lead, call } = await world('rest')
  const { id } = await make('leads', { lastName: 'R', industry: 'Retail' })
  await make('scoring-rules', fit)
  const send = (body: object) => call('POST', '/v1/metrics/lead-score', body, { 'idempotency-key': 'once' })
  const first = await send({ method: 'rules', write: true })
  t.match(first, { status: 200, body: { parameters: { write: true }, value: { n: 1 } } })
  t.match(await lead(id), { score: 20, version: 2 })
  await make('scoring-rules', { ...fit, points: 1 })
  const replayed = await send({ method: 'rules', write: true })
  t.equal(replayed.headers['idempotency-replayed'], 'true')
  t.equal(replayed.text, first.text)
  t.match(await lead(id), { score: 20, version: 2 }, 'nothing is written again')
  t.match((await send({ method: 'rules' })).status, 422)
  const both = await call('POST', '/v1/metrics/lead-score', {
    write: true,
    data: { scores: [0.5], outcomes: [1] }
  })
  t.match([both.status, both.body.errors[0]], [400, { pointer: '/write' }])
  const entry = (await call('GET', '/v1/metrics')).body.data.find(
    (m: { name: string }) => m.name === 'lead-score'
  )
  t.ok(entry.parameters.some((p: { name: string }) => p.name === 'write'))
})

/** So many leads at once, as an import would leave them. */
const insertLeads = (workspaceId: string, n: number) =>
  execute(
    app.url,
    `insert into leads (workspace_id, id, last_name, industry, captured_at, created_at, updated_at)
     select '${workspaceId}', gen_random_uuid(), 'L' || i, case when i % 2 = 0 then 'Retail' else 'Mining' end,
       now() - i * interval '1 second', now(), now() from generate_series(1, ${n}) i`
  )

t.test('more leads than are read at once', async t => {
  const { workspaceId, graphql, make, call } = await world('many')
  await insertLeads(workspaceId, 5003)
  await make('scoring-rules', fit)
  await make('scoring-rules', { ...fit, field: 'lastName', condition: { eq: 'L7' }, points: 30 })
  const { body } = await call('POST', '/v1/metrics/lead-score', {
    method: 'rules',
    outcome: { industry: { eq: 'Retail' } },
    maturityDays: 0,
    scores: true,
    limit: 2
  })
  t.match(body.value, { n: 5003, positives: 2501, quality: { n: 5003 } })
  t.same(
    body.scores.map((s: { score: number }) => s.score),
    [30, 20]
  )
  const written = await graphql(mutation, { input: { method: 'RULES' } })
  t.equal(written.body.data.scoreLeads.changed, 5003)
  const { rows } = await execute(
    app.url,
    `select score, count(*)::int as n from leads where workspace_id = '${workspaceId}' group by 1 order by 1`
  )
  t.same(rows, [
    { score: 0, n: 2501 },
    { score: 20, n: 2501 },
    { score: 30, n: 1 }
  ])
})

/** A worker, until what it has to do now is done. */
async function worked(until: () => Promise<boolean>): Promise<void> {
  const stop = await startScoring({
    database: app.database,
    url: app.url,
    logger: pino({ level: 'error' }, process.stderr)
  })
  await eventually('leads are scored', async () => (await until()) || undefined)
  await stop()
}

const waiting = async (workspaceId: string) => {
  const { rows } = await execute(
    app.url,
    `select state::text, extract(epoch from start_after - now()) / 3600 as hours from pgboss.job
     where name = 'lead-scores' and data ->> 'workspaceId' = '${workspaceId}'`
  )
  return rows as { state: string; hours: string }[]
}

t.test('a worker scores by rules once a day', async t => {
  const { workspaceId, make, lead, call, graphql } = await world('daily')
  const bystander = await world('without rules')
  const alone = await bystander.make('leads', { lastName: 'A', industry: 'Retail' })
  const retail = await make('leads', { lastName: 'R', industry: 'Retail' })
  const other = await make('leads', { lastName: 'O', industry: 'Mining' })
  const learnt = await make('leads', { lastName: 'M', industry: 'Retail' })
  await execute(
    app.url,
    `update leads set score = 71.5, score_breakdown = '{"(intercept)": -1, "industry": 2}' where id = '${learnt.id}'`
  )
  await make('scoring-rules', fit)
  await make('scoring-rules', {
    field: 'touches.channel',
    condition: { eq: 'email' },
    points: 8,
    group: 'activity',
    halfLifeDays: 7
  })
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
  await make('touches', { leadId: retail.id, channel: 'email', occurredAt: ago(14) })
  await make('touches', { leadId: other.id, channel: 'email', occurredAt: ago(365) })
  const lookBack = await graphql(mutation, { input: { method: 'RULES', asOf: ago(7) } })
  t.match(lookBack.body.errors[0], { message: /leave asOf out/, extensions: { code: 'invalid_input' } })
  t.match(await lead(retail.id), { score: null, version: 1 })

  await worked(
    async () => (await lead(retail.id)).score !== null && (await waiting(workspaceId)).length === 1
  )
  const { score, scoreBreakdown, version } = await lead(retail.id)
  t.ok(Math.abs(score - 22) < 0.001, 'half of the points have faded twice')
  t.same(Object.keys(scoreBreakdown), ['industry', 'touches.channel'])
  t.match(await lead(other.id), { score: 0, scoreBreakdown: {}, version: 2 }, 'faded points come to rest')
  t.match(await lead(learnt.id), { score: 71.5, version: 1 }, 'what a model said stays')
  t.match(await bystander.lead(alone.id), { score: null, version: 1 })
  const events = (await call('GET', `/v1/events?resource=lead&recordId=${other.id}`)).body.data
  t.match(events.at(-1), {
    type: 'lead.updated',
    actor: { type: 'system', id: null },
    previous: { score: null }
  })

  const [tomorrow] = await waiting(workspaceId)
  t.equal(tomorrow!.state, 'created')
  t.ok(Number(tomorrow!.hours) > 23.9 && Number(tomorrow!.hours) <= 24)

  const later = await make('leads', { lastName: 'L', industry: 'Retail' })
  const second = await world('the next one')
  const next = await second.make('leads', { lastName: 'N', industry: 'Retail' })
  await second.make('scoring-rules', fit)
  await worked(async () => (await second.lead(next.id)).score === 20)
  t.match(await lead(later.id), { score: null, version: 1 }, 'the day of this workspace is not over')

  await execute(app.url, `update pgboss.job set start_after = now() where name = 'lead-scores'`)
  await worked(async () => (await lead(later.id)).score === 20)
  t.equal((await lead(other.id)).version, 2, 'a score that is the same is no change')
  t.ok((await lead(retail.id)).version <= version + 1)
})
