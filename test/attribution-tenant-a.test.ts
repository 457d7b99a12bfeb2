import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { readCsv } from '../scripts/load/csv.js'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { expectedName, modelOf } from './helpers/attribution.js'
import { near, type Json } from './helpers/expected.js'
import { done } from './helpers/funnel.js'
import { figure, loaded } from './helpers/reference.js'

const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
const expected = JSON.parse(await readFile(`${folder}/expected.json`, 'utf8')) as Json
const year = { from: '2025-01-01', to: '2026-01-01', asOf: expected.pipeline.as_of as string }
const { app, send } = await loaded(t, loadTenant, folder)

const attribution = (parameters: object) => figure(send, 'attribution', parameters)

const total = (of: Json[], what: string) => of.reduce((sum, c) => sum + Number(c[what]), 0)

const modelledBy = ({ value }: Json, model: string) => ({
  models: (value.models as Json[]).filter(m => m.model === model)
})

t.test('a small tenant', async t => {
  const wanted = expected.attribution_year as Json
  const byChannel = await attribution(year)
  const byCampaign = await attribution({ ...year, by: 'campaign' })

  const compare = async (t: Test, answer: Json, part: Json) => {
    const found = answer.value as Json
    t.equal(found.attributed.conversions, part.attributed_deals)
    t.equal(found.unattributed.conversions, part.unattributed_deals)
    near(t, found.unattributed.value, part.unattributed_value as number, 'unattributed')
    for (const { model, credits } of found.models as Json[]) {
      const of = part.models[expectedName(model)] as Json | undefined
      const earned = (credits as Json[]).filter(c => c.conversions > 0)
      near(t, total(earned, 'conversions'), found.attributed.conversions as number, `${model} gives all`)
      t.ok(
        Math.abs(total(earned, 'value') - Number(found.attributed.value)) < 1e-8,
        `${model} gives all value`
      )
      if (!of) continue
      const label = (c: Json) =>
        c.key === null ? '(none)' : answer.parameters.by === 'campaign' ? codes.get(c.label)! : c.label
      t.same(earned.map(label).sort(), Object.keys(of).sort(), `${model}: who earned`)
      for (const credit of earned) {
        const own = of[label(credit)] as Json
        near(t, credit.conversions, own.conversions as number, `${model} ${credit.label}: deals`)
        near(t, credit.value, own.value as number, `${model} ${credit.label}: value`)
        if (own.removal_effect !== undefined)
          near(t, credit.removalEffect, own.removal_effect as number, 'removed')
      }
      const roi = part.roi[expectedName(model)] as Json | undefined
      for (const [key, { cost, roi: wantedRoi, roas }] of Object.entries<Json>(roi ?? {})) {
        const credit = (credits as Json[]).find(c => label(c) === key)!
        near(t, credit.cost, cost as number | null, `${model} ${key}: cost`)
        near(t, credit.roi, wantedRoi as number | null, `${model} ${key}: roi`)
        if (roas !== undefined) near(t, credit.roas, roas as number | null, `${model} ${key}: roas`)
      }
    }
  }
  const codes = new Map(
    (await readCsv<'campaign_id' | 'name'>(folder, 'campaigns.csv')).map(c => [c.name, c.campaign_id])
  )

  t.test('by channel', async t => compare(t, byChannel, wanted.channel as Json))
  t.test('by campaign', async t => compare(t, byCampaign, wanted.campaign as Json))

  t.test('what Markov learns from', async t => {
    near(t, modelOf(byChannel, 'markov').pConversion, wanted.markov_inputs.p_conversion as number, 'P')
    sameInputs(t, byChannel, wanted.markov_inputs as Json)
    const { deals, open } = {
      deals: expected.pipeline.deals as number,
      open: expected.pipeline.outcome.open as number
    }
    t.equal(byChannel.value.conversions, expected.pipeline.outcome.won)
    t.ok(byChannel.value.nulls >= expected.pipeline.outcome.lost && deals > 0)
    t.ok(byChannel.value.censored >= open)
    const alone = await attribution({ ...year, models: ['markov'], nulls: 'exclude' })
    near(t, modelOf(alone, 'markov').pConversion as number, 1, 'without those who did not convert')
  })

  t.test('months and owners add up to the year', async t => {
    const months = await attribution({ ...year, interval: 'month', models: ['linear', 'markov'] })
    const parts = (months.buckets as Json[]).map(b => b.value as Json)
    t.equal(total(parts, 'conversions'), byChannel.value.conversions)
    t.equal(total(parts, 'nulls'), byChannel.value.nulls)
    t.equal(total(parts, 'censored'), byChannel.value.censored)
    near(t, total(parts, 'amount'), Number(byChannel.value.amount), 'amount')
    const cost = (value: Json) =>
      total(
        (value.models[0].credits as Json[]).filter(c => c.cost !== null),
        'cost'
      )
    const spent = parts.reduce((sum, v) => sum + cost(v), 0)
    near(t, spent, cost(modelledBy(byChannel, 'linear')), 'cost')
    const owners = await attribution({ ...year, groupBy: ['ownerId'], models: ['first'] })
    const groups = (owners.groups as Json[]).map(g => g.value as Json)
    t.equal(total(groups, 'conversions'), byChannel.value.conversions)
    near(t, total(groups, 'amount'), Number(byChannel.value.amount), 'amount')
    t.ok(
      groups.every(v => (v.models[0].credits as Json[]).every(c => c.cost === null)),
      'costs have no owner'
    )
  })

  t.test('the deals behind a number', async t => {
    const { value, explain } = await attribution({ ...year, explain: true, models: ['last'] })
    t.equal(explain.value.conversions.ids.length, value.conversions)
    t.equal(explain.value.unattributed.value.ids.length, value.unattributed.conversions)
    t.equal(explain.value.nulls.ids.length, Math.min(100, value.nulls as number))
    const social = (value.models[0].credits as Json[]).findIndex(c => c.key === 'social')
    const { ids } = explain.value.models[0].credits[social].conversions
    t.ok(ids.length >= value.models[0].credits[social].conversions)
  })

  t.test('touches in the time before a close', async t => {
    const recent = await attribution({ ...year, lookbackDays: 7, models: ['first'] })
    t.ok(recent.value.attributed.conversions < byChannel.value.attributed.conversions)
    t.equal(recent.value.conversions, byChannel.value.conversions)
    const none = await attribution({ ...year, lookbackDays: 0, models: ['first'] })
    t.equal(none.value.unattributed.conversions, none.value.conversions)
  })

  t.test('a moment of the past stays as it was', async t => {
    const past = { ...year, asOf: '2025-07-01T00:00:00Z', knownAt: byChannel.knownAt as string }
    const before = await attribution(past)
    t.ok(before.value.conversions < byChannel.value.conversions && before.value.conversions > 0)
    const { id } = (await done(app.call('GET', '/v1/leads?limit=1'))).data[0] as Json
    await done(
      app.call('POST', '/v1/touches', { leadId: id, channel: 'tv', occurredAt: '2025-01-02T00:00:00Z' })
    )
    t.same((await attribution(past)).value, before.value)
  })

  t.test('the same by every call, as CSV too', async t => {
    const models = ['first', 'markov']
    const posted = await attribution({ ...year, models, bootstrap: 20, seed: 5 })
    const asked = { ...year, models: models.join(), bootstrap: '20', seed: '5' }
    const query = new URLSearchParams(asked).toString()
    const got = await send('GET', `/v1/metrics/attribution?${query}`)
    t.same(got.body.value, posted.value)
    t.ok((modelOf(posted, 'first').credits as Json[]).some(c => c.low < c.high))
    t.match(posted.parameters, { seed: 5, bootstrap: 20, by: 'channel', halfLifeDays: 7 })
    const { body } = await app.graphql(
      `query ($asOf: DateTime) { metrics { attribution(from: "2025-01-01", to: "2026-01-01", asOf: $asOf,
        models: [FIRST, MARKOV], bootstrap: 20, seed: 5) {
        value { conversions amount attributed { conversions value } unattributed { conversions value } nulls censored
          models { model pConversion transitions { from to p }
            credits { key label conversions value low high cost roi roas removalEffect } } } } } }`,
      { asOf: year.asOf }
    )
    t.equal(body.errors, undefined)
    const first = body.data.metrics.attribution.value as Json
    t.match(first, { conversions: posted.value.conversions, amount: posted.value.amount })
    t.same(
      (first.models[1].credits as Json[]).map(c => [c.key, c.value]),
      (posted.value.models[1].credits as Json[]).map(c => [c.key, c.value])
    )
    const csv = await send('GET', `/v1/metrics/attribution?${query}`, undefined, { accept: 'text/csv' })
    t.equal(csv.status, 200)
    t.match(csv.text, /paid_search/)
  })
})

/** The journeys that a chain learnt from: those that convert, and by its odds those that came to nothing. */
function sameInputs(t: Test, answer: Json, wanted: Json): void {
  const { conversions } = answer.value.attributed as { conversions: number }
  t.equal(conversions, wanted.converting)
  const odds = modelOf(answer, 'markov').pConversion as number
  near(t, conversions / odds - conversions, wanted.null as number, 'journeys that came to nothing')
}
