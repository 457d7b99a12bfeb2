import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { testApp } from './helpers/app.js'
import {
  modelFunnel,
  modelMatured,
  modelOrdered,
  type ModelDeal,
  type ModelPipeline,
  type Question,
  type StepQuestion
} from './helpers/funnel-model.js'
import { done, funnel, makePipeline, summary, together, type Pipeline } from './helpers/funnel.js'

const { call } = await testApp(t)

const here: ModelPipeline = [
  { name: 'a', kind: 'open' },
  { name: 'b', kind: 'open' },
  { name: 'c', kind: 'open' },
  { name: 'd', kind: 'open' },
  { name: 'won', kind: 'won' },
  { name: 'price', kind: 'lost' },
  { name: 'silence', kind: 'lost' }
]
const there: ModelPipeline = [
  { name: 'x', kind: 'open' },
  { name: 'y', kind: 'open' },
  { name: 'gain', kind: 'won' },
  { name: 'loss', kind: 'lost' }
]
const specs = (pipeline: ModelPipeline) => pipeline.map((s, i) => `${s.name}:${s.kind}:${(i + 1) ** 2 * 10}`)

const start = Date.parse('2025-03-25T00:00:00Z')
const hour = 3_600_000
const lastHour = 20 * 24
const iso = (ms: number) => new Date(ms).toISOString()

// Whole days as well as hours, so that several rows fall on one instant.
const time = fc.oneof(
  fc.integer({ min: 0, max: 20 }).map(days => start + days * 24 * hour),
  fc.integer({ min: 0, max: lastHour }).map(hours => start + hours * hour)
)
const stage = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...here.map(s => s.name)) },
  { weight: 1, arbitrary: fc.constantFrom(...there.map(s => s.name)) }
)
const deal = fc
  .record({
    rows: fc.array(fc.record({ at: time, stage }), { minLength: 1, maxLength: 8 }),
    earlier: fc.constantFrom(0, 0, 30 * hour)
  })
  .map(({ rows, earlier }): ModelDeal => ({ rows, openedAt: Math.min(...rows.map(r => r.at)) - earlier }))
const question = fc.record({
  cohort: fc.constantFrom('created' as const, 'closed' as const),
  asOf: fc.oneof(time, fc.constant(start + 30 * 24 * hour)),
  from: fc.oneof(time, fc.constant(-Infinity)),
  to: fc.oneof(time, fc.constant(Infinity))
})

const stepQuestion = fc.record({
  order: fc.constantFrom('ordered' as const, 'any' as const, 'strict' as const),
  reentry: fc.boolean(),
  windows: fc.uniqueArray(fc.constantFrom(0, 0.5, 1, 3, 7, 21), { maxLength: 3 })
})
const channels = ['web', 'fair', null, 'web']

async function store(pipeline: Pipeline, deals: readonly ModelDeal[]): Promise<string[]> {
  if (deals.length === 0) return []
  const operations = deals.map(({ rows, openedAt }, i) => ({
    op: 'create',
    body: {
      name: 'Deal',
      sourceChannel: channels[i % channels.length],
      amount: `${i + 1}.01`,
      currency: 'EUR',
      openedAt: iso(openedAt),
      history: rows.map(r => ({ at: iso(r.at), stageId: pipeline.stage[r.stage] }))
    }
  }))
  const { results } = await done(call('POST', '/v1/deals/batch', { atomic: true, operations }))
  return (results as { id: string }[]).map(r => r.id)
}

const parametersOf = ({ cohort, asOf, from, to }: Question) => ({
  cohort,
  asOf: iso(asOf),
  from: Number.isFinite(from) ? iso(from) : null,
  to: Number.isFinite(to) ? iso(to) : null
})

const ordered = (q: Question): Question => (q.from <= q.to ? q : { ...q, from: q.to, to: q.from })

type Answer = Awaited<ReturnType<typeof funnel>>

function check(isTrue: boolean, what: string, ...seen: unknown[]): void {
  if (!isTrue) throw new Error(`${what}\n${seen.map(s => JSON.stringify(s, null, 2)).join('\n')}`)
}

const same = (found: unknown, wanted: unknown, what: string) =>
  check(isDeepStrictEqual(found, wanted), what, found, wanted)

function checkInvariants({ value }: Answer): void {
  const { deals, outcome, stages, conversion, winRate } = value
  check(outcome.won + outcome.lost + outcome.open === deals, 'outcomes add up to the deals', value)
  const rates = [conversion, winRate]
  for (const [i, step] of stages.entries()) {
    check(i === 0 || step.reached <= stages[i - 1].reached, 'reached does not grow', stages)
    rates.push(step.conversionFromFirst, step.conversionFromPrevious)
  }
  for (const { value, numerator, denominator, low, high } of rates) {
    if (denominator === 0) same([value, low, high], [null, null, null], 'nothing divided by is unknown')
    else {
      check(value === numerator / denominator && value <= 1, 'a rate is a share', value)
      check(0 <= low && low <= value && value <= high && high <= 1, 'the interval holds the rate', low, high)
    }
  }
  const openNow = (stages as { openNow: number }[]).reduce((sum, s) => sum + s.openNow, 0)
  check(openNow === outcome.open, 'open deals are in one stage each', stages)
}

type Part = Answer & { value: Answer['value'] }

/** Counts of parts add up to those of the whole; a part of a part has the deals of both. */
function checkParts({ value, buckets, groups }: Answer, isWhole: boolean): void {
  const sum = (parts: Part[], pick: (v: Answer['value']) => number) =>
    parts.reduce((n, p) => n + pick(p.value), 0)
  const numbers: ((v: Answer['value']) => number)[] = [
    v => v.deals as number,
    v => v.outcome.won as number,
    v => v.outcome.lost as number,
    v => v.moves.forward as number,
    v => (v.stages[0]?.reached ?? 0) as number,
    v => Math.round(Number(v.wonValue) * 100)
  ]
  for (const pick of numbers) {
    same(sum(groups as Part[], pick), pick(value), 'groups add up')
    if (isWhole) same(sum(buckets as Part[], pick), pick(value), 'buckets add up')
    for (const [i, bucket] of (buckets as Part[]).entries())
      same(
        sum(
          (groups as Part[]).map(g => g.buckets[i] as Part),
          pick
        ),
        pick(bucket.value),
        'both add up'
      )
  }
}

/** The ids behind a number are as many as it says. */
function checkIds({ value, explain, groups }: Answer): void {
  const of = (found: Answer) => ((found as { ids?: string[] } | undefined)?.ids ?? []).length
  same(of(explain.value.deals as Answer), value.deals, 'ids of all deals')
  same(of(explain.value.outcome.won as Answer), value.outcome.won, 'ids of the won ones')
  for (const [i, stage] of value.stages.entries())
    same(of(explain.value.stages[i].reached as Answer), stage.reached, 'ids of a stage')
  for (const [i, group] of groups.entries())
    same(of(explain.groups[i].value.deals as Answer), group.value.deals, 'ids of a group')
}

const transposed = (asked: Question, model: ModelPipeline, deals: readonly ModelDeal[]) => {
  const { moves, ...rest } = modelFunnel(model, deals, asked)
  return { ...rest, moves }
}

t.test('any history: the figure is that of the definitions, and its invariants hold', async t => {
  const run = async (deals: ModelDeal[], binned: number, questions: Question[], moves: ModelDeal['rows']) => {
    const pipelines = [await makePipeline(call, specs(here)), await makePipeline(call, specs(there))] as const
    const both = together(...pipelines)
    const ids = await store(both, deals)
    const bin = ids.slice(0, binned)
    for (const id of bin) await done(call('DELETE', `/v1/deals/${id}`))
    const kept = deals.slice(bin.length)
    const answers: [Pipeline, object, object][] = []
    for (const asked of questions.map(ordered)) {
      for (const [i, model] of [here, there].entries()) {
        const answer = await funnel(call, pipelines[i]!, parametersOf(asked))
        same(summary(answer), transposed(asked, model, kept), `the figure for ${JSON.stringify(asked)}`)
        checkInvariants(answer)
        answers.push([pipelines[i]!, parametersOf(asked), answer.value as object])
      }
    }

    const everything = await funnel(call, pipelines[0])
    const elsewhere = await funnel(call, pipelines[0], { timeZone: 'Pacific/Kiritimati' })
    same(elsewhere.value, everything.value, 'a time zone moves nothing out of all time')

    const later = moves.map((row, i) => ({
      dealId: ids[bin.length + (i % Math.max(1, kept.length))],
      stageId: both.stage[row.stage],
      at: iso(start + 40 * 24 * hour + row.at - start)
    }))
    if (kept.length > 0) await done(call('POST', '/v1/deals/moves', { moves: later }))
    for (const [pipeline, parameters, value] of answers) {
      same((await funnel(call, pipeline, parameters)).value, value, 'later moves change no earlier answer')
    }

    const { winRate } = (await funnel(call, pipelines[0])).value
    await store(both, [{ openedAt: start, rows: [{ at: start, stage: 'b' }] }])
    same((await funnel(call, pipelines[0])).value.winRate, winRate, 'an open deal changes no win rate')
  }
  const property = fc.asyncProperty(
    fc.array(deal, { maxLength: 12 }),
    fc.integer({ min: 0, max: 1 }),
    fc.array(question, { minLength: 2, maxLength: 4 }),
    fc.array(fc.record({ at: time, stage }), { minLength: 1, maxLength: 4 }),
    run
  )
  await t.resolves(fc.assert(property, { numRuns: 25 }))
})

const orderedOf = (answer: Answer) =>
  (answer.value.ordered as Answer[]).map(o => [o.windowDays, o.steps.map((s: { count: number }) => s.count)])

t.test('any history: steps in their order, old deals, parts and what is behind them', async t => {
  const run = async (
    deals: ModelDeal[],
    questions: Question[],
    steps: { order: StepQuestion['order']; reentry: boolean; windows: number[] }
  ) => {
    // prettier-ignore
    const pipelines = [await makePipeline(call, specs(here)), await makePipeline(call, specs(there))] as const
    await store(together(...pipelines), deals)
    const { order, reentry } = steps
    const windowDays = steps.windows.toSorted((a, b) => a - b)
    const matured = [0, 0.5, 3, 10]
    for (const asked of questions.map(ordered)) {
      const answer = await funnel(call, pipelines[0], {
        ...parametersOf(asked),
        order,
        reentry,
        ...(windowDays.length > 0 && { windowDays: steps.windows }),
        maturedDays: matured,
        groupBy: ['sourceChannel'],
        interval: 'week',
        explain: true
      })
      const windows = windowDays.length > 0 ? windowDays : [null]
      const wanted = windows.map(w => [
        w,
        modelOrdered(here, deals, asked, { order, reentry, windowDays: w })
      ])
      same(orderedOf(answer), wanted, `steps for ${JSON.stringify({ asked, steps })}`)
      const old = (answer.value.matured as Answer[]).map(m => ({ deals: m.deals as number, wonWithin: m.wonWithin as number })) // prettier-ignore
      same(old, matured.map(d => modelMatured(here, deals, asked, d)), `old deals for ${JSON.stringify(asked)}`) // prettier-ignore
      checkParts(answer, asked.to <= asked.asOf)
      checkIds(answer)
    }
  }
  const property = fc.asyncProperty(
    fc.array(deal, { maxLength: 12 }),
    fc.array(question, { minLength: 2, maxLength: 4 }),
    stepQuestion,
    run
  )
  await t.resolves(fc.assert(property, { numRuns: 12 }))
})

t.test('money scales with amounts, and rates of 1 change nothing', async t => {
  const run = async (deals: ModelDeal[], amounts: number[], factor: number) => {
    const pipeline = together(await makePipeline(call, specs(here)), await makePipeline(call, specs(there)))
    const values: unknown[] = []
    const asOf = iso(start + 60 * 24 * hour)
    for (const [currency, by] of [
      ['EUR', 1],
      ['CHF', 1],
      ['EUR', factor]
    ] as const) {
      // prettier-ignore
      const filter = { type: { eq: 'new' }, name: { eq: `${currency} ${by} ${pipeline.id}` } }
      const operations = deals.map(({ rows, openedAt }, i) => ({
        op: 'create',
        body: {
          name: filter.name.eq,
          type: 'new',
          openedAt: iso(openedAt),
          amount: (((amounts[i % amounts.length] ?? 0) * by) / 100).toFixed(2),
          currency,
          history: rows.map(r => ({ at: iso(r.at), stageId: pipeline.stage[r.stage] }))
        }
      }))
      await done(call('POST', '/v1/deals/batch', { atomic: true, operations }))
      const { value, excluded } = await funnel(call, pipeline, { filter, asOf })
      check(excluded.noFxRate === 0 && excluded.missingAmount === 0, 'nothing is left out', excluded)
      values.push({ ...value, wonValue: Math.round(Number(value.wonValue) * 100) / by })
    }
    same(values[1], values[0], 'a rate of 1 changes nothing')
    same(values[2], values[0], 'money alone scales')
  }
  await done(call('POST', '/v1/exchange-rates', { currency: 'CHF', date: '2020-01-01', rateToBase: '1' }))
  const property = fc.asyncProperty(
    fc.array(deal, { minLength: 1, maxLength: 8 }),
    fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1, maxLength: 8 }),
    fc.constantFrom(2, 10, 100),
    run
  )
  await t.resolves(fc.assert(property, { numRuns: 5 }))
})
