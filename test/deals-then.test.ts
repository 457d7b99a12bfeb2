import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, funnel, makeDeal, makePipeline, together, type Pipeline } from './helpers/funnel.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

const { call } = await testApp(t)

const day = (date: string) => `${date}T12:00:00Z`
const figure = (name: string, given: object) => done(call('POST', `/v1/metrics/${name}`, given))
const change = (stage: string, patch: object) => done(call('PATCH', `/v1/stages/${stage}`, patch))
const move = (deal: string, stageId: string, at?: string) =>
  done(call('POST', `/v1/deals/${deal}/move`, { stageId, ...(at && { at }) }))

/** The server's clock, with some milliseconds to both sides in which nothing happens. */
async function moment(pipeline: Pipeline): Promise<string> {
  await sleep(5)
  const { asOf } = await funnel(call, pipeline)
  await sleep(5)
  return asOf as string
}

t.test('groups by what follows from stages are those of the moment', async t => {
  const pipeline = await makePipeline(call, ['a', 'b', 'won:won'])
  const other = await makePipeline(call, ['x', 'y'], 'Other')
  const moved = await makeDeal(call, pipeline, [
    ['a', day('2025-01-01')],
    ['b', day('2025-02-01')]
  ])
  await makeDeal(call, together(pipeline, other), [
    ['a', day('2025-01-01')],
    ['x', day('2025-02-01')]
  ])
  const groups = async (groupBy: string, more: object) => {
    const answer = await funnel(call, pipeline, { groupBy: [groupBy], ...more })
    return Object.fromEntries(
      (answer.groups as Json[]).map(g => [g.label as string, g.value.deals as number])
    )
  }
  const knownAt = await moment(pipeline)
  const then = { asOf: day('2025-01-15'), knownAt }
  const told = async () => ({
    first: await groups('stageId', then),
    last: await groups('stageId', { ...then, groupAt: 'last' }),
    later: await groups('stageId', { asOf: day('2025-02-15'), knownAt, groupAt: 'last' }),
    status: await groups('status', { ...then, groupAt: 'last' }),
    entered: await groups('stageEnteredAt', { ...then, groupAt: 'last' }),
    name: await groups('stage.name', { ...then, groupAt: 'last' }),
    opened: await groups('openedAt', then)
  })
  const before = await told()
  t.match(before, { first: { a: 2 }, last: { a: 2 }, later: { b: 1 }, status: { open: 2 }, name: { a: 2 } })
  t.same(before.entered, { '2025-01-01T12:00:00.000Z': 2 })

  await move(moved, pipeline.stage.won!)
  await move(moved, pipeline.stage.a!, day('2024-12-01'))
  t.same(await told(), before, 'what is recorded later changes none of them')
  t.match(await groups('stageId', { ...then, groupAt: 'current' }), { won: 1, x: 1 })
  t.match(await groups('status', { groupAt: 'last' }), { won: 1 })
})

t.test('the funnel and the flow of stages agree on what was a step back', async t => {
  const both = async (pipeline: Pipeline, id: string) => {
    const asked = { pipelineId: pipeline.id, filter: { id: { eq: id } } }
    const { moves } = (await figure('funnel', asked)).value as Json
    const { stages } = (await figure('stage-flow', asked)).value as Json
    const sum = (name: string) => (stages as Json[]).reduce((n, s) => n + (s[name] as number), 0)
    return [moves.forward + moves.skip, moves.backward, sum('advanced'), sum('movedBack')]
  }
  const forward = [1, 0, 1, 0]
  const back = [0, 1, 0, 1]
  const pipeline = await makePipeline(call, ['a:open:1', 'b:open:2', 'c:open:3', 'won:won:4'], 'Reordered')
  const deal = await makeDeal(call, pipeline, [['b', day('2025-01-01')]])
  await sleep(5)
  await change(pipeline.stage.b!, { position: 9 })
  await sleep(5)
  await move(deal, pipeline.stage.c!, day('2025-02-01'))
  t.same(await both(pipeline, deal), forward, 'stages were where they stood when the deal entered them')
  const later = await makeDeal(call, pipeline, [
    ['b', day('2025-01-01')],
    ['c', day('2025-02-01')]
  ])
  t.same(await both(pipeline, later), back)

  const tied = await makePipeline(call, ['a:open:1', 'b:open:2', 'n:open:2', 'won:won:4'], 'Tied')
  for (const [way, moved] of [
    [['b', 'n'], forward],
    [['n', 'b'], back]
  ] as const) {
    const id = await makeDeal(call, tied, [
      [way[0], day('2025-01-01')],
      [way[1], day('2025-02-01')]
    ])
    t.same(await both(tied, id), moved, `${way.join(' to ')}, of one position`)
  }
})

t.test('a bucket tells of a deal what its own visits come to', async t => {
  const pipeline = await makePipeline(call, ['a', 'b', 'won:won'], 'Back and forth')
  await makeDeal(call, pipeline, [
    ['a', day('2025-01-05')],
    ['b', day('2025-01-10')],
    ['a', day('2025-02-05')],
    ['b', day('2025-02-11')],
    ['a', day('2025-03-05')]
  ])
  const asked = { pipelineId: pipeline.id, asOf: day('2025-04-01'), interval: 'month' }
  const { value, buckets } = await figure('time-in-stage', asked)
  const told = ({ stages }: Json) => {
    const { totalPerDeal, latest } = (stages as Json[])[0]!
    return [totalPerDeal.n, totalPerDeal.mean, latest.n, latest.mean] as number[]
  }
  t.same(told(value as Json), [1, 38, 1, 27])
  t.same((buckets as Json[]).slice(0, 3).map(b => told(b.value as Json)), [
    [1, 5, 1, 5],
    [1, 6, 1, 6],
    [1, 27, 1, 27]
  ]) // prettier-ignore
})

t.test('what the filter leaves out makes no deal stall', async t => {
  const pipeline = await makePipeline(call, ['a', 'won:won'], 'Tested')
  const won = (until: string, sourceChannel: string) =>
    makeDeal(
      call,
      pipeline,
      [
        ['a', day('2025-01-01')],
        ['won', day(until)]
      ],
      { sourceChannel }
    )
  await won('2025-12-01', 'test')
  await won('2025-01-03', 'web')
  const open = await makeDeal(call, pipeline, [['a', day('2025-06-01')]], { sourceChannel: 'web' })
  const asked = { pipelineId: pipeline.id, asOf: day('2025-08-01') }
  const filter = { sourceChannel: { ne: 'test' } }
  const { value, deals } = await figure('stalled-deals', { ...asked, filter })
  t.match(value, { count: 1, thresholds: [{ p90: 2 }] })
  t.match(deals, [{ dealId: open }])
  t.match((await figure('stalled-deals', { ...asked, asOf: day('2025-12-02') })).value, { count: 0 })
})

t.test('stages of other pipelines have the names they had', async t => {
  const [here, there] = [await makePipeline(call, ['a'], 'Here'), await makePipeline(call, ['x'], 'There')]
  await makeDeal(call, together(here, there), [
    ['a', day('2025-01-01')],
    ['x', day('2025-02-01')]
  ])
  const then = await moment(here)
  await change(there.stage.x!, { name: 'x renamed' })
  const names = async (more: object) => {
    const { value } = await funnel(call, here, more)
    return (value.transitions as Json[]).map(({ from, to }) => [from.name, to.name] as string[])
  }
  t.same(await names({ asOf: then, knownAt: then }), [['a', 'x']])
  t.same(await names({}), [['a', 'x renamed']])
})

t.test('a filter finds what deals were at the moment', async t => {
  const pipeline = await makePipeline(call, ['a', 'b', 'won:won', 'lost:lost'], 'Filtered')
  const fields = { amount: '10', currency: 'EUR', probability: 0.5 }
  const deal = await makeDeal(
    call,
    pipeline,
    [
      ['a', day('2025-01-01')],
      ['won', day('2025-03-01')]
    ],
    fields
  )
  await makeDeal(call, pipeline, [['a', day('2025-01-01')]], { amount: '20', currency: 'EUR' })
  const knownAt = await moment(pipeline)
  const found = async (filter: object, more: object) =>
    (await funnel(call, pipeline, { filter, ...more })).value.deals as number
  const moments = [
    { asOf: day('2025-02-01'), knownAt },
    { asOf: knownAt, knownAt },
    { asOf: day('2025-02-01') }
  ]
  const filters = [
    { amount: { gte: '10' } },
    { amount: { eq: '10' } },
    { probability: { isNull: true } },
    { status: { eq: 'won' } },
    { status: { eq: 'open' } },
    { stageId: { eq: pipeline.stage.a } },
    { not: { stage: { name: { eq: 'a' } } } },
    { closedAt: { gte: '2025-02-15T00:00:00Z' } },
    { openedAt: { lt: '2025-01-02T00:00:00Z' } },
    { ownerId: { isNull: true } }
  ]
  const all = () => Promise.all(filters.map(f => Promise.all(moments.map(m => found(f, m)))))
  const before = await all()
  t.same(before, [
    [2, 2, 2],
    [1, 1, 1],
    [1, 1, 1],
    [0, 1, 0],
    [2, 1, 2],
    [2, 1, 2],
    [0, 1, 0],
    [0, 1, 0],
    [2, 2, 2],
    [2, 2, 2]
  ])
  await done(call('PATCH', `/v1/deals/${deal}`, { amount: '5', probability: null }))
  await move(deal, pipeline.stage.lost!)
  await move(deal, pipeline.stage.b!, day('2024-12-01'))
  const known = (counts: number[][]) => counts.map(c => c.slice(0, 2))
  t.same(known(await all()), known(before), 'what is written later changes nothing')
  t.equal(await found({ amount: { eq: '5' } }, {}), 1, 'now it is as it is')
  t.equal(await found({ status: { eq: 'lost' } }, {}), 1)
})

t.test('a pipeline that there is not is refused, and windows of a thousand years are none', async t => {
  const unknown = await call('GET', `/v1/metrics/attribution?pipelineId=01234567-89ab-7def-8123-456789abcdef`)
  t.match(unknown, {
    status: 422,
    body: { errors: [{ parameter: 'pipelineId', code: 'unknown_reference' }] }
  })
  const pipeline = await makePipeline(call, ['a', 'won:won'], 'Ages')
  for (const window of ['from=2025-09-01&to=2999-01-01', 'from=1000-01-01&to=2999-12-31&backtest=12']) {
    const { status, body } = await call('GET', `/v1/metrics/forecast?pipelineId=${pipeline.id}&${window}`)
    t.equal(status, 200, JSON.stringify(body))
  }
})
