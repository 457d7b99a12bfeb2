import t, { type Test } from 'tap'
import { readCsv } from '../scripts/load/csv.js'
import { testApp } from './helpers/app.js'
import { expectedName, modelOf } from './helpers/attribution.js'
import { edgeCase, expectedOf, hasReference, near, referenceFolder, type Json } from './helpers/expected.js'
import { listening } from './helpers/http.js'
import { figure } from './helpers/reference.js'

const send = await listening(await testApp(t))

const attribution = (parameters: object) => figure(send, 'attribution', parameters)

const credits = ({ credits }: Json) => new Map((credits as Json[]).map(c => [c.key as string | null, c]))

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

/** All that the file of the journeys holds: heuristics, Shapley, and the chain with its removal effects and moves. */
function sameJourneys(t: Test, answer: Json, wanted: Json, paths: number): void {
  const keys = wanted.totals.channels as string[]
  t.equal(paths, wanted.totals.paths)
  const plain = ['first', 'last', 'linear', 'position', 'shapley']
  for (const model of plain) {
    const found = credits(modelOf(answer, model))
    const of = (
      model === 'shapley' ? wanted.shapley_unordered : wanted.heuristics[expectedName(model)]
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
