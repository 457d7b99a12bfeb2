type Kind = 'open' | 'won' | 'lost'

/** A pipeline's stages in their order. */
export type ModelPipeline = { name: string; kind: Kind }[]

export interface ModelDeal {
  openedAt: number
  /** In the order of their recording. */
  rows: { at: number; stage: string }[]
}

export interface Question {
  cohort: 'created' | 'closed'
  asOf: number
  from: number
  to: number
}

const count = (counts: Record<string, number>, key: string) => void (counts[key] = (counts[key] ?? 0) + 1)

/** The funnel as the definitions have it, deal by deal, in the form of `summary`. */
export function modelFunnel(pipeline: ModelPipeline, deals: readonly ModelDeal[], question: Question) {
  const kinds = new Map(pipeline.map(s => [s.name, s.kind]))
  const open = pipeline.filter(s => s.kind === 'open').map(s => s.name)
  const won = pipeline.find(s => s.kind === 'won')!.name
  const steps = Object.fromEntries([...open, won].map(name => [name, 0]))
  const result = {
    deals: 0,
    outcome: { won: 0, lost: 0, open: 0 },
    everWon: 0,
    reached: { ...steps },
    entered: { ...steps },
    openNow: {} as Record<string, number>,
    lostFrom: {} as Record<string, number>,
    moves: {} as Record<string, number>,
    transitions: {} as Record<string, number>
  }

  for (const deal of deals) {
    const known = deal.rows.filter(r => r.at <= question.asOf)
    const rows = known.toSorted((a, b) => a.at - b.at)
    const entries = rows.filter((r, i) => r.stage !== rows[i - 1]?.stage)
    if (!entries.some(e => kinds.has(e.stage))) continue
    const last = entries.at(-1)!
    const state = kinds.get(last.stage)
    const isClosed = state === 'won' || state === 'lost'
    const date = question.cohort === 'created' ? deal.openedAt : isClosed ? last.at : NaN
    if (!(date >= question.from && date < question.to)) continue

    const moves = new Set<string>()
    for (const [i, { stage }] of entries.entries()) {
      const before = entries[i - 1]?.stage
      if (before === undefined || !kinds.has(before)) continue
      count(result.transitions, `${before} ${stage}`)
      const move = moveBetween(before, stage)
      if (move === undefined) continue
      count(result.moves, move)
      moves.add(move)
    }
    if (moves.has('reopen')) count(result.moves, 'dealsReopened')
    if (moves.has('backward')) count(result.moves, 'dealsBackward')
    if (moves.has('skip')) count(result.moves, 'dealsSkipped')
    if (state === undefined) continue

    const own = entries.map(e => e.stage).filter(name => kinds.has(name))
    const ownOpen = own.filter(name => open.includes(name))
    const furthest =
      state === 'won' ? open.length : Math.max(0, ...ownOpen.map(name => open.indexOf(name) + 1))
    result.deals++
    result.outcome[state]++
    for (const name of open.slice(0, furthest)) count(result.reached, name)
    for (const name of new Set(ownOpen)) count(result.entered, name)
    if (state === 'won') count(result.reached, won)
    if (own.some(name => kinds.get(name) === 'won')) {
      result.everWon++
      count(result.entered, won)
    }
    if (state === 'open') count(result.openNow, last.stage)
    if (state === 'lost' && ownOpen.length > 0) count(result.lostFrom, ownOpen.at(-1)!)
  }
  return result

  function moveBetween(before: string, after: string): string | undefined {
    const [from, to] = [kinds.get(before)!, kinds.get(after)]
    if (to === undefined) return 'handedOver'
    if (from !== 'open') return to === 'open' ? 'reopen' : undefined
    if (to === 'lost') return undefined
    if (to === 'won') return before === open.at(-1) ? undefined : 'skip'
    const distance = open.indexOf(after) - open.indexOf(before)
    return distance < 0 ? 'backward' : distance === 1 ? 'forward' : 'skip'
  }
}
