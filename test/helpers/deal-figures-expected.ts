import type { Test } from 'tap'
import type { Send } from './http.js'
import { closeTo, figure } from './reference.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

/** A sample as an expected file has it, in snake case. */
export function sameStats(t: Test, found: Json, wanted: Json, name: string): void {
  t.equal(found.n, wanted.n, `${name}: n`)
  for (const key of ['mean', 'median', 'p25', 'p75', 'p90', 'min', 'max'])
    closeTo(t, found[key], wanted[key] as number | null, `${name}: ${key}`)
}

async function sameWinRate(t: Test, send: Send, asked: Json, wanted: Json): Promise<void> {
  const { value } = await figure(send, 'win-rate', asked)
  const { won = 0, lost = 0, open = 0 } = wanted.outcome as Json
  t.match(value, { won, lost, all: won + lost })
  closeTo(t, value.winRate.value, wanted.win_rate as number, 'win rate')
  closeTo(t, value.wonValue, wanted.won_value as number, 'won value')
  closeTo(t, value.averageWonValue, wanted.avg_won_value as number, 'average won value')
  for (const [name, stage] of Object.entries((wanted.stage_win_rate ?? {}) as Record<string, Json>)) {
    const found = (value.byStage as Json[]).find(s => s.stage.name === name)!
    t.match(found, { closedReached: stage.closed_reached, won: stage.won }, name)
    closeTo(t, found.rate.value, stage.rate as number, `${name}: rate`)
  }
  const created = await figure(send, 'win-rate', { ...asked, cohort: 'created' })
  t.match(created.value, { won, lost, all: won + lost + open })
  closeTo(t, created.value.winRate.value, won / (won + lost + open), 'of all created')
  if (wanted.win_rate_by_value !== undefined) {
    const byValue = await figure(send, 'win-rate', { ...asked, by: 'value' })
    closeTo(t, byValue.value.winRate.value, wanted.win_rate_by_value as number, 'by value')
    t.equal(byValue.value.wonWithValue, wanted.won_deals_with_value)
  }
}

async function sameClosing(t: Test, send: Send, asked: Json, wanted: Json): Promise<void> {
  const days = Object.keys(wanted.km_open_share as Json).map(Number)
  const maturedDays = Object.keys(wanted.matured_conversion_days as Json).map(Number)
  const { value } = await figure(send, 'time-to-close', { ...asked, days, maturedDays })
  sameStats(t, value.won as Json, wanted.cycle_days_won as Json, 'won')
  sameStats(t, value.lost as Json, wanted.cycle_days_lost as Json, 'lost')
  closeTo(t, value.kmMedian, wanted.km_days_to_close_median as number, 'median')
  for (const point of value.curve as Json[]) {
    const at = `after ${String(point.days)} days`
    closeTo(t, point.open, wanted.km_open_share[point.days] as number, `open ${at}`)
    closeTo(t, point.won + point.lost + point.open, 1, `all ${at}`, 1e-9)
    const incidence = wanted.cumulative_incidence_days[point.days] as Json | undefined
    if (incidence) closeTo(t, point.won, incidence.won as number, `won ${at}`)
    if (incidence) closeTo(t, point.lost, incidence.lost as number, `lost ${at}`)
  }
  for (const matured of value.matured as Json[]) {
    const of = wanted.matured_conversion_days[matured.days] as Json
    t.match(matured, { n: of.deals, wonWithin: of.won_within }, `${String(matured.days)} days old`)
    closeTo(t, matured.rate.value, of.rate as number, 'rate')
  }
}

async function sameStages(t: Test, send: Send, asked: Json, wanted: Json): Promise<void> {
  const { value } = await figure(send, 'time-in-stage', asked)
  const flow = await figure(send, 'stage-flow', asked)
  for (const [name, stage] of Object.entries(wanted.time_in_stage_days as Record<string, Json>)) {
    const found = (value.stages as Json[]).find(s => s.stage.name === name)!
    t.equal(found.visits, stage.visits, name)
    t.equal(found.openNow.n, stage.open_now, name)
    sameStats(t, found.completed as Json, stage.completed as Json, `${name}: completed`)
    sameStats(t, found.openNow.ages as Json, stage.censored_age as Json, `${name}: open`)
    sameStats(t, found.totalPerDeal as Json, stage.total_per_deal as Json, `${name}: per deal`)
    closeTo(t, found.kmMedian, stage.km_median_days as number, `${name}: median`)
    const { entries, advanced, lost, movedBack, handedOver, stillThere } = (flow.value.stages as Json[]).find(
      s => s.stage.name === name
    )!
    t.equal(entries, stage.visits, `${name}: entries`)
    t.equal(stillThere, stage.open_now, `${name}: still there`)
    t.equal(advanced + lost + movedBack + handedOver + stillThere, entries, `${name}: the five add up`)
  }
}

/** Win rate, times and flow of a pipeline as an expected file has them. */
export async function sameDealFigures(t: Test, send: Send, asked: Json, wanted: Json): Promise<void> {
  await t.test('win rate', t => sameWinRate(t, send, asked, wanted))
  await t.test('time to close', t => sameClosing(t, send, asked, wanted))
  await t.test('time in stage, and the flow through them', t => sameStages(t, send, asked, wanted))
}
