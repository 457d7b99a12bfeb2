import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { readFile } from 'node:fs/promises'
import sql, { raw } from 'sql-template-tag'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { asksOf, end } from './helpers/figure-asks.js'
import { check } from './helpers/figure-parts.js'
import { done } from './helpers/funnel.js'
import { emptyPlace, history, instant, rates, tell, type Place } from './helpers/history.js'
import { workspaceOf } from './helpers/workspace.js'

type Json = Record<string, unknown>

const app = await testApp(t)

const dealFigures = /^(funnel|time-to-close|win-rate|velocity|lead-funnel|acquisition-cost|attribution)$/

async function answers({ request, ...place }: Place, moment: string): Promise<Map<string, Json>> {
  const all = new Map<string, Json>()
  for (const { name, title, given, groupBy } of asksOf({ request, ...place })) {
    if (!dealFigures.test(name)) continue
    for (const by of [undefined, groupBy[0]]) {
      const { value, groups, buckets, explain, excluded, counts, reasons } = await done(
        request('POST', `/v1/metrics/${name}`, {
          ...given,
          ...(name === 'time-to-close' && { maturedDays: [10, 40] }),
          asOf: moment,
          knownAt: moment,
          groupBy: by,
          explain: true
        })
      )
      all.set(`${title} by ${String(by)}`, { value, groups, buckets, explain, excluded, counts, reasons })
    }
  }
  return all
}

async function changePipeline({ request, pipeline }: Place): Promise<void> {
  await done(request('POST', '/v1/stages', { pipelineId: pipeline.id, name: 'between', position: 1 }))
  await done(request('PATCH', `/v1/stages/${pipeline.stage.c!}`, { archived: true }))
}

// What only the row of a deal says is what its history says, so it does not matter which of them is asked.
t.test('what deals say themselves is what their histories say', async t => {
  let places = 0
  let compared = 0
  await fc.assert(
    fc.asyncProperty(history, async past => {
      const place = await emptyPlace((await workspaceOf(app, `place ${places++}`)).request)
      const { request, pipeline } = place
      await rates(request, { USD: { '-3': '0.9', 40: '0.95' }, GBP: { '-3': '1.2' } })
      const { deals } = await tell(place, past)
      // Some go on under another version of the pipeline, some are handed over, some change their values.
      await changePipeline(place)
      const moves = deals.slice(0, 12).map((dealId, i) => ({
        dealId,
        stageId: pipeline.stage[['b', 'won', 'x', 'a', 'lost'][i % 5]!],
        ...(i % 2 === 0 && { at: instant(60 + i) })
      }))
      await done(request('POST', '/v1/deals/moves', { moves }))
      for (const id of deals.slice(8, 14))
        await done(request('PATCH', `/v1/deals/${id}`, { amount: '77.5', currency: 'USD' }))
      const { asOf: moment } = await done(request('GET', '/v1/metrics/churn'))
      const before = await answers(place, moment as string)
      const operations = deals.map(id => ({ op: 'update', id, body: { description: 'written since' } }))
      await done(request('POST', '/v1/deals/batch', { atomic: true, operations }))
      for (const [title, answer] of await answers(place, moment as string)) {
        check(isDeepStrictEqual(answer, before.get(title)), title, answer, before.get(title))
        compared++
      }
    }),
    { numRuns: 2, endOnFailure: true }
  )
  // Two workspaces, each figure as a whole and in groups.
  t.ok(compared >= 2 * 2 * 7, `${compared} answers were compared`)
})

const ofDeals =
  /^(funnel|stage-flow|time-in-stage|time-to-close|win-rate|velocity|stalled-deals|forecast|forecast-waterfall)$/

t.test('deals that are looked up one by one are those that are found in one pass', async t => {
  const everything = { createdAt: { gte: '2000-01-01T00:00:00Z' } }
  let compared = 0
  await fc.assert(
    fc.asyncProperty(history, async past => {
      const place = await emptyPlace((await workspaceOf(app, `place ${compared}`)).request)
      await rates(place.request, { USD: { '-3': '0.9', 40: '0.95' }, GBP: { '-3': '1.2' } })
      const { deals } = await tell(place, past)
      for (const id of deals.slice(0, 6))
        await done(place.request('PATCH', `/v1/deals/${id}`, { amount: '77.5', currency: 'USD' }))
      for (const { name, title, given, groupBy } of asksOf(place)) {
        if (!ofDeals.test(name)) continue
        const ask = async (filter: object | undefined) => {
          const asked = { ...given, asOf: end, groupBy: groupBy[0], explain: true, filter }
          const { value, groups, buckets, explain, reasons } = await done(
            place.request('POST', `/v1/metrics/${name}`, asked)
          )
          return { value, groups, buckets, explain, reasons } as Json
        }
        const [whole, picked] = [await ask(undefined), await ask(everything)]
        check(isDeepStrictEqual(whole, picked), title, whole, picked)
        compared++
      }
    }),
    { numRuns: 2, endOnFailure: true }
  )
  t.ok(compared >= 2 * 9, `${compared} answers were compared`)
})

t.test('a filter that no value stands in picks deals too', async t => {
  const { request, pipeline } = await emptyPlace((await workspaceOf(app, 'valueless')).request)
  const open = [{ stageId: pipeline.stage.a, at: instant(1) }]
  const lost = [...open, { stageId: pipeline.stage.lost, at: instant(9) }]
  for (const body of [
    { history: open },
    { history: open, amount: '5', currency: 'EUR' },
    { history: lost, amount: '7', currency: 'EUR' }
  ])
    // prettier-ignore
    await done(request('POST', '/v1/deals', { name: 'Deal', ...body }))
  const ask = async (name: string, filter: object, more: object = {}) =>
    await done(
      request('POST', `/v1/metrics/${name}`, { pipelineId: pipeline.id, asOf: instant(20), filter, ...more })
    )
  const filters: [object, number, number][] = [
    [{}, 2, 3],
    [{ amount: { isNull: true } }, 1, 1],
    [{ amount: { isNull: false } }, 1, 2],
    [{ or: [] }, 0, 0],
    [{ not: {} }, 0, 0]
  ]
  for (const [filter, openDeals, visits] of filters) {
    const title = JSON.stringify(filter)
    t.equal((await ask('forecast', filter)).value.openDeals, openDeals, title)
    t.equal(
      (await ask('forecast-waterfall', filter, { deals: 'open' })).counts.deals,
      openDeals + Number(visits > openDeals),
      title
    )
    t.equal((await ask('time-in-stage', filter)).counts.visits, visits, title)
    t.equal((await ask('stage-flow', filter)).value.stages[0].entries, visits, title)
  }
})

t.test('a move that is recorded later puts no deal into another period of what was known', async t => {
  const { request, pipeline } = await emptyPlace((await workspaceOf(app, 'opened')).request)
  const ask = async (name: string, more: object) =>
    (await done(
      request('POST', `/v1/metrics/${name}`, {
        pipelineId: pipeline.id,
        from: '2025-08-01',
        to: '2025-09-01',
        ...more
      })
    )) as { value: { deals: number; n: number } }
  const history = [{ stageId: pipeline.stage.a, at: '2025-08-02T00:00:00Z' }]
  const { id } = await done(request('POST', '/v1/deals', { name: 'Late', history }))
  const { asOf, knownAt } = await done(request('GET', '/v1/metrics/churn'))
  await done(
    request('POST', `/v1/deals/${id as string}/move`, {
      stageId: pipeline.stage.b,
      at: '2025-07-20T00:00:00Z'
    })
  )
  for (const [more, deals] of [
    [{ asOf, knownAt }, 1],
    [{}, 0]
  ] as const) {
    t.equal((await ask('funnel', more)).value.deals, deals)
    t.equal((await ask('time-to-close', more)).value.n, deals)
  }
})

const waysOf = async (place: Place) => {
  const { id } = place.pipeline
  return app.database.query<{ id: string; stage: string; way: string[] }>(sql`
    select id, stage_id as stage, way, way_from, way_recorded_at, stage_rows from deals where pipeline_id = ${id} order by id`)
}

t.test('moves at the same time leave the way that the history has', async t => {
  const place = await emptyPlace((await workspaceOf(app, 'at once')).request)
  const { request, pipeline } = place
  const { id } = await done(request('POST', '/v1/deals', { name: 'One', stageId: pipeline.stage.a }))
  const moves = ['b', 'c', 'b', 'c', 'a', 'b', 'c', 'a'].map((stage, i) =>
    request('POST', `/v1/deals/${id as string}/move`, {
      stageId: pipeline.stage[stage],
      ...(i % 2 === 0 && { at: instant(10 + i) })
    })
  )
  for (const { status } of await Promise.all(moves)) t.equal(status, 200)
  const rows = await app.database.query<{ stage: string }>(sql`
    select stage_id as stage from deal_history where deal_id = ${id} and stage_id is not null order by at, seq`)
  const [deal] = await waysOf(place)
  t.same(
    deal!.way,
    rows.map(r => r.stage)
  )
  t.equal(deal!.way.at(-1), deal!.stage)
})

t.test('the migration gives deals of before the ways that writing them gives', async t => {
  const place = await emptyPlace((await workspaceOf(app, 'before')).request)
  const [past] = fc.sample(history, { numRuns: 1, seed: 5 })
  const { deals } = await tell(place, past!)
  await done(place.request('POST', `/v1/deals/${deals[0]!}/move`, { stageId: place.pipeline.stage.x }))
  const written = await waysOf(place)
  t.ok(written.some(d => d.way.length > 1))
  await app.database.query(sql`update deals set way = '{}', way_from = null, way_recorded_at = null`)
  const migration = await readFile(
    new URL('../migrations/0009_ways_of_deals_of_before.sql', import.meta.url),
    'utf8'
  )
  await app.database.query(sql`${raw(migration)}`)
  t.same(await waysOf(place), written)
})
