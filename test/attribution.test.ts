import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Client } from '../scripts/load/client.js'
import { readCsv } from '../scripts/load/csv.js'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { testApp } from './helpers/app.js'
import { done } from './helpers/funnel.js'
import { sender } from './helpers/http.js'
import { workspaceOf } from './helpers/workspace.js'
import { edgeCase, expectedOf, hasReference, near, referenceFolder, type Json } from './helpers/expected.js'

const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
const expected = JSON.parse(await readFile(`${folder}/expected.json`, 'utf8')) as Json
const year = { from: '2025-01-01', to: '2026-01-01', asOf: expected.pipeline.as_of as string }

const app = await testApp(t)
const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })
const send = sender(origin, app.key)

async function attribution(parameters: object = {}, key = app.key): Promise<Json> {
  const answer = await sender(origin, key)('POST', '/v1/metrics/attribution', parameters)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.body
}

const modelOf = ({ value }: Json, model: string): Json =>
  (value.models as Json[]).find(m => m.model === model)!

const credits = ({ credits }: Json) => new Map((credits as Json[]).map(c => [c.key as string | null, c]))

const total = (of: Json[], what: string) => of.reduce((sum, c) => sum + Number(c[what]), 0)

t.test('an empty workspace', async t => {
  const key = await app.newKey(['admin'], await app.newWorkspace('empty'))
  const { value } = await attribution({}, key)
  t.match(value, { conversions: 0, amount: '0', nulls: 0, censored: 0 })
  t.same(
    (value.models as Json[]).map(m => m.credits),
    (value.models as Json[]).map(() => [])
  )
})

t.test('given journeys', async t => {
  const journeys = (rows: Json[]) =>
    rows.map(({ path, conv, value, null: nulls }) => ({
      path,
      conversions: conv,
      ...(value !== undefined && { value: String(value) }),
      ...(nulls !== undefined && { nulls })
    }))

  t.test('return on costs', async t => {
    const { given, expect } = edgeCase('E15')
    const rows = (given.rows as Json[]).map(r => ({
      key: r.id,
      value: String(r.revenue),
      cost: r.cost === null ? null : String(r.cost)
    }))
    const answer = await attribution({ data: { rows } })
    const found = credits(answer.value.models[0] as Json)
    for (const key of ['a', 'b', 'c', 'd']) {
      t.equal(found.get(key)!.roi, expect.roi[key], `roi ${key}`)
      t.equal(found.get(key)!.roas, expect.roas[key], `roas ${key}`)
    }
    t.match(answer.reasons, {
      '/value/models/0/credits/2/roi': 'cost_zero',
      '/value/models/0/credits/3/roas': 'cost_unknown'
    })
    const [half] = (await attribution({ data: { rows: rows.slice(0, 1) }, margin: 0.5 })).value
      .models as Json[]
    t.equal(half!.credits[0].roi, 0.5, 'of the margin')
  })

  t.test('a Markov chain', async t => {
    const { given, expect } = edgeCase('E17')
    const answer = await attribution({
      models: ['markov'],
      data: { journeys: journeys(given.journeys as Json[]) }
    })
    const markov = modelOf(answer, 'markov')
    near(t, markov.pConversion, expect.p_conversion as number, 'P')
    for (const [key, credit] of credits(markov)) {
      near(t, credit.removalEffect, expect.removal_effect[key!] as number, `${key} removed`)
      near(t, credit.conversions, expect.attributed_conversions[key!] as number, `${key}`)
    }
    t.match(answer.warnings, [{ code: 'not_causal' }, { code: 'few_conversions', count: 1 }])
  })

  t.test('heuristics and Shapley', async t => {
    const { given, expect } = edgeCase('E18')
    const answer = await attribution({ data: { journeys: journeys(given.journeys as Json[]) } })
    t.equal(answer.value.amount, String(expect.total))
    t.same(answer.value.unattributed, { conversions: 1, value: String(expect.unattributed) })
    t.equal(modelOf(answer, 'time_decay'), undefined, 'nothing is known of times')
    for (const model of ['first', 'last', 'linear', 'position', 'shapley']) {
      const found = credits(modelOf(answer, model))
      t.same([...found.keys()].sort(), Object.keys(expect[model] as Json).sort())
      for (const [key, credit] of found)
        near(t, credit.value, expect[model][key!] as number, `${model} ${key}`)
    }
  })

  t.test('time decay', async t => {
    const { given, expect } = edgeCase('E19')
    const touches = (given.touches as Json[]).map(({ channel, at }) => ({ key: channel, at }))
    const journey = { closedAt: given.closed_at, value: String(given.value), touches }
    const answer = await attribution({ models: ['time_decay'], data: { journeys: [journey] } })
    const found = credits(modelOf(answer, 'time_decay'))
    t.same(
      [...found].map(([key, c]) => [key, c.value]),
      Object.entries(expect.credit as Json).map(([k, v]) => [k, String(v)])
    )
  })

  t.test('what does not fit together', async t => {
    const refused = async (body: object) => {
      const { status, body: problem } = await send('POST', '/v1/metrics/attribution', body)
      return [status, problem.errors?.[0]?.pointer]
    }
    t.same(await refused({ data: {} }), [400, '/data'])
    t.same(await refused({ data: { journeys: [{}] } }), [400, '/data'])
    t.same(await refused({ data: { journeys: [{ path: ['a'] }], rows: [] } }), [400, '/data'])
    t.same(await refused({ models: ['time_decay'], data: { journeys: [{ path: ['a'] }] } }), [400, '/models'])
    t.same(await refused({ models: ['best'] }), [400, '/models/0'])
    t.same(await refused({ markovOrder: 4 }), [400, '/markovOrder'])
    const many = { bootstrap: 1000, data: { journeys: [{ path: ['a'], conversions: 1_000_000 }] } }
    t.same(await refused(many), [422, '/bootstrap'])
  })

  if (hasReference) {
    t.test('10,000 paths', async t => {
      const wanted = await expectedOf('journeys')
      const rows = await readCsv<string>(referenceFolder('journeys'), 'paths.csv')
      const data = {
        journeys: rows.map(r => ({
          path: r.path!.split(' > '),
          conversions: Number(r.total_conversions),
          value: r.total_conversion_value,
          nulls: Number(r.total_null)
        }))
      }
      const answer = await attribution({ data })
      t.match(answer.value, { conversions: wanted.totals.conversions, nulls: wanted.totals.nulls })
      near(t, answer.value.amount, wanted.totals.value as number, 'value')
      const markov = modelOf(answer, 'markov')
      near(t, markov.pConversion, wanted.markov_order1_with_nulls.p_conversion as number, 'P')
      for (const [key, credit] of credits(markov))
        near(
          t,
          credit.value,
          wanted.markov_order1_with_nulls.attributed_value[key!] as number,
          `markov ${key}`
        )
      for (const [key, credit] of credits(modelOf(answer, 'shapley')))
        near(t, credit.value, wanted.shapley_unordered[key!].value as number, `shapley ${key}`)
      sameJourneys(t, answer, wanted, rows.length)
    })
  }
})

const names: Record<string, string> = {
  position: 'position_40_20_40',
  time_decay: 'time_decay_half_life_7d',
  shapley: 'shapley_unordered',
  markov: 'markov_order1'
}

t.test('a small tenant', async t => {
  await loadTenant({ client: new Client(origin, app.key), tell: () => undefined }, folder)
  const wanted = expected.attribution_year as Json
  const byChannel = await attribution(year)
  const byCampaign = await attribution({ ...year, by: 'campaign' })

  const compare = async (t: Test, answer: Json, part: Json) => {
    const found = answer.value as Json
    t.equal(found.attributed.conversions, part.attributed_deals)
    t.equal(found.unattributed.conversions, part.unattributed_deals)
    near(t, found.unattributed.value, part.unattributed_value as number, 'unattributed')
    for (const { model, credits } of found.models as Json[]) {
      const of = part.models[names[model] ?? model] as Json | undefined
      const earned = (credits as Json[]).filter(c => c.conversions > 0)
      near(t, total(earned, 'conversions'), found.attributed.conversions as number, `${model} gives all`)
      t.ok(
        Math.abs(total(earned, 'value') - Number(found.attributed.value)) < 1e-8,
        `${model} gives all value`
      )
      if (!of) continue
      const label = (c: Json) =>
        c.key === null ? '(none)' : answer.parameters.by === 'campaign' ? codes.get(c.label)! : c.label
      t.same(earned.map(label).sort(), Object.keys(of).sort(), `${model}: who earned`)
      for (const credit of earned) {
        const own = of[label(credit)] as Json
        near(t, credit.conversions, own.conversions as number, `${model} ${credit.label}: deals`)
        near(t, credit.value, own.value as number, `${model} ${credit.label}: value`)
        if (own.removal_effect !== undefined)
          near(t, credit.removalEffect, own.removal_effect as number, 'removed')
      }
      const roi = part.roi[names[model] ?? model] as Json | undefined
      for (const [key, { cost, roi: wantedRoi, roas }] of Object.entries<Json>(roi ?? {})) {
        const credit = (credits as Json[]).find(c => label(c) === key)!
        near(t, credit.cost, cost as number | null, `${model} ${key}: cost`)
        near(t, credit.roi, wantedRoi as number | null, `${model} ${key}: roi`)
        if (roas !== undefined) near(t, credit.roas, roas as number | null, `${model} ${key}: roas`)
      }
    }
  }
  const codes = new Map(
    (await readCsv<'campaign_id' | 'name'>(folder, 'campaigns.csv')).map(c => [c.name, c.campaign_id])
  )

  t.test('by channel', async t => compare(t, byChannel, wanted.channel as Json))
  t.test('by campaign', async t => compare(t, byCampaign, wanted.campaign as Json))

  t.test('what Markov learns from', async t => {
    near(t, modelOf(byChannel, 'markov').pConversion, wanted.markov_inputs.p_conversion as number, 'P')
    sameInputs(t, byChannel, wanted.markov_inputs as Json)
    const { deals, open } = {
      deals: expected.pipeline.deals as number,
      open: expected.pipeline.outcome.open as number
    }
    t.equal(byChannel.value.conversions, expected.pipeline.outcome.won)
    t.ok(byChannel.value.nulls >= expected.pipeline.outcome.lost && deals > 0)
    t.ok(byChannel.value.censored >= open)
    const alone = await attribution({ ...year, models: ['markov'], nulls: 'exclude' })
    t.equal(modelOf(alone, 'markov').pConversion, 1, 'without those who did not convert')
  })

  t.test('months and owners add up to the year', async t => {
    const months = await attribution({ ...year, interval: 'month', models: ['linear', 'markov'] })
    const parts = (months.buckets as Json[]).map(b => b.value as Json)
    t.equal(total(parts, 'conversions'), byChannel.value.conversions)
    t.equal(total(parts, 'nulls'), byChannel.value.nulls)
    t.equal(total(parts, 'censored'), byChannel.value.censored)
    near(t, total(parts, 'amount'), Number(byChannel.value.amount), 'amount')
    const cost = (value: Json) =>
      total(
        (value.models[0].credits as Json[]).filter(c => c.cost !== null),
        'cost'
      )
    const spent = parts.reduce((sum, v) => sum + cost(v), 0)
    near(t, spent, cost(modelledBy(byChannel, 'linear')), 'cost')
    const owners = await attribution({ ...year, groupBy: ['ownerId'], models: ['first'] })
    const groups = (owners.groups as Json[]).map(g => g.value as Json)
    t.equal(total(groups, 'conversions'), byChannel.value.conversions)
    near(t, total(groups, 'amount'), Number(byChannel.value.amount), 'amount')
    t.ok(
      groups.every(v => (v.models[0].credits as Json[]).every(c => c.cost === null)),
      'costs have no owner'
    )
  })

  t.test('the deals behind a number', async t => {
    const { value, explain } = await attribution({ ...year, explain: true, models: ['last'] })
    t.equal(explain.value.conversions.ids.length, value.conversions)
    t.equal(explain.value.unattributed.value.ids.length, value.unattributed.conversions)
    t.equal(explain.value.nulls.ids.length, Math.min(100, value.nulls as number))
    const social = (value.models[0].credits as Json[]).findIndex(c => c.key === 'social')
    const { ids } = explain.value.models[0].credits[social].conversions
    t.ok(ids.length >= value.models[0].credits[social].conversions)
  })

  t.test('touches in the time before a close', async t => {
    const recent = await attribution({ ...year, lookbackDays: 7, models: ['first'] })
    t.ok(recent.value.attributed.conversions < byChannel.value.attributed.conversions)
    t.equal(recent.value.conversions, byChannel.value.conversions)
    const none = await attribution({ ...year, lookbackDays: 0, models: ['first'] })
    t.equal(none.value.unattributed.conversions, none.value.conversions)
  })

  t.test('a moment of the past stays as it was', async t => {
    const past = { ...year, asOf: '2025-07-01T00:00:00Z', knownAt: byChannel.knownAt as string }
    const before = await attribution(past)
    t.ok(before.value.conversions < byChannel.value.conversions && before.value.conversions > 0)
    const { id } = (await done(app.call('GET', '/v1/leads?limit=1'))).data[0] as Json
    await done(
      app.call('POST', '/v1/touches', { leadId: id, channel: 'tv', occurredAt: '2025-01-02T00:00:00Z' })
    )
    t.same((await attribution(past)).value, before.value)
  })

  t.test('the same by every call, as CSV too', async t => {
    const models = ['first', 'markov']
    const posted = await attribution({ ...year, models, bootstrap: 20, seed: 5 })
    const asked = { ...year, models: models.join(), bootstrap: '20', seed: '5' }
    const query = new URLSearchParams(asked).toString()
    const got = await send('GET', `/v1/metrics/attribution?${query}`)
    t.same(got.body.value, posted.value)
    t.ok((modelOf(posted, 'first').credits as Json[]).some(c => c.low < c.high))
    t.match(posted.parameters, { seed: 5, bootstrap: 20, by: 'channel', halfLifeDays: 7 })
    const { body } = await app.graphql(
      `query ($asOf: DateTime) { metrics { attribution(from: "2025-01-01", to: "2026-01-01", asOf: $asOf,
        models: [FIRST, MARKOV], bootstrap: 20, seed: 5) {
        value { conversions amount attributed { conversions value } unattributed { conversions value } nulls censored
          models { model pConversion transitions { from to p }
            credits { key label conversions value low high cost roi roas removalEffect } } } } } }`,
      { asOf: year.asOf }
    )
    t.equal(body.errors, undefined)
    const first = body.data.metrics.attribution.value as Json
    t.match(first, { conversions: posted.value.conversions, amount: posted.value.amount })
    t.same(
      (first.models[1].credits as Json[]).map(c => [c.key, c.value]),
      (posted.value.models[1].credits as Json[]).map(c => [c.key, c.value])
    )
    const csv = await send('GET', `/v1/metrics/attribution?${query}`, undefined, { accept: 'text/csv' })
    t.equal(csv.status, 200)
    t.match(csv.text, /paid_search/)
  })
})

t.test('whose touches, and whose deals', async t => {
  const workspaceId = await app.newWorkspace('small')
  const key = await app.newKey(['admin'], workspaceId)
  const small = sender(origin, key)
  const make = async (path: string, body: object): Promise<Json> => {
    const { status, body: made, text } = await small('POST', `/v1/${path}`, body)
    if (status !== 201) throw new Error(text)
    return made
  }
  const pipeline = await make('pipelines', { name: 'Sales' })
  const stage = (name: string, kind: string, position: number) =>
    make('stages', { pipelineId: pipeline.id, name, kind, position })
  const [open, won] = [await stage('open', 'open', 1), await stage('won', 'won', 2)]
  const people = await Promise.all(
    ['Ann', 'Ben'].map(name =>
      make('users', { name, email: `${name.toLowerCase()}@example.com`, role: 'rep' })
    )
  )
  const contact = await make('contacts', { firstName: 'Cleo', ownerId: people[0]!.id })
  const deal = (ownerId: string, amount: string, more: object = {}) =>
    make('deals', {
      name: amount,
      ownerId,
      amount,
      currency: 'EUR',
      history: [
        { stageId: open.id, at: '2025-01-05T00:00:00Z' },
        { stageId: won.id, at: '2025-01-20T00:00:00Z' }
      ],
      ...more
    })
  const first = await deal(people[0]!.id as string, '100', { primaryContactId: contact.id })
  await deal(people[1]!.id as string, '40')
  const lead = await make('leads', {
    lastName: 'L',
    ownerId: people[0]!.id,
    dealId: first.id,
    capturedAt: '2025-01-03T00:00:00Z'
  })
  const touch = (day: string, channel: string, whose: object) =>
    make('touches', { channel, occurredAt: `2025-01-${day}T00:00:00Z`, ...whose })
  await touch('02', 'tv', { leadId: lead.id })
  await touch('04', 'fair', { contactId: contact.id })
  await touch('10', 'Direct', { leadId: lead.id })
  await touch('21', 'late', { leadId: lead.id })

  const keysOf = async (parameters: object, by = key) => {
    const { value } = await attribution({ models: ['linear'], ...parameters }, by)
    return [value.amount, (value.models[0].credits as Json[]).map(c => [c.key, c.value])]
  }
  t.same(await keysOf({}), [
    '140',
    [
      ['Direct', '50'],
      ['tv', '50']
    ]
  ])
  t.same(
    await keysOf({ scope: 'deal' }),
    [
      '140',
      [
        ['Direct', '33.3333333333'],
        ['fair', '33.3333333333'],
        ['tv', '33.3333333334']
      ]
    ],
    'of everybody in the deal'
  )
  t.same(await keysOf({ models: ['last_non_direct'] }), ['140', [['tv', '100']]])
  t.same(
    await keysOf({ models: ['w_shaped'] }),
    [
      '140',
      [
        ['Direct', '10'],
        ['tv', '90']
      ]
    ],
    'before the lead: tv; before the deal: tv'
  )
  t.same(await keysOf({ filter: { amount: { lt: '50' } } }), ['40', []])
  t.same(await keysOf({ asOf: '2025-01-19T00:00:00Z' }), ['0', []], 'not won yet')
  t.same((await attribution({ asOf: '2025-01-19T00:00:00Z' }, key)).value.censored, 2)

  const role = {
    key: 'own_rep',
    name: 'Own',
    scopes: ['deals:read', 'leads:read', 'touches:read', 'costs:read', 'metrics:read']
  }
  await make('roles', { ...role, rowScope: 'own' })
  for (const person of people) await small('PATCH', `/v1/users/${person.id}`, { role: 'own_rep' })
  const bens = await make('api-keys', { name: 'ben', userId: people[1]!.id, scopes: ['admin'] })
  t.same(await keysOf({}, bens.key as string), ['40', []], 'of own deals alone')
  const poor = await app.newKey(['metrics:read', 'deals:read'], workspaceId)
  t.match(await sender(origin, poor)('POST', '/v1/metrics/attribution', {}), { status: 403 })
})

const modelledBy = ({ value }: Json, model: string) => ({
  models: (value.models as Json[]).filter(m => m.model === model)
})

/** All that the file of the journeys holds: heuristics, Shapley, and the chain with its removal effects and moves. */
function sameJourneys(t: Test, answer: Json, wanted: Json, paths: number): void {
  const keys = wanted.totals.channels as string[]
  t.equal(paths, wanted.totals.paths)
  const plain = ['first', 'last', 'linear', 'position', 'shapley']
  for (const model of plain) {
    const found = credits(modelOf(answer, model))
    const of = (
      model === 'shapley' ? wanted.shapley_unordered : wanted.heuristics[names[model] ?? model]
    ) as Json
    t.same([...found.keys()].sort(), keys, model)
    for (const key of keys) {
      near(t, found.get(key)!.conversions, of[key].conversions as number, `${model} ${key}: conversions`)
      near(t, found.get(key)!.value, of[key].value as number, `${model} ${key}: value`)
    }
  }
  const markov = modelOf(answer, 'markov')
  const { removal_effect, attributed_conversions, transition_probabilities } =
    wanted.markov_order1_with_nulls as Json
  for (const [key, credit] of credits(markov)) {
    near(t, credit.removalEffect, removal_effect[key!] as number, `${key} removed`)
    near(t, credit.conversions, attributed_conversions[key!] as number, `markov ${key}: conversions`)
  }
  const moves = (markov.transitions as Json[]).map(m => [`${m.from} -> ${m.to}`, m.p as number] as const)
  t.same(moves.map(m => m[0]).sort(), Object.keys(transition_probabilities as Json).sort())
  for (const [move, p] of moves) near(t, p, transition_probabilities[move] as number, move)
}

/** The journeys that a chain learnt from: those that convert, and by its odds those that came to nothing. */
function sameInputs(t: Test, answer: Json, wanted: Json): void {
  const { conversions } = answer.value.attributed as { conversions: number }
  t.equal(conversions, wanted.converting)
  const odds = modelOf(answer, 'markov').pConversion as number
  near(t, conversions / odds - conversions, wanted.null as number, 'journeys that came to nothing')
}

t.test('what becomes of a lead later does not change what had become of it', async t => {
  const { request } = await workspaceOf(app, 'again')
  const make = (path: string, body: object) => done(request('POST', `/v1/${path}`, body))
  const valueOf = async (name: string, parameters: object) =>
    (await make(`metrics/${name}`, parameters)).value as Json
  const { id: pipelineId } = await make('pipelines', { name: 'Sales' })
  const { id: stageId } = await make('stages', { pipelineId, name: 'open', kind: 'open', position: 1 })
  const lead = async (unqualifiedAt: string) =>
    (await make('leads', { lastName: 'x', capturedAt: '2025-01-01T00:00:00Z', status: 'unqualified', unqualifiedAt })).id as string // prettier-ignore
  const again = await lead('2025-01-10T00:00:00Z')
  const converted = await lead('2025-01-10T00:00:00Z')
  await lead('2025-03-01T00:00:00Z')
  const history = [{ stageId: stageId as string, at: '2025-01-05T00:00:00Z' }]
  const { id: dealId } = await make('deals', { name: 'Deal', openedAt: '2025-01-05T00:00:00Z', history })
  const at = { asOf: '2025-02-01T00:00:00Z' }
  const before = await valueOf('attribution', at)
  t.match(before, { nulls: 2, censored: 2 })
  for (const [id, statuses] of [
    [again, ['working', 'unqualified']],
    [converted, ['working']]
  ] as const)
    // prettier-ignore
    for (const status of statuses) await done(request('PATCH', `/v1/leads/${id}`, { status }))
  await make(`leads/${converted}/convert`, { deal: { id: dealId as string } })
  t.same(await valueOf('attribution', at), before)
  t.match(await valueOf('attribution', {}), { nulls: 2, censored: 1 }, 'today the one is its deal')
  t.match(await valueOf('lead-funnel', at), { withDeal: 0 })
  t.match(await valueOf('lead-funnel', {}), { withDeal: 1 })
})
