import t from 'tap'
import { testApp } from './helpers/app.js'
import { as, identity } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'

const kith = await testApp(t)
const { call } = kith

const retail = { field: 'industry', condition: { eq: 'Retail' }, points: 10, group: 'fit' }
const make = (more: object) => call('POST', '/v1/scoring-rules', { ...retail, ...more })

t.test('conditions in the filter language of leads', async t => {
  const kept: [string, object][] = [
    ['industry', { in: ['Retail', 'Wholesale'] }],
    ['customFields.tier', { eq: 'gold' }],
    ['customFields', { tier: { eq: 'gold' }, seats: { gt: 5 } }],
    ['company.employeeCount', { gte: 50, lt: 1000 }],
    ['company', { country: { eq: 'BD' }, industry: { isNull: false } }],
    ['tags', { contains: 'vip' }],
    ['activities', { type: { eq: 'meeting' } }]
  ]
  for (const [field, condition] of kept) {
    t.match(await make({ field, condition }), { status: 201, body: { field, condition, halfLifeDays: null } })
  }
  const meeting = { field: 'activities.type', condition: { eq: 'meeting' }, group: 'activity' }
  t.match(await make({ ...meeting, halfLifeDays: 14 }), { status: 201, body: { halfLifeDays: 14 } })
})

t.test('what is wrong is named', async t => {
  const wrong: [object, string, RegExp][] = [
    [{ field: 'industri' }, '/field', /industry/],
    [{ field: 'company.industri' }, '/field', /industry/],
    [{ field: 'company.parent.name' }, '/field', /parent/],
    [{ field: 'and' }, '/field', /not a field/],
    [{ field: 'customFields.1st' }, '/condition/eq', /custom field/],
    [{ condition: {} }, '/condition', /./],
    [{ condition: [] }, '/condition', /object/],
    [{ condition: { equals: 'Retail' } }, '/condition/equals', /eq/],
    [{ condition: { eq: 5 } }, '/condition/eq', /text|string/],
    [{ field: 'budget', condition: { eq: 'maybe' } }, '/condition/eq', /./],
    [{ field: 'budget', condition: { in: ['no', 'maybe'] } }, '/condition/in/1', /./],
    [{ field: 'company', condition: { name: 'x' } }, '/condition/name', /operators/],
    [{ group: 'activity' }, '/field', /activities or touches/],
    [{ group: 'other' }, '/group', /./],
    [{ points: 1.5 }, '/points', /./]
  ]
  for (const [body, pointer, says] of wrong) {
    t.comment(JSON.stringify(body))
    isProblem(t, await make(body), { status: 400, pointer, says })
  }
  isProblem(t, await make({ halfLifeDays: 7 }), { status: 422, pointer: '/halfLifeDays' })
})

t.test('a change must fit what it leaves alone', async t => {
  const { id } = (await make({})).body
  const path = `/v1/scoring-rules/${id}`
  const change = (body: object) => call('PATCH', path, body)
  isProblem(t, await change({ field: 'capturedAt' }), { status: 400, pointer: '/condition/eq' })
  isProblem(t, await change({ condition: { gt: 5 } }), { status: 400, pointer: '/condition/gt' })
  isProblem(t, await change({ group: 'activity' }), { status: 400, pointer: '/field' })
  const both = { field: 'capturedAt', condition: { gt: '2026-01-01' } }
  t.match(await change(both), { status: 200, body: { ...both, points: 10, version: 2 } })
  const rows = { operations: [{ op: 'update', id, body: { field: 'email' } }, { op: 'create', body: { ...retail, field: 'mail' } }] } // prettier-ignore
  t.match((await call('POST', '/v1/scoring-rules/batch', rows)).body.results, [
    { status: 'failed', error: { errors: [{ pointer: '/operations/0/body/condition/gt' }] } },
    { status: 'failed', error: { errors: [{ pointer: '/operations/1/body/field' }] } }
  ])
})

t.test('two changes that fit alone, but not together', async t => {
  for (let i = 0; i < 5; i++) {
    const { id } = (await make({ field: 'customFields.a', condition: { gt: 5 } })).body
    const patch = (body: object) => call('PATCH', `/v1/scoring-rules/${id}`, body)
    const both = await Promise.all([patch({ field: 'score' }), patch({ condition: { contains: 'x' } })])
    const statuses = both.map(r => r.status).sort()
    t.same(statuses, [200, 400], 'one of the two')
  }
})

t.test('a condition on records that the caller may not read', async t => {
  const { key } = await identity(kith).makeKey({ scopes: ['scoring-rules:write'] })
  const body = { ...retail, field: 'company.name' }
  isProblem(t, await call('POST', '/v1/scoring-rules', body, as(key)), { status: 403 })
})

t.test('reps leave the rules alone', async t => {
  const { newUser, tokenOf } = identity(kith)
  const rep = as(tokenOf(await newUser('rep')))
  isProblem(t, await call('POST', '/v1/scoring-rules', retail, rep), { status: 403 })
  t.equal((await call('GET', '/v1/scoring-rules', undefined, rep)).status, 200)
})
