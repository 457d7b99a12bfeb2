import t from 'tap'
import { isProblem } from './helpers/problems.js'
import { receiver } from './helpers/receiver.js'
import { webhookWorld } from './helpers/webhooks.js'

const { call, graphql, made, created, settled } = await webhookWorld(t)
const endpoint = await receiver(t)
const types = (path: string) => endpoint.at(path).map(r => r.event.type as string)

t.test('types, filters, transitions and thin payloads choose what is sent', async t => {
  const pipelineId = await created('pipelines', { name: 'Hooks', stages: [{ name: 'A' }, { name: 'B' }] })
  const { body: stages } = await call('GET', `/v1/stages?pipelineId=${pipelineId}&sort=position`)
  const [a, b] = (stages.data as { id: string }[]).map(s => s.id)
  const filters: Record<string, object> = {
    moved: { types: ['deal.stage_changed'] },
    deleted: { types: ['*.deleted'] },
    reached: { types: ['deal.*'], filter: { stageId: { to: b } } },
    left: { types: ['deal.*'], filter: { stageId: { from: a } } },
    large: { types: ['deal.*', 'order.*'], filter: { amount: { gte: '1000' } } },
    renamed: { types: ['*'], filter: { name: { changed: true }, stageId: { isNull: false } } },
    gold: { types: ['deal.*'], filter: { customFields: { tier: { eq: 'gold' } } }, payload: 'thin' },
    unowned: { types: ['deal.*'], filter: { ownerId: { to: null }, name: { startsWith: 'big' } } }
  }
  for (const [name, body] of Object.entries(filters)) {
    await made({ url: `${endpoint.url}/${name}`, ...body })
  }
  const small = await created('deals', { name: 'Small', stageId: a, amount: '999.9', currency: 'EUR' })
  const big = await created('deals', {
    name: 'Big',
    stageId: b,
    amount: '1000',
    currency: 'EUR',
    customFields: { tier: 'gold' }
  })
  await call('POST', `/v1/deals/${small}/move`, { stageId: b })
  await call('PATCH', `/v1/deals/${small}`, { name: 'Still small' })
  await call('DELETE', `/v1/deals/${big}`)
  const company = await created('companies', { name: 'Nobody' })
  await call('DELETE', `/v1/companies/${company}`)
  await settled()
  const seen = (name: string) =>
    endpoint.at(`/${name}`).map(r => [r.event.type, r.event.recordId === small ? 'small' : 'big'])
  t.same(seen('moved'), [['deal.stage_changed', 'small']])
  t.same(types('/deleted').slice(0, 2), ['deal.deleted', 'company.deleted'])
  t.same(seen('reached'), [
    ['deal.created', 'big'],
    ['deal.stage_changed', 'small']
  ])
  t.same(seen('left'), [['deal.stage_changed', 'small']])
  t.same(seen('large'), [
    ['deal.created', 'big'],
    ['deal.deleted', 'big']
  ])
  t.same(seen('renamed'), [['deal.updated', 'small']])
  t.same(seen('unowned'), [['deal.created', 'big']])
  const [thin] = endpoint.at('/gold')
  t.same(Object.keys(thin!.event), ['id', 'sequence', 'type', 'resource', 'recordId', 'occurredAt'])
})

t.test('what is wrong with a webhook is told by field', async t => {
  const url = `${endpoint.url}/wrong`
  const wrong: [object, string, number?][] = [
    [{}, '/url'],
    [{ url: 'ftp://example.com' }, '/url'],
    [{ url: 'https://user:pass@example.com' }, '/url'],
    [{ url, types: [] }, '/types'],
    [{ url, types: ['deel.*'] }, '/types/0'],
    [{ url, types: ['deal.*', 'deal'] }, '/types/1'],
    [{ url, types: ['deal.*', 'deal.stage_chnged'] }, '/types/1'],
    [{ url, types: ['contact.merged'] }, '/types/0'],
    [{ url, types: ['*.*'] }, '/types/0'],
    [{ url, filter: [] }, '/filter'],
    [{ url, types: ['deal.*'], filter: { amont: { eq: '1' } } }, '/filter/amont'],
    [{ url, types: ['deal.*'], filter: { amount: { gte: 1 } } }, '/filter/amount/gte'],
    [{ url, types: ['deal.*'], filter: { amount: { like: '1' } } }, '/filter/amount/like'],
    [{ url, types: ['deal.*'], filter: { amount: '1' } }, '/filter/amount'],
    [{ url, types: ['deal.*'], filter: { stageId: { to: 'x' } } }, '/filter/stageId/to'],
    [{ url, types: ['deal.*'], filter: { amount: { changed: 1 } } }, '/filter/amount/changed'],
    [{ url, types: ['deal.*'], filter: { company: { name: { eq: 'x' } } } }, '/filter/company'],
    [{ url, types: ['deal.*'], filter: { lastName: { eq: 'x' } } }, '/filter/lastName'],
    [{ url, filter: { lastName: { eq: 'x' }, stageId: { isNull: true } } }, '/filter'],
    [{ url, payload: 'tiny' }, '/payload'],
    [{ url, status: 'parked' }, '/status']
  ]
  for (const [body, pointer] of wrong) {
    isProblem(t, await call('POST', '/v1/webhooks', body), { status: 400, pointer }, '/v1/webhooks')
  }
  t.match(
    (await call('POST', '/v1/webhooks', { url, types: ['deel.*'] })).body.detail,
    /Did you mean deal\.\*\?/
  )
  const misspelt = await call('POST', '/v1/webhooks', { url, types: ['deal.stage_chnged'] })
  t.match(misspelt.body.detail, /Did you mean deal\.stage_changed\?/)
  const { id } = await made({ url, types: ['deal.*'], filter: { amount: { gte: '1' } }, enabled: false })
  const patch = await call('PATCH', `/v1/webhooks/${id}`, { types: ['contact.*'] })
  isProblem(t, patch, { status: 400, pointer: '/filter/amount' }, `/v1/webhooks/${id}`)
  t.match(await call('PATCH', `/v1/webhooks/${id}`, { filter: null, types: ['contact.*'] }), {
    status: 200,
    body: { filter: null, version: 2 }
  })
  t.equal((await call('PATCH', `/v1/webhooks/${id}`, { filter: null })).body.version, 2, 'null stays null')
  const graph = await graphql('mutation { createWebhook(input: { url: "http://x y" }) { secret } }')
  t.match(graph.body.errors[0].extensions, { code: 'invalid_input', errors: [{ pointer: '/url' }] })
  for (const verb of ['test', 'resume']) {
    isProblem(
      t,
      await call('POST', `/v1/webhooks/${id}/${verb}`),
      { status: 422 },
      `/v1/webhooks/${id}/${verb}`
    )
  }
  isProblem(t, await call('POST', `/v1/webhooks/${id}/resend`, {}), { status: 400, pointer: '/from' })
})
