import { Big } from 'big.js'
import type { Numbers } from '../counted.js'
import type { Journey } from '../models/journeys.js'
import type { Journeys } from './assemble.js'

/** Deals and leads of one outcome and journey. */
export interface JourneyRow extends Numbers {
  outcome: 'won' | 'lost' | 'unqualified' | 'open'
  path: (string | null)[] | null
  direct: boolean[] | null
  ages: number[] | null
  lead_touch: number | null
  deal_touch: number | null
  withAmount: number
  valued: number
  value: string | null
}

const sum = (rows: readonly JourneyRow[]) => rows.reduce((n, r) => n + r.all, 0)

const worth = (rows: readonly JourneyRow[]) => rows.reduce((all, r) => all.plus(r.value ?? 0), new Big(0))

/** Rows by what they are to attribution. */
export function sorted(rows: readonly JourneyRow[]) {
  const of = (...outcomes: JourneyRow['outcome'][]) => rows.filter(r => outcomes.includes(r.outcome))
  const won = of('won')
  return {
    won,
    attributed: won.filter(r => r.path!.length > 0),
    unattributed: won.filter(r => r.path!.length === 0),
    nulls: of('lost', 'unqualified'),
    censored: of('open')
  }
}

/** Places of keys in a list that grows with each new one. */
export function register(): { keys: (string | null)[]; place(key: string | null): number } {
  const places = new Map<string | null, number>()
  const keys: (string | null)[] = []
  return {
    keys,
    place(key) {
      const known = places.get(key)
      if (known !== undefined) return known
      places.set(key, keys.length)
      return keys.push(key) - 1
    }
  }
}

// Floating-point answers and seeded samples depend on the order, and the database gives none.
function inOrder(rows: readonly JourneyRow[]): JourneyRow[] {
  const named = rows.map(row => {
    const { path, outcome, ages, direct, lead_touch, deal_touch } = row
    return { row, name: JSON.stringify([path, outcome, ages, direct, lead_touch, deal_touch]) }
  })
  return named.sort((a, b) => (a.name < b.name ? -1 : 1)).map(n => n.row)
}

/** What the rows of a cut say, in an order that is always the same; with `nulls` false those that did not convert are counted only. */
export function read(rows: readonly JourneyRow[], nulls: boolean): Journeys {
  const { won, attributed, nulls: lost, censored } = sorted(rows)
  const { keys, place } = register()
  const journeys = inOrder([...attributed, ...(nulls ? lost : [])]).map((row): Journey => {
    const isWon = row.outcome === 'won'
    return {
      path: row.path!.map(place),
      conversions: isWon ? row.all : 0,
      value: Number(row.value ?? 0),
      nulls: isWon ? 0 : row.all,
      ...(isWon && {
        direct: row.direct!,
        ages: row.ages!,
        leadTouch: row.lead_touch ?? -1,
        dealTouch: row.deal_touch ?? -1
      })
    }
  })
  return {
    keys,
    journeys,
    conversions: sum(won),
    attributed: sum(attributed),
    amount: worth(won),
    attributedValue: worth(attributed),
    nulls: sum(lost),
    censored: sum(censored)
  }
}
