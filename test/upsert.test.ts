import t from 'tap'
import { testApp } from './helpers/app.js'

t.test('what only a creation takes is of no account for a deal that is there', async t => {
  const { call } = await testApp(t)
  const stages = [{ name: 'New' }, { name: 'Won', kind: 'won' }]
  const pipeline = (await call('POST', '/v1/pipelines', { name: 'Sales', stages })).body
  const { data } = (await call('GET', `/v1/stages?pipelineId=${pipeline.id}&sort=position`)).body
  const [first, won] = data as { id: string }[]
  const path = '/v1/deals/external/shop/1'
  const made = (await call('PUT', path, { name: 'One', stageId: first!.id })).body
  const other = { stageId: won!.id, openedAt: '2020-01-01T00:00:00Z' }

  t.test('by a single call', async t => {
    const again = await call('PUT', path, { name: 'One', ...other })
    t.equal(again.status, 200)
    t.same(again.body, made)
  })

  t.test('by a batch', async t => {
    const body = { name: 'Two', ...other, history: [{ stageId: won!.id, at: '2020-01-01T00:00:00Z' }] }
    const operations = [{ op: 'upsert', source: 'shop', externalId: '1', body }]
    const batch = await call('POST', '/v1/deals/batch', { operations })
    t.match(batch.body.results, [{ status: 'updated', id: made.id }])
    const { stageId, status, openedAt } = made
    t.match((await call('GET', path)).body, { name: 'Two', stageId, status, openedAt })
    t.equal((await call('GET', `/v1/deals/${made.id}/history`)).body.data.length, 1)
  })
})
