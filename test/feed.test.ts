import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import sql from 'sql-template-tag'
import t from 'tap'
import { openDatabase } from '../src/database/client.js'
import { startKeeper } from '../src/jobs/keeper.js'
import type { Db } from '../src/kernel/context.js'
import { scannedAtMost, sequenceEvents } from '../src/kernel/events.js'
import { changeRecords, createRecords, newId } from '../src/kernel/write.js'
import { contacts } from '../src/resources/contacts/resource.js'
import { systemContext } from '../src/resources/identity/create.js'
import { testApp } from './helpers/app.js'
import { feed, listening, sender, times } from './helpers/http.js'

const app = await testApp(t)
const send = await listening(app)
const origin = `http://127.0.0.1:${(app.app.server.address() as { port: number }).port}`
const options = { url: app.url, maxConnections: 12, statementTimeoutMs: 30000, onError: () => undefined }
const database = openDatabase(options)
t.teardown(() => database.close())

const context = (db: Db) => systemContext(db, app.workspaceId)
const pause = () => sleep(randomInt(25))

async function made(plural: string, body: object, call = send): Promise<string> {
  const answer = await call('POST', `/v1/${plural}`, body)
  if (answer.status !== 201) throw new Error(answer.text)
  return answer.body.id as string
}

/** A transaction that is open for a while before, between and after its writes, so that others overtake it. */
async function slowWrites(shared: readonly string[]): Promise<void> {
  await database.transaction(async db => {
    await pause()
    const ids = await times(3, async () => newId())
    await createRecords(
      context(db),
      contacts,
      ids.map(id => ({ id, values: { firstName: 'slow' } }))
    )
    await pause()
    const id = shared[randomInt(shared.length)]!
    await changeRecords(context(db), contacts, [{ id, patch: { jobTitle: newId() } }])
    await pause()
    await changeRecords(context(db), contacts, [{ id: ids[0]!, patch: { deletedAt: true } }])
    if (randomInt(5) === 0) throw new Error('changed my mind')
    await pause()
  })
}

async function apiWrites(shared: readonly string[]): Promise<void> {
  const id = shared[randomInt(shared.length)]!
  await send('PATCH', `/v1/contacts/${id}`, { lastName: newId() })
  const operations = [
    { op: 'create', body: { firstName: 'batch' } },
    { op: 'update', id: shared[0], body: { needs: newId() } },
    { op: 'update', id: newId(), body: { needs: 'nobody' } }
  ]
  await send('POST', '/v1/contacts/batch', { operations })
}

/** Reads the feed until it is told to stop and nothing is left. Answers what it saw, in the order in which it did. */
async function follow(limit: number, done: () => boolean) {
  const seen: Record<string, any>[] = [] // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely
  for (let after = '0'; ;) {
    const last = done()
    const { body } = await send('GET', `/v1/events?after=${after}&limit=${limit}`)
    seen.push(...(body.data as []))
    after = body.page.nextCursor as string
    if (last && !body.page.hasMore) return seen
  }
}

t.test('a reader sees every event once and in order while writers commit out of order', async t => {
  const shared = await times(5, () => made('contacts', { firstName: 'shared' }))
  const silent = pino({ level: 'silent' })
  const keepers = [startKeeper(database, silent, 90), startKeeper(app.database, silent, 90)]
  let writing = true
  const sequencers = times(2, async () => {
    for (; writing; await pause()) await sequenceEvents(database, app.workspaceId)
  })
  const readers = Promise.all([follow(20, () => !writing), follow(1000, () => !writing)])
  await times(8, async writer => {
    for (const deadline = Date.now() + 5000; Date.now() < deadline;) {
      if (writer < 6) await slowWrites(shared).catch(() => undefined)
      else await apiWrites(shared)
    }
  })
  writing = false
  await sequencers
  const [small, large] = await readers
  for (const stop of keepers) await stop()

  const stored = await database.query<{ id: string }>(
    sql`select id from events where workspace_id = ${app.workspaceId} order by id`
  )
  t.ok(stored.length > 100, `${stored.length} events`)
  t.same(
    small.map(e => e.sequence),
    small.map((_, i) => String(i + 1)),
    'sequences grow by one, from one on'
  )
  t.same(
    small.map(e => e.id as string).sort(),
    stored.map(e => e.id),
    'every committed event is there, once'
  )
  t.same(large, small, 'another reader with other pages sees the same')
  const versions = new Map<string, number>()
  const wrong = small.filter(e => {
    const version = (versions.get(e.recordId as string) ?? 0) + 1
    versions.set(e.recordId as string, version)
    return e.data.version !== version
  })
  t.same(wrong, [], 'the events of each record come in the order of its versions')
  const [left] = await database.query(
    sql`select count(*)::int as n from event_outbox where workspace_id = ${app.workspaceId}`
  )
  t.equal(left!.n, 0)
  const orders = await database.query<{ ord: string }>(sql`
    select e.ord from event_log l join events e on e.workspace_id = l.workspace_id and e.id = l.event_id
    where l.workspace_id = ${app.workspaceId} order by l.sequence`)
  const overtaken = orders.filter((o, i) => i > 0 && Number(o.ord) < Number(orders[i - 1]!.ord)).length
  t.ok(overtaken > 0, `commits really came out of order (${overtaken} times)`)
})

t.test('a write that was answered is in the very next read', async t => {
  const start = (await feed(send)).at(-1)!.sequence as string
  const missed = await times(8, async writer => {
    const id = await made('contacts', { firstName: `own ${writer}` })
    let missing = 0
    for (let version = 2; version <= 12; version++) {
      await send('PATCH', `/v1/contacts/${id}`, { jobTitle: `${version}` })
      const events = await feed(send, `&recordId=${id}`, start)
      if (events.at(-1)!.data.version !== version) missing++
    }
    return missing
  })
  t.same(missed, Array(8).fill(0))
})

t.test('filters, pages and cursors', async t => {
  const start = (await feed(send)).at(-1)!.sequence as string
  const pipelineId = await made('pipelines', { name: 'Feed', stages: [{ name: 'A' }, { name: 'B' }] })
  const { body: stages } = await send('GET', `/v1/stages?pipelineId=${pipelineId}&sort=position`)
  const [a, b] = (stages.data as { id: string }[]).map(s => s.id)
  const deal = await made('deals', { name: 'Filtered', stageId: a })
  await send('POST', `/v1/deals/${deal}/move`, { stageId: b })
  await send('PATCH', `/v1/deals/${deal}`, { name: 'Renamed' })
  const contact = await made('contacts', { firstName: 'Filtered' })
  await send('DELETE', `/v1/contacts/${contact}`)
  await send('POST', `/v1/contacts/${contact}/restore`)

  const types = async (query: string) => (await feed(send, query, start)).map(e => e.type as string)
  const ofDeal = ['deal.created', 'deal.stage_changed', 'deal.updated']
  const ofContact = ['contact.created', 'contact.deleted', 'contact.restored']
  const ofPipeline = ['pipeline.created', 'stage.created', 'stage.created']
  t.same(await types(''), [...ofPipeline, ...ofDeal, ...ofContact])
  t.same(await types('&types=deal.*'), ofDeal)
  t.same(await types('&types=deal.stage_changed,contact.*'), ['deal.stage_changed', ...ofContact])
  for (const wrong of ['deal_created', 'deal%5C.*', 'deal.stage%25', 'deal.moved', 'contact.created,x.y']) {
    t.equal((await send('GET', `/v1/events?types=${wrong}`)).body.errors[0].code, 'unknown_type', wrong)
  }
  for (const wrong of ['*'.repeat(200) + '!', 'types(', '*.*', '.*', 'deal*', '*.', 'created']) {
    const begun = performance.now()
    const { status, body } = await send('GET', `/v1/events?types=${encodeURIComponent(wrong)}`)
    t.match({ status, body }, { status: 400, body: { errors: [{ parameter: 'types', code: 'unknown_type' }] } }) // prettier-ignore
    t.ok(performance.now() - begun < 2000, 'whatever is written is compared, not interpreted')
  }
  t.same(await types('&types=*'), await types(''))
  t.match((await send('GET', '/v1/events?resource=deel')).body.detail, /Did you mean deal/)
  t.same(await types('&resource=contact'), ofContact)
  const ofKeys = await types('&resource=apiKey')
  t.same(await types('&resource=api_key'), ofKeys, 'by the beginning of its types, too')
  t.same(await types(`&recordId=${deal}`), ofDeal)
  t.same(await types(`&recordId=${deal}&types=*.created`), ['deal.created'])
  t.same(await types(`&recordId=${newId()}`), [])

  const page = (query: string) => send('GET', `/v1/events?types=contact.*&${query}`)
  const first = (await page(`after=${start}&limit=2`)).body
  t.equal(first.page.hasMore, true)
  t.equal(first.page.nextCursor, first.data[1].sequence)
  const second = (await page(`after=${first.page.nextCursor}&limit=2`)).body
  t.same(second.data.map((e: { type: string }) => e.type), ['contact.restored']) // prettier-ignore
  t.equal(second.page.hasMore, false)
  const none = (await page(`after=${second.page.nextCursor}`)).body
  t.same(none, { data: [], page: { hasMore: false, nextCursor: second.page.nextCursor } })
  const exact = (await page(`after=${start}&limit=3`)).body
  t.equal(exact.page.hasMore, false, 'a page that is exactly full is the last')

  const moved = (await feed(send, '&types=deal.stage_changed', start))[0]!
  t.equal(moved.data.stageId, b)
  t.equal(moved.previous.stageId, a)
  t.same((moved.changedFields as string[]).includes('stageId'), true)
  t.notOk((moved.changedFields as string[]).includes('name'))
  for (const bad of [
    'limit=0',
    'limit=1001',
    'after=-1',
    'after=x',
    'recordId=1',
    'sort=id',
    'limit=1&limit=2'
  ]) {
    t.equal((await send('GET', `/v1/events?${bad}`)).status, 400, bad)
  }
})

t.test('a key sees the events of what it may read, and of no other workspace', async t => {
  const contactsOnly = sender(origin, await app.newKey(['events:read', 'contacts:read']))
  const all = await feed(send)
  const some = await feed(contactsOnly)
  t.same(
    some.map(e => e.id),
    all.filter(e => e.resource === 'contact').map(e => e.id)
  )
  t.same(await feed(contactsOnly, '&resource=deal'), [])
  t.equal((await sender(origin, await app.newKey(['contacts:read']))('GET', '/v1/events')).status, 403)

  const other = await app.newWorkspace('other')
  const stranger = sender(origin, await app.newKey(['admin'], other))
  const id = await made('contacts', { firstName: 'Foreign' }, stranger)
  const theirs = await feed(stranger)
  t.ok(theirs.some(e => e.recordId === id))
  t.equal(theirs[0]!.sequence, '1', 'each workspace counts for itself')
  const ours = await feed(send)
  const foreign = new Set(theirs.map(e => e.id))
  t.notOk(ours.some(e => foreign.has(e.id)))
  t.same(await feed(send, `&recordId=${id}`), [])
})

t.test('a reader gets on past any number of events that are not its own', async t => {
  const contactsOnly = sender(origin, await app.newKey(['events:read', 'contacts:read']))
  const start = (await feed(send)).at(-1)!.sequence as string
  const before = await made('contacts', { firstName: 'Before' })
  await feed(send)
  const foreign = 2 * scannedAtMost
  await database.query(sql`
    with head as (
      update event_heads h set sequence = h.sequence + ${foreign} where h.workspace_id = ${app.workspaceId}
      returning h.sequence - ${foreign} as last
    ), event as (
      insert into events (workspace_id, id, ord, type, resource, record_id, occurred_at, actor_type, request_id, data)
      select ${app.workspaceId}, gen_random_uuid(), nextval('event_order'), 'deal.updated', 'deal', gen_random_uuid(),
        now(), 'system', 'many', '{}' from generate_series(1, ${foreign}::int) returning id
    ), logged as (
      insert into event_log (workspace_id, sequence, event_id, recorded_at)
      select ${app.workspaceId}, h.last + row_number() over (), e.id, now() from event e, head h
    ) select`)
  const after = await made('contacts', { firstName: 'After' })
  const pages: Awaited<ReturnType<typeof send>>['body'][] = []
  for (
    let position = start;
    pages.at(-1)?.page.hasMore !== false;
    position = pages.at(-1)!.page.nextCursor as string
  )
    pages.push((await contactsOnly('GET', `/v1/events?after=${position}&limit=10`)).body)
  t.same(
    pages.map(({ data }) => (data as { recordId: string }[]).map(e => e.recordId)),
    [[before], [], [after]],
    'each page looks at a bounded number of events, and none is lost'
  )
  t.same((await feed(contactsOnly, '', start)).map(e => e.recordId), [before, after]) // prettier-ignore
  t.same((await feed(send, '&types=contact.*', start)).map(e => e.recordId), [before, after]) // prettier-ignore
  const waiting = await contactsOnly('GET', `/v1/events?after=${pages[0]!.page.nextCursor}&wait=20`)
  t.match(waiting.body.data, [{ recordId: after }], 'a page that waits goes on by itself')
  const one = await send('GET', `/v1/events?after=${start}&recordId=${after}`)
  t.match(one.body, { data: [{ recordId: after }], page: { hasMore: false } }, 'a record is found at once')
})
