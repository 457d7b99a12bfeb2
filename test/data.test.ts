import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Client, type Counts } from '../scripts/load/client.js'
import { loadOpportunities } from '../scripts/load/crm-opportunities.js'
import { loadLoanOffers, readOffers } from '../scripts/load/loan-offers.js'
import { testApp, type TestApp } from './helpers/app.js'
import { execute } from './helpers/database.js'
import { buckets, derivedCampaign, derivedOffers, derivedOpportunities } from './helpers/derived.js'
import { sender, type Send } from './helpers/http.js'
import { runLoad } from './helpers/run-load.js'
import { compareReplay } from './helpers/replay.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const root = fileURLToPath(new URL('..', import.meta.url))
const data = process.env.KITH_DATA || join(root, '../shared/data')
const folder = (set: string) => join(data, set)
const near = 1e-6

interface World {
  app: TestApp
  origin: string
}

interface Loaded {
  send: Send
  client: Client
  key: string
  counts: Record<string, Counts>
}

const expectedOf = async (set: string): Promise<Json> =>
  JSON.parse(await readFile(join(data, 'expected', `${set}.json`), 'utf8'))

const quiet = () => undefined

async function loadInto({ app, origin }: World, load: typeof loadLoanOffers, set: string): Promise<Loaded> {
  const key = await app.newKey(['admin'], await app.newWorkspace(set))
  const client = new Client(origin, key)
  const counts = await load({ client, tell: quiet }, folder(set))
  return { send: sender(origin, key), client, key, counts }
}

const count = async (send: Send, filter = '') =>
  Number((await send('GET', `/v1/deals?count=true&limit=1${filter}`)).body.page.totalCount)

async function funnel(send: Send, parameters: Record<string, string>): Promise<Json> {
  const answer = await send('GET', `/v1/metrics/funnel?${new URLSearchParams(parameters).toString()}`)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.body
}

const byName = (steps: Json[], figure: string) =>
  Object.fromEntries(steps.filter(s => s[figure] > 0).map(s => [s.stage.name, s[figure]]))

const events = async ({ app }: World) =>
  Number((await execute(app.url, 'select count(*) from events')).rows[0]!.count)

const wonValue = async ({ app }: World, currency: string) => {
  const statement = `select sum(amount) from deals where status = 'won' and currency = '${currency}'`
  return Number((await execute(app.url, statement)).rows[0]!.sum)
}

const unchanged = (counts: Record<string, Counts>) =>
  Object.values(counts).every(c => c.created === 0 && c.updated === 0 && c.unchanged > 0)

function sameSteps(t: Test, found: Json[], expected: Json[]): void {
  t.same(
    found.map(s => s.reached),
    expected.map(s => s.reached),
    'reached'
  )
  for (const [i, step] of expected.entries()) {
    closeTo(
      t,
      found[i]!.conversionFromPrevious?.value,
      step.conversion_from_previous,
      `${step.stage} from before`
    )
    closeTo(t, found[i]!.conversionFromFirst?.value, step.conversion_from_first, `${step.stage} from first`)
  }
}

function closeTo(t: Test, found: unknown, expected: number | null, name: string): void {
  if (expected === null) t.equal(found ?? null, null, name)
  else
    t.ok(
      typeof found === 'number' && Math.abs(found - expected) <= near,
      `${name}: ${String(found)} is ${expected}`
    )
}

async function opportunities(t: Test, world: World): Promise<void> {
  const expected = await expectedOf('crm-opportunities')
  const { send, client, counts } = await loadInto(world, loadOpportunities, 'crm-opportunities')

  t.test('every record is there', async t => {
    t.same(counts.deals, { created: expected.rows, updated: 0, unchanged: 0 })
    t.same([counts.companies!.created, counts.parents!.updated, counts.users!.created], [85, 15, 35])
    t.equal(counts.products!.created, 7)
    const { data: stages } = (await send('GET', '/v1/stages')).body
    for (const stage of stages as Json[]) {
      t.equal(await count(send, `&stageId=${stage.id}`), expected.by_stage[stage.name], stage.name)
    }
    t.equal(await count(send, '&companyId[isNull]=true'), expected.missing_account)
    t.equal(await count(send, '&customFields.product=GTX%20Pro'), expected.by_product['GTX Pro'].deals)
    const misspelt = expected.product_not_in_catalogue as Record<string, number>
    t.same(Object.keys(misspelt), ['GTXPro'])
    const [ofProduct] = await buckets(send, 'deals', { filter: { product: { name: { eq: 'GTX Pro' } } } })
    t.equal(ofProduct!.count, misspelt.GTXPro, 'its deals are of the product meant')
    const closed = (await send('GET', '/v1/deals?sort=closedAt&limit=1&status[in]=won,lost')).body.data[0]
    t.equal(closed.closedAt, `${expected.first_close}T00:00:00.000Z`, 'the first close')
    t.equal(await wonValue(world, 'USD'), expected.won_value, 'won value')
  })

  t.test('the funnel', async t => {
    const { value } = await funnel(send, {})
    t.equal(value.deals, expected.rows)
    sameSteps(t, value.stages, expected.funnel_reached)
    t.same(byName(value.stages, 'lostFrom'), { Engaging: expected.funnel_lost_from_engaging })
    t.same(byName(value.stages, 'openNow'), expected.funnel_still_open)
    t.same(value.outcome, {
      won: expected.by_stage.Won,
      lost: expected.by_stage.Lost,
      open: expected.by_stage.Engaging + expected.by_stage.Prospecting
    })
    closeTo(t, value.winRate.value, expected.win_rate, 'win rate')
    closeTo(t, value.winRate.low, expected.win_rate_wilson95[0], 'its lower bound')
    closeTo(t, value.winRate.high, expected.win_rate_wilson95[1], 'its upper bound')
  })

  t.test('quarters of closing', async t => {
    const quarters = Object.entries<Json>(expected.by_close_quarter)
    for (const [i, [quarter, figures]] of quarters.entries()) {
      const to = i === 3 ? '2018-01-01' : `2017-${String(3 * i + 4).padStart(2, '0')}-01`
      const from = `2017-${String(3 * i + 1).padStart(2, '0')}-01`
      const { value } = await funnel(send, { cohort: 'closed', from, to })
      t.same(value.outcome, { won: figures.won, lost: figures.lost, open: 0 }, quarter)
      closeTo(t, value.winRate.value, figures.win_rate, `${quarter} win rate`)
    }
  })

  t.test('what aggregates answer', t => derivedOpportunities(t, send, expected))

  t.test('a second load changes nothing', async t => {
    const before = await events(world)
    t.ok(unchanged(await loadOpportunities({ client, tell: quiet }, folder('crm-opportunities'))))
    t.equal(await events(world), before)
  })
}

const graphFunnel = `query ($asOf: DateTime) { metrics { funnel(asOf: $asOf) { value {
  deals everWon outcome { won lost open } conversion { value numerator denominator low high } winRate { value numerator denominator low high }
  moves { forward skip backward reopen handedOver dealsReopened dealsBackward dealsSkipped }
  stages { stage { stageId name } reached entered openNow lostFrom
    conversionFromPrevious { value numerator denominator low high } }
  transitions { from { stageId name } to { stageId name } count } } } } }`

async function loanOffers(t: Test, world: World): Promise<void> {
  const expected = await expectedOf('loan-offers')
  const { send, client, key, counts } = await loadInto(world, loadLoanOffers, 'loan-offers')
  const asOf = expected.as_of as string

  t.test('the funnel at the end of the record', async t => {
    t.same(counts.deals, { created: expected.deals, updated: 0, unchanged: 0 })
    t.equal(await count(send), expected.deals)
    t.equal(await wonValue(world, 'EUR'), expected.won_value, 'won value')
    const { value } = await funnel(send, { asOf })
    t.same([value.deals, value.outcome, value.everWon], [expected.deals, expected.outcome, expected.ever_won])
    sameSteps(t, value.stages, expected.funnel)
    t.same(
      value.stages.map((s: Json) => s.entered),
      expected.funnel.map((s: Json) => s.entered),
      'entered'
    )
    t.same(byName(value.stages, 'lostFrom'), expected.lost_from)
    t.same(byName(value.stages, 'openNow'), expected.open_by_stage)
    t.same(value.moves, {
      forward: expected.moves.forward_one,
      skip: expected.moves.skip,
      backward: expected.moves.backward,
      reopen: expected.moves.reopen,
      handedOver: 0,
      dealsReopened: expected.moves.deals_reopened,
      dealsBackward: expected.moves.deals_backward,
      dealsSkipped: expected.moves.deals_skipped
    })
    const transitions = value.transitions.map((p: Json) => [`${p.from.name} -> ${p.to.name}`, p.count])
    t.same(Object.fromEntries(transitions), expected.transitions)
    closeTo(t, value.winRate.value, expected.win_rate, 'win rate')
  })

  t.test('a POST and GraphQL answer the same', async t => {
    const { value } = await funnel(send, { asOf })
    t.same((await send('POST', '/v1/metrics/funnel', { asOf })).body.value, value)
    const { body } = await send('POST', '/graphql', { query: graphFunnel, variables: { asOf } })
    t.match(value, body.data.metrics.funnel.value)
  })

  for (const [timeZone, months] of Object.entries<Json>(expected.cohort_by_created_month)) {
    t.test(`months of creation in ${timeZone}`, async t => {
      for (const [month, { created, won, lost, open }] of Object.entries<Json>(months)) {
        const { value } = await funnel(send, { asOf, timeZone, ...periodOf(month) })
        t.same({ deals: value.deals, ...value.outcome }, { deals: created, won, lost, open }, month)
      }
    })
  }

  t.test('what aggregates answer', t => derivedOffers(t, send, expected))

  t.test('deals moved there in any order stand where imported ones do', async t => {
    const replayed = await world.app.newKey(['admin'], await world.app.newWorkspace('replayed'))
    const offers = await readOffers(folder('loan-offers'))
    await compareReplay(t, offers, client, new Client(world.origin, replayed))
  })

  t.test('a second load changes nothing', async t => {
    const before = await events(world)
    const args = ['loan-offers', folder('loan-offers'), '--url', world.origin, '--key', key]
    const { code, out, err } = await runLoad(...args)
    t.equal(code, 0, err)
    const { set, seconds, ...again } = JSON.parse(out) as Json
    t.equal(set, 'loan-offers')
    t.ok(unchanged(again), `in ${seconds} s`)
    t.equal(await events(world), before)
  })
}

function periodOf(month: string): { from: string; to: string } {
  const next = new Date(`${month}-01T00:00:00Z`)
  next.setUTCMonth(next.getUTCMonth() + 1)
  return { from: `${month}-01`, to: next.toISOString().slice(0, 10) }
}

if (existsSync(join(data, 'expected'))) {
  t.test('reference data', async t => {
    const app = await testApp(t)
    const world = { app, origin: await app.app.listen({ host: '127.0.0.1', port: 0 }) }
    await t.test('crm-opportunities', t => opportunities(t, world))
    await t.test('loan-offers', t => loanOffers(t, world))
    await t.test('telephone-campaign', async t => {
      const key = await app.newKey(['admin'], await app.newWorkspace('telephone-campaign'))
      await derivedCampaign(t, new Client(world.origin, key), sender(world.origin, key), data)
    })
  })
} else {
  process.stderr.write('The reference data are not here: nothing to test. KITH_DATA may name their folder.\n')
  t.plan(0)
}
