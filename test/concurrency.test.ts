import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { assertChain, changeVersions } from './helpers/chain.js'
import { listening, statuses, times, type Sent } from './helpers/http.js'

const app = await testApp(t)
const send = await listening(app)

async function made(plural: string, body: object): Promise<string> {
  const answer = await send('POST', `/v1/${plural}`, body)
  if (answer.status !== 201) throw new Error(answer.text)
  return answer.body.id as string
}

async function count(query: string): Promise<number> {
  const { body } = await send('GET', `/v1/contacts?count=true&${query}`)
  return body.page.totalCount as number
}

t.test('of two updates of one version one wins and one is told', async t => {
  const id = await made('contacts', { firstName: 'Version' })
  const outcomes = new Set<string>()
  const rounds = 60
  for (let version = 1; version <= rounds; version++) {
    const answers = await times(2, i =>
      send('PATCH', `/v1/contacts/${id}`, { jobTitle: `${version}-${i}` }, { 'if-match': `"${version}"` })
    )
    outcomes.add(JSON.stringify(statuses(answers)))
    const stale = answers.find(a => a.status === 412)
    outcomes.add(`told ${Number(stale?.body.currentVersion) - version}`)
  }
  t.same([...outcomes].sort(), ['told 1', '{"200":1,"412":1}'])
  t.equal((await assertChain(t, send, 'contacts', id)).length, rounds + 1)
})

t.test('a hundred updates of different fields at once lose nothing', async t => {
  const id = await made('contacts', { firstName: 'Busy', customFields: { kept: 'yes' } })
  const columns = ['lastName', 'jobTitle', 'sourceChannel', 'needs', 'painPoints'] as const
  const parts = ['line1', 'line2', 'district', 'city', 'region'] as const
  const patches = [
    ...Array.from({ length: 70 }, (_, i) => ({ customFields: { [`f${i}`]: i } })),
    ...columns.map(column => ({ [column]: `new ${column}` })),
    ...parts.map(part => ({ address: { [part]: `new ${part}` } })),
    ...Array.from({ length: 20 }, () => ({ tags: ['same'] }))
  ]
  const answers = await Promise.all(patches.map(patch => send('PATCH', `/v1/contacts/${id}`, patch)))
  t.same(statuses(answers), { 200: 100 })

  const { body } = await send('GET', `/v1/contacts/${id}`)
  const effective = 70 + 5 + 5 + 1
  t.equal(body.version, effective + 1, 'nineteen of the twenty equal patches change nothing')
  t.same(body.customFields, {
    kept: 'yes',
    ...Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`f${i}`, i]))
  })
  t.same(
    columns.map(column => body[column]),
    columns.map(column => `new ${column}`)
  )
  t.same(
    parts.map(part => body.address[part]),
    parts.map(part => `new ${part}`)
  )
  const events = await assertChain(t, send, 'contacts', id)
  t.equal(events.length, effective + 1)
  t.equal(new Set(events.map(e => e.id)).size, effective + 1)
  t.same(
    await changeVersions(send, 'contacts', id),
    Array.from({ length: effective }, (_, i) => i + 2),
    'one row in the change log for each'
  )
})

t.test('twenty creates under one Idempotency-Key make one record', async t => {
  for (const round of [1, 2, 3]) {
    const body = { lastName: `Once${round}` }
    const key = { 'idempotency-key': `once-${round}` }
    const conflicts: Sent[] = []
    const answers = await times(20, async () => {
      for (const deadline = Date.now() + 15000; ; await sleep(20)) {
        const answer = await send('POST', '/v1/contacts', body, key)
        if (answer.status !== 409 || Date.now() > deadline) return answer
        conflicts.push(answer)
      }
    })
    t.same(statuses(answers), { 201: 20 })
    t.equal(answers.filter(a => a.headers.get('idempotency-replayed') === null).length, 1, 'one was fresh')
    t.equal(new Set(answers.map(a => a.text)).size, 1, 'all have the same bytes')
    t.equal(new Set(answers.map(a => `${a.headers.get('location')} ${a.headers.get('etag')}`)).size, 1)
    t.ok(
      conflicts.every(c => c.body.code === 'idempotency_in_progress' && c.headers.get('retry-after') === '1'),
      `${conflicts.length} came while the first was running and were told to come back`
    )
    t.equal(await count(`lastName=Once${round}`), 1)
    const mismatch = await send('POST', '/v1/contacts', { lastName: 'Other' }, key)
    t.equal(mismatch.status, 422)
  }
})

t.test('fifty upserts of one external id make one record', async t => {
  const pipeline = await send('POST', '/v1/pipelines', { name: 'Upserts', stages: [{ name: 'New' }] })
  const { body: stages } = await send('GET', `/v1/stages?pipelineId=${pipeline.body.id}`)
  const bodies = {
    contacts: (i: number) => ({ customFields: { [`u${i}`]: i } }),
    deals: (i: number) => ({ name: 'Raced', stageId: stages.data[0].id, customFields: { [`u${i}`]: i } })
  }
  for (const plural of ['contacts', 'deals'] as const) {
    const url = `/v1/${plural}/external/race/one`
    const answers = await times(50, i => send('PUT', url, bodies[plural](i)))
    t.same(statuses(answers), { 200: 49, 201: 1 })
    t.equal(new Set(answers.map(a => a.body.id)).size, 1)
    const { body } = await send('GET', url)
    t.equal(body.version, 50)
    t.equal(Object.keys(body.customFields as object).length, 50, 'every upsert left its field')
    await assertChain(t, send, plural, body.id as string)
  }
})

t.test('an external id or an e-mail that several want goes to one of them', async t => {
  for (const round of [1, 2, 3, 4, 5]) {
    const externalIds = [{ source: 'wanted', id: `w${round}` }]
    const creates = await times(10, i => send('POST', '/v1/contacts', { firstName: `W${i}`, externalIds }))
    t.same(statuses(creates), { 201: 1, 409: 9 })

    const email = `raced${round}@example.org`
    const users = await times(10, i =>
      i % 2
        ? send('POST', '/v1/users', { name: `U${i}`, email: i % 3 ? email : email.toUpperCase() })
        : send('PUT', `/v1/users/external/hr/${round}-${i}`, { name: `U${i}`, email })
    )
    t.same(statuses(users), { 201: 1, 409: 9 })
    t.same([...new Set(users.filter(u => u.status === 409).map(u => u.body.code))], ['conflict'])
    const winner = users.find(u => u.status === 201)!.body
    t.equal((await send('GET', `/v1/users?email=${email}`)).body.data[0]?.id, winner.id)
    for (const i of [0, 2, 4, 6, 8]) {
      const { status, body } = await send('GET', `/v1/users/external/hr/${round}-${i}`)
      t.ok(status === 404 || body.id === winner.id, 'a loser leaves no external id behind')
    }
  }
})

t.test('batches that overlap in opposite order all succeed', async t => {
  const ids = await times(40, i => made('contacts', { firstName: `B${i}`, customFields: { owner: 'none' } }))
  const upsert = (i: number, batch: number) => ({
    op: 'upsert',
    source: 'overlap',
    externalId: `o${i}`,
    body: { customFields: { [`b${batch}`]: i } }
  })
  const update = (id: string, batch: number) => ({
    op: 'update',
    id,
    body: { customFields: { [`b${batch}`]: batch } }
  })
  for (const atomic of [false, true]) {
    const answers = await times(8, batch => {
      const operations = ids.flatMap((id, i) => [update(id, batch), upsert(i, batch)])
      if (batch % 2) operations.reverse()
      operations.splice(20, 0, { op: 'create', body: { firstName: `Made by ${batch}` } } as never)
      return send('POST', '/v1/contacts/batch', { atomic, operations })
    })
    t.same(statuses(answers), { 200: 8 })
    const rows = answers.flatMap(a => a.body.results as { status: string }[])
    const failed = rows.filter(r => r.status === 'failed')
    t.same(failed, [], 'no row fails')
    t.equal(rows.filter(r => r.status === 'created').length, atomic ? 8 : 48)
  }
  await assertChain(t, send, 'contacts', ids[0]!)
  for (const url of [`/v1/contacts/${ids[39]!}`, '/v1/contacts/external/overlap/o0']) {
    const { body } = await send('GET', url)
    t.same(Object.keys(body.customFields as object).filter(k => /^b\d$/.test(k)).length, 8)
  }
})

t.test('deletions, updates and restores at once', async t => {
  const seen = new Set<string>()
  for (let round = 0; round < 15; round++) {
    const id = await made('contacts', { firstName: `Gone${round}` })
    await times(12, async i => {
      const answer =
        i % 3 === 0
          ? await send('DELETE', `/v1/contacts/${id}`)
          : i % 3 === 1
            ? await send('PATCH', `/v1/contacts/${id}`, { jobTitle: `${i}` })
            : await send('POST', `/v1/contacts/${id}/restore`)
      seen.add(`${['delete', 'update', 'restore'][i % 3]} ${answer.status}`)
    })
    const events = await assertChain(t, send, 'contacts', id)
    const bin = events.map(e => e.type as string).filter(type => /deleted|restored/.test(type))
    t.ok(
      bin.every((type, i) => type === (i % 2 ? 'contact.restored' : 'contact.deleted')),
      'in and out by turns'
    )
    const inBin = bin.at(-1) === 'contact.deleted'
    t.equal((await send('GET', `/v1/contacts/${id}`)).status, inBin ? 404 : 200)
  }
  const possible = ['delete 204', 'delete 404', 'restore 200', 'restore 404', 'update 200', 'update 404']
  t.same(
    [...seen].filter(s => !possible.includes(s)),
    []
  )
})

async function pipeline(name: string): Promise<{ id: string; stages: string[] }> {
  const stages = [{ name: 'A' }, { name: 'B' }, { name: 'Won', kind: 'won' }, { name: 'Lost', kind: 'lost' }]
  const id = await made('pipelines', { name, stages })
  const { body } = await send('GET', `/v1/stages?pipelineId=${id}&sort=position`)
  return { id, stages: (body.data as { id: string }[]).map(s => s.id) }
}

t.test('moves of one deal at once leave one history, from which its state follows', async t => {
  const { stages } = await pipeline('Moves')
  const openedAt = '2026-01-01T00:00:00.000Z'
  const id = await made('deals', {
    name: 'Moved',
    stageId: stages[0],
    openedAt,
    amount: '1',
    currency: 'EUR'
  })
  const answers = await times(60, i => {
    if (i % 10 === 9) return send('PATCH', `/v1/deals/${id}`, { amount: `${i}` })
    const stageId = stages[i % 4]
    const at = i % 3 ? undefined : `2026-02-${String((i % 28) + 1).padStart(2, '0')}T00:00:00.000Z`
    if (i % 10 === 8) return send('POST', '/v1/deals/moves', { moves: [{ dealId: id, stageId, at }] })
    return send('POST', `/v1/deals/${id}/move`, { stageId, at })
  })
  t.same(statuses(answers), { 200: 60 })

  const { body: deal } = await send('GET', `/v1/deals/${id}`)
  const rows = (await send('GET', `/v1/deals/${id}/history`)).body.data as Record<string, string>[]
  t.same(
    rows.map(r => Number(r.seq)).sort((a, b) => a - b),
    rows.map((_, i) => i + 1),
    'rows are numbered without a gap'
  )
  const entered = rows.filter(r => r.entered)
  const last = entered.at(-1)!
  t.equal(deal.stageId, last.stageId)
  t.equal(deal.status, last.stageKind)
  t.equal(deal.amount, rows.at(-1)!.amount)
  const changing = entered.filter((r, i) => r.stageId !== entered[i - 1]?.stageId)
  t.equal(deal.stageEnteredAt, changing.at(-1)!.at)
  t.equal(deal.closedAt, last.stageKind === 'open' ? null : changing.at(-1)!.at)
  const events = await assertChain(t, send, 'deals', id)
  t.equal(events.length, rows.length, 'one event for each row of the history')
})

t.test('a stage is deleted or entered, never both', async t => {
  const { id: pipelineId, stages } = await pipeline('Deleted')
  const outcomes = new Set<string>()
  for (let round = 0; round < 20; round++) {
    const stageId = await made('stages', { pipelineId, name: `S${round}`, position: 10, kind: 'open' })
    const dealId = await made('deals', { name: 'Racing', stageId: stages[0] })
    // Requests that leave later win more rarely, so every one is first in some rounds.
    const calls = {
      remove: () => send('DELETE', `/v1/stages/${stageId}`),
      move: () => send('POST', `/v1/deals/${dealId}/move`, { stageId }),
      create: () => send('POST', '/v1/deals', { name: 'New', stageId })
    }
    const names = ['remove', 'move', 'create'] as const
    const first = names[round % 3]!
    const started = { [first]: calls[first]() } as Record<keyof typeof calls, Promise<Sent>>
    for (const name of names) started[name] ??= calls[name]()
    const [deleted, moved, created] = await Promise.all(names.map(name => started[name]))
    outcomes.add(`${deleted!.status} ${moved!.status} ${created!.status}`)
  }
  t.same(
    [...outcomes].filter(o => !['204 422 422', '409 200 201', '409 422 201', '409 200 422'].includes(o)),
    []
  )
})

t.test('a pipeline is deleted or gets a deal, never both', async t => {
  const outcomes = new Set<string>()
  for (let round = 0; round < 10; round++) {
    const { id, stages } = await pipeline(`P${round}`)
    const create = () => send('POST', '/v1/deals', { name: 'New', stageId: stages[0] })
    const early = round % 2 ? create() : undefined
    const deletion = send('DELETE', `/v1/pipelines/${id}`)
    const [created, deleted] = await Promise.all([early ?? create(), deletion])
    outcomes.add(`${deleted.status} ${created.status}`)
  }
  t.same(
    [...outcomes].filter(o => !['204 422', '409 201'].includes(o)),
    []
  )
})
