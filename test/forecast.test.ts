import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { closeTo, figure, loaded } from './helpers/reference-sets.js'
import { edgeCase } from './helpers/reference.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
const expected = JSON.parse(await readFile(`${folder}/expected.json`, 'utf8')) as Json
const { app, send } = await loaded(t, loadTenant, folder)
const asOf = expected.pipeline.as_of as string
const window = { asOf, from: '2026-01-01', to: '2026-04-01' }

function samePart(t: Test, found: Json, wanted: Json, name: string): void {
  t.match(found, { deals: wanted.deals, dealsWithValue: wanted.deals_with_value }, name)
  closeTo(t, found.amount, wanted.total as number, `${name}: amount`)
  closeTo(t, found.weighted, wanted.weighted as number, `${name}: weighted`)
  closeTo(t, found.sd, wanted.sd as number, `${name}: sd`)
}

t.test('the next 90 days of a tenant', async t => {
  const wanted = expected.forecast_next_90_days as Json
  const quantiles = [0.05, 0.1, 0.5, 0.9, 0.95]
  const { value, excluded } = await figure(send, 'forecast', { ...window, quantiles })
  const [weighted] = value.methods as Json[]
  const { value: amount, sd, interval } = weighted!
  samePart(t, { ...value, weighted: amount, sd }, wanted.in_window as Json, 'in the window')
  t.match(interval, { kind: 'exact', draws: null, seed: null })
  for (const { p, total } of interval.quantiles as Json[])
    closeTo(t, total, wanted.in_window.exact_quantiles[`p${p * 100}`] as number, `p${p}`)
  samePart(t, value.overdue as Json, wanted.overdue as Json, 'overdue')
  for (const stage of value.byStage as Json[])
    samePart(t, stage, wanted.by_stage[stage.stage.name] as Json, stage.stage.name as string)
  t.equal(value.outside.deals + value.undated.deals, wanted.later_or_other)
  t.equal(excluded.noFxRate, 1)
})
