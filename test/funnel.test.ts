import { readFile } from 'node:fs/promises'
import t from 'tap'
import { rate } from '../src/metrics/rate.js'
import { testApp } from './helpers/app.js'
import { done, funnel, makeDeal, makePipeline, rates, summary, together } from './helpers/funnel.js'

const app = await testApp(t)
const { call } = app
const steps = ['a', 'b', 'c', 'd', 'won:won', 'lost:lost']
const day = (n: number) => `2025-01-${String(n).padStart(2, '0')}T12:00:00Z`

interface EdgeCase {
  id: string
  title: string
  given: {
    stages: string[]
    as_of: string
    deals: { created_at: string; events: { at: string; stage: string }[] }[]
    won: number
    lost: number
  }
  expect: Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- as each case has it
}

const file = await readFile(new URL('data/edge-cases.json', import.meta.url), 'utf8')
const { cases } = JSON.parse(file) as { cases: EdgeCase[] }

t.test('the cases of the definitions', async t => {
  for (const id of ['E01', 'E02', 'E03', 'E04', 'E05', 'E06', 'E07', 'E09']) {
    const { title, given, expect } = cases.find(c => c.id === id)!
    await t.test(`${id} ${title}`, async t => {
      const pipeline = await makePipeline(call, [...given.stages, 'won:won', 'lost:lost'])
      for (const deal of given.deals) {
        const history = deal.events.map(e => [e.stage, e.at] as const)
        await makeDeal(call, pipeline, history, { openedAt: deal.created_at })
      }
      const answer = await funnel(call, pipeline, { asOf: given.as_of })
      const { reached, entered, outcome, openNow, lostFrom, moves } = summary(answer)
      const { fromPrevious, fromFirst, winRate } = rates(answer)
      const { forward, dealsReopened, ...otherMoves } = moves
      const found = {
        reached,
        entered,
        outcome,
        open: outcome.open,
        open_by_stage: openNow,
        lost_from: lostFrom,
        moves: { ...otherMoves, forward_one: forward, deals_reopened: dealsReopened },
        win_rate: winRate,
        conversion_from_previous: fromPrevious,
        conversion_from_first: fromFirst
      }
      const known = Object.entries(expect).filter(([key]) => key in found)
      t.ok(known.length > 0)
      for (const [key, wanted] of known) {
        const rounded = JSON.parse(JSON.stringify(found[key as keyof typeof found]), (_, v: unknown) =>
          typeof v === 'number' ? Math.round(v * 1e9) / 1e9 : v
        )
        if (typeof wanted === 'object' && wanted !== null) t.match(rounded, wanted, key)
        else t.equal(rounded, wanted, key)
      }
    })
  }

  await t.test('E24 the interval of a rate', async t => {
    const { given, expect } = cases.find(c => c.id === 'E24')!
    const { value, low, high } = rate(given.won, given.won + given.lost)
    t.equal(value, expect.win_rate)
    t.ok(Math.abs(low! - expect.low) < 1e-6)
    t.ok(Math.abs(high! - expect.high) < 1e-6)
  })
})

t.test('a deal that starts in a later stage has reached the earlier ones', async t => {
  const pipeline = await makePipeline(call, steps)
  await makeDeal(call, pipeline, [['c', day(1)]])
  t.match(summary(await funnel(call, pipeline)), {
    reached: { a: 1, b: 1, c: 1, d: 0, won: 0 },
    entered: { a: 0, b: 0, c: 1, d: 0, won: 0 },
    openNow: { c: 1 }
  })
})

t.test('a win before the last stage is a skip, one from the last is no move', async t => {
  const pipeline = await makePipeline(call, steps)
  await makeDeal(call, pipeline, [
    ['b', day(1)],
    ['won', day(2)]
  ])
  await makeDeal(call, pipeline, [
    ['c', day(1)],
    ['d', day(2)],
    ['won', day(3)]
  ])
  t.same(summary(await funnel(call, pipeline)), {
    deals: 2,
    outcome: { won: 2, lost: 0, open: 0 },
    everWon: 2,
    reached: { a: 2, b: 2, c: 2, d: 2, won: 2 },
    entered: { a: 0, b: 1, c: 1, d: 1, won: 2 },
    openNow: {},
    lostFrom: {},
    moves: { forward: 1, skip: 1, dealsSkipped: 1 },
    transitions: { 'b won': 1, 'c d': 1, 'd won': 1 }
  })
})

t.test('a deal lost without an open stage has reached none', async t => {
  const pipeline = await makePipeline(call, steps)
  await makeDeal(call, pipeline, [['lost', day(1)]])
  const answer = await funnel(call, pipeline)
  t.match(summary(answer), { deals: 1, outcome: { lost: 1 }, reached: { a: 0 } })
  t.match(rates(answer), { fromFirst: { a: 0 }, fromPrevious: { b: null }, winRate: 0 })
  t.equal(answer.reasons['/value/stages/1/conversionFromPrevious'], 'none_reached')
})

t.test('won, reopened and lost is lost, and was won once', async t => {
  const pipeline = await makePipeline(call, steps)
  await makeDeal(call, pipeline, [
    ['b', day(1)],
    ['won', day(2)],
    ['c', day(3)],
    ['a', day(4)],
    ['lost', day(5)]
  ])
  t.same(summary(await funnel(call, pipeline)), {
    deals: 1,
    outcome: { won: 0, lost: 1, open: 0 },
    everWon: 1,
    reached: { a: 1, b: 1, c: 1, d: 0, won: 0 },
    entered: { a: 1, b: 1, c: 1, d: 0, won: 1 },
    openNow: {},
    lostFrom: { a: 1 },
    moves: { skip: 1, backward: 1, reopen: 1, dealsSkipped: 1, dealsBackward: 1, dealsReopened: 1 },
    transitions: { 'b won': 1, 'won c': 1, 'c a': 1, 'a lost': 1 }
  })
})

t.test('several won and lost stages', async t => {
  const pipeline = await makePipeline(call, ['a', 'b', 'new:won', 'again:won', 'price:lost', 'silence:lost'])
  await makeDeal(call, pipeline, [
    ['b', day(1)],
    ['new', day(2)]
  ])
  await makeDeal(call, pipeline, [
    ['b', day(1)],
    ['again', day(2)]
  ])
  await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['price', day(2)],
    ['silence', day(3)]
  ])
  await makeDeal(call, pipeline, [
    ['b', day(1)],
    ['silence', day(2)]
  ])
  const answer = await funnel(call, pipeline)
  t.same(summary(answer), {
    deals: 4,
    outcome: { won: 2, lost: 2, open: 0 },
    everWon: 2,
    reached: { a: 4, b: 3, Won: 2 },
    entered: { a: 1, b: 3, Won: 2 },
    openNow: {},
    lostFrom: { a: 1, b: 1 },
    moves: {},
    transitions: { 'a price': 1, 'b new': 1, 'b again': 1, 'b silence': 1, 'price silence': 1 }
  })
  t.same(answer.value.stages.at(-1).stage, { stageId: null, name: 'Won', kind: 'won' })
})

t.test('one stage twice in a row is one entry', async t => {
  const pipeline = await makePipeline(call, steps)
  const id = await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['a', day(2)],
    ['b', day(4)],
    ['lost', day(9)]
  ])
  await done(call('POST', `/v1/deals/${id}/move`, { stageId: pipeline.stage.lost, at: day(6) }))
  t.match(summary(await funnel(call, pipeline)), {
    transitions: { 'a b': 1, 'b lost': 1 },
    moves: { forward: 1 }
  })
  const closed = (from: number, to: number) =>
    funnel(call, pipeline, { cohort: 'closed', from: day(from), to: day(to) }).then(
      a => a.value.deals as number
    )
  t.equal(await closed(6, 7), 1, 'it closed when it was first there')
  t.equal(await closed(7, 30), 0)
})

t.test('a handed over deal leaves the one pipeline and is new in the other', async t => {
  const here = await makePipeline(call, ['a', 'b', 'c', 'won:won', 'lost:lost'])
  const there = await makePipeline(call, ['x', 'y', 'z', 'gain:won'], 'Renewals')
  const both = together(here, there)
  await makeDeal(call, both, [
    ['a', day(1)],
    ['b', day(2)],
    ['y', day(3)],
    ['gain', day(4)]
  ])
  await makeDeal(call, both, [
    ['a', day(1)],
    ['x', day(2)],
    ['c', day(3)],
    ['b', day(4)]
  ])
  await makeDeal(call, both, [
    ['a', day(1)],
    ['lost', day(2)],
    ['x', day(3)]
  ])
  const first = await funnel(call, here)
  t.same(summary(first), {
    deals: 1,
    outcome: { won: 0, lost: 0, open: 1 },
    everWon: 0,
    reached: { a: 1, b: 1, c: 1, won: 0 },
    entered: { a: 1, b: 1, c: 1, won: 0 },
    openNow: { b: 1 },
    lostFrom: {},
    moves: { forward: 1, backward: 1, handedOver: 3, dealsBackward: 1 },
    transitions: { 'a b': 1, 'a lost': 1, 'a x': 1, 'b y': 1, 'c b': 1, 'lost x': 1 }
  })
  t.same(first.counts, { deals: 3 })
  t.same(first.excluded, { handedOver: 2, missingAmount: 0, noFxRate: 0 })
  t.same(summary(await funnel(call, there)), {
    deals: 2,
    outcome: { won: 1, lost: 0, open: 1 },
    everWon: 1,
    reached: { x: 2, y: 1, z: 1, gain: 1 },
    entered: { x: 1, y: 1, z: 0, gain: 1 },
    openNow: { x: 1 },
    lostFrom: {},
    moves: { skip: 1, handedOver: 1, dealsSkipped: 1 },
    transitions: { 'y gain': 1, 'x c': 1 }
  })
  const before = summary(await funnel(call, here, { asOf: day(2) }))
  t.match(before, { deals: 2, outcome: { open: 1, lost: 1 }, moves: { forward: 1, handedOver: 1 } })
  const closed = await funnel(call, there, { cohort: 'closed', from: '2025-01-04', to: '2025-01-05' })
  t.match(summary(closed), { deals: 1, outcome: { won: 1 }, moves: { skip: 1 } })
  t.equal((await funnel(call, here, { cohort: 'closed' })).counts.deals, 0, 'it was closed elsewhere')
})

t.test('the cohort closed: the last close decides, and an open deal is in none', async t => {
  const pipeline = await makePipeline(call, steps)
  await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['lost', day(5)],
    ['b', day(10)],
    ['won', day(20)]
  ])
  await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['lost', day(5)],
    ['b', day(10)]
  ])
  await makeDeal(call, pipeline, [
    ['d', day(1)],
    ['won', day(20)]
  ])
  const closed = (from: string, to: string, asOf?: string) =>
    funnel(call, pipeline, { cohort: 'closed', from, to, asOf: asOf ?? null }).then(summary)
  t.same((await closed('2025-01-01', '2025-01-10')).transitions, {})
  t.match(await closed('2025-01-05', '2025-01-06', day(9)), {
    deals: 2,
    outcome: { lost: 2 },
    reached: { b: 0 }
  })
  t.match(await closed('2025-01-20', '2025-01-21'), {
    deals: 2,
    outcome: { won: 2 },
    transitions: { 'b won': 1 }
  })
  t.equal((await closed('2025-01-20', day(20))).deals, 0)
  t.match(summary(await funnel(call, pipeline, { cohort: 'closed' })), { deals: 2, outcome: { won: 2 } })
})

t.test('a deal in the bin is in no figure, and back again when restored', async t => {
  const pipeline = await makePipeline(call, steps)
  const id = await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['b', day(2)]
  ])
  await done(call('DELETE', `/v1/deals/${id}`))
  t.match(summary(await funnel(call, pipeline)), { deals: 0, reached: { a: 0 } })
  await done(call('POST', `/v1/deals/${id}/restore`))
  t.match(summary(await funnel(call, pipeline)), { deals: 1, reached: { b: 1 } })
})

t.test('a filter applies before anything is counted and is echoed', async t => {
  const pipeline = await makePipeline(call, steps)
  await makeDeal(call, pipeline, [['a', day(1)]], { name: 'Internal test' })
  await makeDeal(call, pipeline, [['b', day(1)]], { name: 'Real', customFields: { tier: 'gold' } })
  const filter = { not: { name: { startsWith: 'Internal' } }, customFields: { tier: { eq: 'gold' } } }
  const answer = await funnel(call, pipeline, { filter })
  t.match(summary(answer), { deals: 1, entered: { a: 0, b: 1 } })
  t.same(answer.parameters.filter, filter)
})
