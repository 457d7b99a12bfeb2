/** A way to a won deal, or to none: touches in their order. Several equal ones may stand together. */
export interface Journey {
  /** What was touched: places in a list of channels or campaigns. */
  path: number[]
  /** Won deals. */
  conversions: number
  /** What they are worth together. */
  value: number
  /** Ways that ended without one. */
  nulls: number
  /** Which touches were direct; absent: none. */
  direct?: boolean[]
  /** Days from each touch to the close. */
  ages?: number[]
  /** The touch that led to the lead: the last one before it was made; -1 where there is none. */
  leadTouch?: number
  /** The touch that led to the deal. */
  dealTouch?: number
}

/** What a channel or campaign is credited with. */
export interface Credit {
  conversions: number
  value: number
}

/** Credit by the place in the list of channels or campaigns. */
export type Credits = Map<number, Credit>

/** Adds to what is credited. */
export function credit(credits: Credits, key: number, conversions: number, value: number): void {
  const sum = credits.get(key)
  if (!sum) return void credits.set(key, { conversions, value })
  sum.conversions += conversions
  sum.value += value
}
