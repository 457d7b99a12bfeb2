import type { Test } from 'tap'
import { closeTo } from './reference.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const count = (stages: Json[], name: string) =>
  Object.fromEntries(stages.filter(s => s[name] > 0).map(s => [s.stage.name, s[name]]))

/** The steps of a funnel as an expected file has them. */
export function sameSteps(t: Test, stages: Json[], wanted: Json[]): void {
  t.equal(stages.length, wanted.length)
  for (const [i, step] of wanted.entries()) {
    const { reached, entered, conversionFromPrevious, conversionFromFirst } = stages[i]!
    const name = step.stage as string
    t.same({ reached, ...(step.entered !== undefined && { entered }) }, {
      reached: step.reached,
      ...(step.entered !== undefined && { entered: step.entered })
    }, name) // prettier-ignore
    closeTo(
      t,
      conversionFromPrevious.value,
      step.conversion_from_previous as number | null,
      `${name} from before`
    )
    closeTo(t, conversionFromFirst.value, step.conversion_from_first as number | null, `${name} from first`)
  }
}

/** A whole funnel as an expected file has it, as far as the file goes. */
export function sameFunnel(t: Test, { value }: Json, wanted: Json): void {
  const { deals, outcome, everWon, stages, moves, transitions, winRate, wonValue, matured } = value
  t.equal(deals, wanted.deals)
  t.same(outcome, { won: 0, lost: 0, open: 0, ...wanted.outcome })
  closeTo(t, winRate.value, wanted.win_rate as number | null, 'win rate')
  if (wanted.won_value !== undefined) closeTo(t, wonValue, wanted.won_value as number, 'won value')
  if (wanted.ever_won !== undefined) t.equal(everWon, wanted.ever_won)
  if (wanted.funnel) sameSteps(t, stages, wanted.funnel)
  if (wanted.lost_from) t.same(count(stages, 'lostFrom'), wanted.lost_from)
  if (wanted.open_by_stage) t.same(count(stages, 'openNow'), wanted.open_by_stage)
  if (wanted.moves) {
    const { forward_one, deals_reopened, deals_backward, deals_skipped, ...same } = wanted.moves
    const told = { forward: forward_one, dealsReopened: deals_reopened, dealsBackward: deals_backward }
    t.same(moves, { ...same, ...told, dealsSkipped: deals_skipped, handedOver: 0 })
  }
  if (wanted.transitions) {
    const pairs = (transitions as Json[]).map(p => [`${p.from.name} -> ${p.to.name}`, p.count])
    t.same(Object.fromEntries(pairs), wanted.transitions)
  }
  for (const [days, { deals, won_within, rate }] of Object.entries<Json>(
    wanted.matured_conversion_days ?? {}
  )) {
    const found = (matured as Json[]).find(m => m.days === Number(days))!
    t.same([found.deals, found.wonWithin], [deals, won_within], `matured ${days}`)
    closeTo(t, found.rate.value, rate as number, `matured ${days}`)
  }
}

/** The steps within windows as an expected file has them, where `__won__` is the last one. */
export function sameOrder(t: Test, { value }: Json, wanted: Record<string, Json>): void {
  for (const [days, steps] of Object.entries(wanted)) {
    const found = (value.ordered as Json[]).find(o => o.windowDays === Number(days))!
    const counts = (found.steps as Json[]).map((s, i, all) => [
      i === all.length - 1 ? '__won__' : s.stage.name,
      s.count
    ])
    t.same(Object.fromEntries(counts), steps, `within ${days} days`)
  }
}

const monthOf = ({ label, value }: Json) => [label, value] as const

/** Months of a funnel as an expected file has them; the other ones have no deal. */
export function sameMonths(t: Test, { buckets }: Json, wanted: Record<string, Json>): void {
  const found = new Map((buckets as Json[]).map(monthOf))
  for (const [month, { created, won, lost, open, win_rate, won_value, conversion_to_won }] of Object.entries(
    wanted
  )) {
    const { deals, outcome, winRate, wonValue, conversion } = found.get(month)!
    found.delete(month)
    t.same([outcome.won, outcome.lost], [won, lost], month)
    if (created !== undefined) t.same([deals, outcome.open], [created, open], month)
    if (won_value !== undefined) closeTo(t, wonValue, won_value as number, `${month} won value`)
    if (conversion_to_won !== undefined) closeTo(t, conversion.value, conversion_to_won as number, month)
    closeTo(t, winRate.value, win_rate as number | null, `${month} win rate`)
  }
  t.ok(
    [...found.values()].every(v => v.deals === 0),
    'no other month has deals'
  )
}
