import t from 'tap'
import { testApp, type TestApp } from './helpers/app.js'

interface Setup {
  program: TestApp
  stage: Record<string, string>
  open(): Promise<string>
  move(
    deal: string,
    stage: string,
    at?: string
  ): Promise<{ status: number; version: number; stageId: string }>
  history(deal: string): Promise<string[]>
}

async function setup(t: Parameters<typeof testApp>[0]): Promise<Setup> {
  const program = await testApp(t)
  const stages = ['A', 'B', 'C', 'Won', 'Lost'].map(name => ({
    name,
    kind: name === 'Won' ? 'won' : name === 'Lost' ? 'lost' : 'open'
  }))
  const pipeline = await program.call('POST', '/v1/pipelines', {
    name: 'Sales',
    stages,
    lostReasonRequired: true
  })
  const found = await program.call('GET', `/v1/stages?pipelineId=${pipeline.body.id}`)
  const stage = Object.fromEntries(
    (found.body.data as { name: string; id: string }[]).map(s => [s.name, s.id])
  )
  return {
    program,
    stage,
    async open() {
      const deal = await program.call('POST', '/v1/deals', {
        name: 'Deal',
        stageId: stage.A,
        openedAt: '2026-01-01T00:00:00Z'
      })
      return deal.body.id as string
    },
    async move(deal, name, at) {
      const moved = await program.call('POST', `/v1/deals/${deal}/move`, {
        stageId: stage[name],
        ...(at && { at })
      })
      return {
        status: moved.status,
        version: moved.body.version as number,
        stageId: moved.body.stageId as string
      }
    },
    async history(deal) {
      const { body } = await program.call('GET', `/v1/deals/${deal}/history`)
      return (body.data as { stageName: string }[]).map(r => r.stageName)
    }
  }
}

t.test('deals move', async t => {
  const { program, stage, open, move, history } = await setup(t)

  await t.test('a return told before what lay between is kept', async t => {
    const deal = await open()
    await move(deal, 'A', '2026-01-03T00:00:00Z')
    const { stageId } = await move(deal, 'B', '2026-01-02T00:00:00Z')
    t.equal(stageId, stage.A, 'A, then B, then A again')
    t.same(await history(deal), ['A', 'B', 'A'])
  })

  await t.test('a move told twice is one', async t => {
    const deal = await open()
    const first = await move(deal, 'B', '2026-01-02T00:00:00Z')
    const again = await move(deal, 'B', '2026-01-02T00:00:00Z')
    t.equal(again.status, 200)
    t.equal(again.version, first.version)
    t.same(await history(deal), ['A', 'B'])
  })

  await t.test('a move now into the stage it is in changes nothing', async t => {
    const deal = await open()
    const first = await move(deal, 'B')
    t.equal((await move(deal, 'B')).version, first.version)
  })

  await t.test('won, reopened, lost with a reason; the close follows', async t => {
    const deal = await open()
    await move(deal, 'Won', '2026-02-01T00:00:00Z')
    const won = await program.call('GET', `/v1/deals/${deal}`)
    t.match(won.body, { status: 'won', closedAt: '2026-02-01T00:00:00.000Z' })
    await move(deal, 'B', '2026-02-02T00:00:00Z')
    const reopened = await program.call('GET', `/v1/deals/${deal}`)
    t.match(reopened.body, { status: 'open', closedAt: null })
    const silent = await program.call('POST', `/v1/deals/${deal}/move`, { stageId: stage.Lost })
    t.equal(silent.status, 422)
    t.equal(silent.body.errors[0].pointer, '/lostReason')
    const lost = await program.call('POST', `/v1/deals/${deal}/move`, {
      stageId: stage.Lost,
      lostReason: 'price'
    })
    t.match(lost.body, { status: 'lost', lostReason: 'price' })
    await move(deal, 'C')
    const back = await program.call('GET', `/v1/deals/${deal}`)
    t.match(back.body, { status: 'open', lostReason: null, closedAt: null })
  })

  await t.test('an earlier move moves openedAt back, a future one is refused', async t => {
    const deal = await open()
    await move(deal, 'B', '2025-12-01T00:00:00Z')
    const { body } = await program.call('GET', `/v1/deals/${deal}`)
    t.match(body, { openedAt: '2025-12-01T00:00:00.000Z', stageId: stage.A })
    const future = await program.call('POST', `/v1/deals/${deal}/move`, {
      stageId: stage.B,
      at: new Date(Date.now() + 60_000).toISOString()
    })
    t.equal(future.status, 422)
    t.match(future.body.errors[0], { pointer: '/at', code: 'future' })
  })

  await t.test('another pipeline takes it over; an archived stage takes nothing', async t => {
    const deal = await open()
    const other = await program.call('POST', '/v1/pipelines', { name: 'Service', stages: [{ name: 'New' }] })
    const { body } = await program.call('GET', `/v1/stages?pipelineId=${other.body.id}`)
    const moved = await program.call('POST', `/v1/deals/${deal}/move`, { stageId: body.data[0].id })
    t.equal(moved.body.pipelineId, other.body.id)
    await program.call('PATCH', `/v1/stages/${stage.C}`, { archived: true })
    const refused = await program.call('POST', `/v1/deals/${deal}/move`, { stageId: stage.C })
    t.match(refused, { status: 422, body: { errors: [{ pointer: '/stageId', code: 'archived' }] } })
    const used = await program.call('DELETE', `/v1/stages/${stage.A}`)
    t.match(used, { status: 409, body: { code: 'in_use' } })
  })

  await t.test('many moves in one call: one change of each deal, each row answered', async t => {
    const [one, two] = [await open(), await open()]
    const { status, body } = await program.call('POST', '/v1/deals/moves', {
      moves: [
        { dealId: one, stageId: stage.B, at: '2026-01-05T00:00:00Z' },
        { dealId: two, stageId: stage.B },
        { dealId: one, stageId: stage.Won, at: '2026-01-06T00:00:00Z' },
        { dealId: '018f0000-0000-7000-8000-000000000000', stageId: stage.B }
      ]
    })
    t.equal(status, 200)
    t.same(
      (body.results as { status: string }[]).map(r => r.status),
      ['updated', 'updated', 'updated', 'failed']
    )
    t.same(await history(one), ['A', 'B', 'Won'])
    const events = await program.call('GET', `/v1/events?recordId=${one}&types=deal.stage_changed`)
    t.equal(events.body.data.length, 1)
    const whole = await program.call('POST', '/v1/deals/moves', {
      atomic: true,
      moves: [
        { dealId: two, stageId: stage.Won },
        { dealId: two, stageId: '018f0000-0000-7000-8000-000000000000' }
      ]
    })
    t.match(whole, { status: 422, body: { operation: 1, errors: [{ pointer: '/moves/1/stageId' }] } })
    t.equal((await program.call('GET', `/v1/deals/${two}`)).body.stageId, stage.B, 'nothing was written')
  })

  await t.test('custom fields stay within their number, also by merging', async t => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${i}`, i]))
    const made = await program.call('POST', '/v1/contacts', { customFields: many })
    t.equal(made.status, 201)
    const more = await program.call('PATCH', `/v1/contacts/${made.body.id}`, { customFields: { more: 1 } })
    t.match(more, { status: 422, body: { errors: [{ pointer: '/customFields' }] } })
  })
})
