import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, funnel, makeDeal, makePipeline, summary, type Pipeline, type Visit } from './helpers/funnel.js'

const { call } = await testApp(t)
const day = (n: number) => `2025-01-${String(n).padStart(2, '0')}T12:00:00Z`

const change = (pipeline: Pipeline, stage: string, patch: object) =>
  done(call('PATCH', `/v1/stages/${pipeline.stage[stage]}`, patch))

const addStage = async (pipeline: Pipeline, name: string, position: number) => {
  const { id } = await done(call('POST', '/v1/stages', { pipelineId: pipeline.id, name, position }))
  pipeline.stage[name] = id as string
}

/** The server's clock, with some milliseconds to both sides in which nothing happens. */
async function moment(pipeline: Pipeline): Promise<string> {
  await sleep(5)
  const { asOf } = await funnel(call, pipeline)
  await sleep(5)
  return asOf as string
}

t.test('steps are counted by rank, not by position', async t => {
  const pipeline = await makePipeline(call, [
    'a:open:10',
    'b:open:20',
    'c:open:300',
    'won:won:5',
    'lost:lost:1'
  ])
  await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['b', day(2)],
    ['c', day(3)],
    ['a', day(4)],
    ['c', day(5)],
    ['won', day(6)]
  ])
  const found = summary(await funnel(call, pipeline))
  t.same(found.moves, { forward: 2, backward: 1, skip: 1, dealsBackward: 1, dealsSkipped: 1 })
  t.same(Object.entries(found.reached as object), [
    ['a', 1],
    ['b', 1],
    ['c', 1],
    ['won', 1]
  ])
})

t.test('a stage that is archived is stepped over by later moves, and keeps its history', async t => {
  const pipeline = await makePipeline(call, ['a:open:10', 'b:open:20', 'c:open:30', 'won:won:40'])
  await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['c', day(2)]
  ])
  const stuck = await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['b', day(2)]
  ])
  await change(pipeline, 'b', { archived: true })
  await makeDeal(
    call,
    pipeline,
    [
      ['a', day(1)],
      ['c', day(2)]
    ],
    { sourceChannel: 'late' }
  )
  await done(call('POST', `/v1/deals/${stuck}/move`, { stageId: pipeline.stage.c, at: day(3) }))
  const found = summary(await funnel(call, pipeline))
  t.same(found.moves, { forward: 3, skip: 1, dealsSkipped: 1 })
  t.same(found.entered, { a: 3, b: 1, c: 3, won: 0 })
  t.same(found.transitions, { 'a b': 1, 'a c': 2, 'b c': 1 })
  const late = await funnel(call, pipeline, { filter: { sourceChannel: { eq: 'late' } } })
  t.same(Object.keys(summary(late).reached as object), ['a', 'c', 'won'], 'nobody was in the archived stage')
})

t.test('a stage that is put between later makes no skip of earlier moves', async t => {
  const pipeline = await makePipeline(call, ['a:open:10', 'b:open:20', 'won:won:40'])
  const whole: Visit[] = [
    ['a', day(1)],
    ['b', day(2)],
    ['won', day(3)]
  ]
  await makeDeal(call, pipeline, whole)
  const started = await makeDeal(call, pipeline, [['a', day(1)]])
  await addStage(pipeline, 'between', 15)
  await addStage(pipeline, 'last', 30)
  await makeDeal(call, pipeline, whole)
  t.same(summary(await funnel(call, pipeline)).moves, { forward: 1, skip: 2, dealsSkipped: 1 })
  await done(call('POST', `/v1/deals/${started}/move`, { stageId: pipeline.stage.b }))
  t.same(summary(await funnel(call, pipeline)).moves, { forward: 1, skip: 3, dealsSkipped: 2 })
})

t.test('stages in another order: each move counts by the order of its time', async t => {
  const pipeline = await makePipeline(call, ['a:open:10', 'b:open:20', 'c:open:30', 'won:won:40'])
  await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['b', day(2)]
  ])
  await change(pipeline, 'b', { position: 30 })
  await change(pipeline, 'c', { position: 20 })
  const now = summary(await funnel(call, pipeline))
  t.same(
    Object.entries(now.reached as object),
    [
      ['a', 1],
      ['c', 1],
      ['b', 0],
      ['won', 0]
    ],
    'it came to the second place'
  )
  t.same(now.entered, { a: 1, b: 1, c: 0, won: 0 })
  t.same(now.moves, { forward: 1 })
  await makeDeal(call, pipeline, [
    ['c', day(1)],
    ['b', day(2)]
  ])
  t.same(summary(await funnel(call, pipeline)).moves, { forward: 2 })
})

t.test('a past asOf answers the same before and after later changes', async t => {
  const pipeline = await makePipeline(call, ['a', 'b', 'c', 'won:won', 'lost:lost'])
  const one = await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['b', day(2)]
  ])
  await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['won', day(3)]
  ])
  const past = { asOf: day(2) }
  const now = { asOf: await moment(pipeline) }
  const value = async (parameters: object) => (await funnel(call, pipeline, parameters)).value as object
  const before = [await value(past), await value(now)]

  await done(call('POST', `/v1/deals/${one}/move`, { stageId: pipeline.stage.lost }))
  await makeDeal(call, pipeline, [['c', new Date().toISOString()]])
  await done(call('PATCH', `/v1/deals/${one}`, { name: 'Renamed', amount: '5', currency: 'EUR' }))
  t.same([await value(past), await value(now)], before, 'after later moves and deals')

  await change(pipeline, 'a', { name: 'First' })
  await change(pipeline, 'b', { archived: true })
  await change(pipeline, 'c', { position: 0 })
  await addStage(pipeline, 'new', 9)
  t.same(await value(now), before[1], 'after changes of the pipeline')
  const stages = (await funnel(call, pipeline)).value.stages as { stage: { name: string } }[]
  t.same(
    stages.map(s => s.stage.name),
    ['c', 'First', 'b', 'new', 'won'],
    'now it is another one'
  )
})

t.test('knownAt leaves out what was recorded later, whenever it happened', async t => {
  const pipeline = await makePipeline(call, ['a', 'b', 'won:won', 'lost:lost'])
  const deal = await makeDeal(call, pipeline, [
    ['a', day(1)],
    ['b', day(9)]
  ])
  const knownAt = await moment(pipeline)
  await done(call('POST', `/v1/deals/${deal}/move`, { stageId: pipeline.stage.lost, at: day(5) }))
  await makeDeal(call, pipeline, [['b', day(2)]])
  await change(pipeline, 'b', { name: 'Later name' })

  const then = await funnel(call, pipeline, { asOf: day(20), knownAt })
  t.equal(then.knownAt, knownAt)
  t.match(summary(then), { deals: 1, moves: { forward: 1 }, transitions: { 'a b': 1 } })
  const since = summary(await funnel(call, pipeline, { asOf: day(20) }))
  t.same(since.moves, { reopen: 1, dealsReopened: 1 })
  t.same(since.transitions, { 'a lost': 1, 'lost Later name': 1 })
  t.equal(since.deals, 2)
})
