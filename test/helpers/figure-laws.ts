import { Big } from 'big.js'
import { check, leaves } from './figure-parts.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

/** §11.1: reached does not grow, every conversion is a share, and deals are won, lost or open. */
export function funnelLaws({ value: { deals, outcome, stages, conversion } }: Json): void {
  check(outcome.won + outcome.lost + outcome.open === deals, 'outcomes add up', outcome, deals)
  const reached = (stages as Json[]).map(s => s.reached as number)
  check(
    reached.every((n, i) => n <= (reached[i - 1] ?? deals)),
    'reached does not grow',
    reached
  )
  const conversions = (stages as Json[]).flatMap(
    s => [s.conversionFromPrevious, s.conversionFromFirst] as Json[]
  )
  for (const { value } of [conversion as Json, ...conversions])
    check(value === null || (value >= 0 && value <= 1), 'a conversion is a share', value)
}

/** §11.2: what enters a stage advances, is lost, moves back, is handed over or is still there. */
export function flowLaws({ value }: Json): void {
  for (const { entries, advanced, lost, movedBack, handedOver, stillThere } of value.stages as Json[])
    check(entries === advanced + lost + movedBack + handedOver + stillThere, 'the five add up', value)
}

const falls = (shares: (number | null)[], what: string) => {
  const known = shares.filter(s => s !== null)
  check(
    known.every((s, i) => s >= 0 && s <= (known[i - 1] ?? 1) + 1e-12),
    `${what} does not grow`,
    known
  )
}

/** §11.8: survival does not grow, and those won, lost and open are all. */
export function survivalLaws(timeToClose: Json, timeInStage: Json, churn: Json): void {
  for (const { won, lost, open } of timeToClose.value.curve as Json[])
    check(Math.abs(won + lost + open - 1) < 1e-9, 'won, lost and open are all', won, lost, open)
  falls(
    (timeToClose.value.curve as Json[]).map(c => c.open as number),
    'the share of open deals'
  )
  for (const stage of timeInStage.value.stages as Json[])
    falls(
      (stage.survival as Json[]).map(s => s.share as number | null),
      'the share still in a stage'
    )
  falls(
    (churn.value.survival as Json[]).map(s => s.share as number | null),
    'the share of subscriptions'
  )
}

/** §11.4: what a model gives and what has no touch are all, to the cent. */
export function creditLaws({ value }: Json): void {
  const { conversions, amount, attributed, unattributed, models } = value as Json
  check(attributed.conversions + unattributed.conversions === conversions, 'deals', value)
  check(
    new Big(attributed.value as string).plus(unattributed.value as string).eq(amount as string),
    'value',
    value
  )
  for (const { model, credits } of models as Json[]) {
    const all = (credits as Json[]).reduce(
      (n, c) => n.plus(c.value as string),
      new Big(unattributed.value as string)
    )
    const deals = (credits as Json[]).reduce(
      (n, c) => n + (c.conversions as number),
      unattributed.conversions as number
    )
    check(all.eq(amount as string), `${String(model)} gives away what there is`, all.toFixed(), amount)
    check(Math.abs(deals - conversions) < 1e-9, `${String(model)} credits every deal`, deals, conversions)
  }
}

/** §11.10: a weighted forecast lies between nothing and everything. */
export function weightedLaws({ value }: Json): void {
  const [weighted] = (value.methods as Json[]).filter(m => m.method === 'weighted')
  const [found, all] = [
    new Big((weighted!.value as string | null) ?? 0),
    new Big((value.amount as string | null) ?? 0)
  ]
  check(found.gte(0) && found.lte(all), 'between nothing and everything', found.toFixed(), all.toFixed())
}

/** §11.7: money is `by` times as much, and every other number the same. */
export function scales(found: unknown, wanted: unknown, by: number, what: string): void {
  const [a, b] = [leaves(found), leaves(wanted)]
  check(a.size === b.size && a.size > 0, `${what}: other numbers`, [...a.keys()], [...b.keys()])
  for (const [path, value] of b) {
    const other = a.get(path)
    if (value === null || typeof value === 'number') {
      const fits =
        other === value ||
        (typeof other === 'number' && Math.abs(other - value!) <= 1e-9 * Math.max(1, Math.abs(value!)))
      check(fits, `${what}: ${path} stays`, other, value)
    } else {
      const away = new Big(other ?? 0).minus(new Big(value).times(by)).abs()
      check(
        away.lte(new Big(value).abs().times(by).times('1e-9').plus('1e-8')),
        `${what}: ${path} scales`,
        other,
        value
      )
    }
  }
}
