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

/** What is asked of steps in their order. */
export interface StepQuestion {
  order: 'ordered' | 'any' | 'strict'
  reentry: boolean
  windowDays: number | null
}

const dayMs = 86_400_000

const entriesOf = (deal: ModelDeal, asOf: number) =>
  deal.rows
    .filter(r => r.at <= asOf)
    .toSorted((a, b) => a.at - b.at)
    .filter((r, i, rows) => r.stage !== rows[i - 1]?.stage)

/** The most steps that a deal completes, found by trying every choice of entries. */
function modelSteps(pipeline: ModelPipeline, deal: ModelDeal, asOf: number, asked: StepQuestion): number {
  const open = pipeline.filter(s => s.kind === 'open').map(s => s.name)
  const won = pipeline.filter(s => s.kind === 'won').map(s => s.name)
  const stepOf = (name: string) => (won.includes(name) ? open.length : open.indexOf(name))
  const entries = entriesOf(deal, asOf).map(e => ({ at: e.at, step: stepOf(e.stage) }))
  const isStart = (step: number) => (asked.order === 'any' ? step >= 0 : step === 0)
  const starts = entries.flatMap((e, i) => (isStart(e.step) ? [i] : []))
  const end = asked.windowDays === null ? Infinity : asked.windowDays * dayMs
  const most = (start: number): number => {
    const inTime = entries.map((e, i) => i >= start && e.at - entries[start]!.at <= end)
    if (asked.order === 'any')
      return new Set(entries.filter((e, i) => inTime[i] && e.step >= 0).map(e => e.step)).size
    const after = (i: number, step: number): number => {
      const next = entries.flatMap((e, j) => (j > i && inTime[j] && e.step === step ? [j] : []))
      const allowed = asked.order === 'strict' ? next.filter(j => j === i + 1) : next
      return Math.max(0, ...allowed.map(j => 1 + after(j, step + 1)))
    }
    return 1 + after(start, 1)
  }
  return Math.max(0, ...(asked.reentry ? starts : starts.slice(0, 1)).map(most))
}

/** The deals that a funnel is about, handed over ones left out. */
export function modelCohort(
  pipeline: ModelPipeline,
  deals: readonly ModelDeal[],
  question: Question
): ModelDeal[] {
  const kinds = new Map(pipeline.map(s => [s.name, s.kind]))
  return deals.filter(deal => {
    const last = entriesOf(deal, question.asOf).at(-1)
    const state = last && kinds.get(last.stage)
    if (!last || state === undefined) return false
    const date = question.cohort === 'created' ? deal.openedAt : state === 'open' ? NaN : last.at
    return date >= question.from && date < question.to
  })
}

/** How many deals come to each step. */
export function modelOrdered(
  pipeline: ModelPipeline,
  deals: readonly ModelDeal[],
  question: Question,
  asked: StepQuestion
): number[] {
  const done = modelCohort(pipeline, deals, question).map(d => modelSteps(pipeline, d, question.asOf, asked))
  const steps = pipeline.filter(s => s.kind === 'open').length + 1
  return Array.from({ length: steps }, (_, i) => done.filter(n => n > i).length)
}

/** How many deals are old enough, and how many of those were won in time. */
export function modelMatured(
  pipeline: ModelPipeline,
  deals: readonly ModelDeal[],
  question: Question,
  days: number
): { deals: number; wonWithin: number } {
  const won = new Set(pipeline.filter(s => s.kind === 'won').map(s => s.name))
  const own = new Set(pipeline.map(s => s.name))
  const old = modelCohort(pipeline, deals, question).flatMap(deal => {
    const entries = entriesOf(deal, question.asOf)
    const first = entries.find(e => own.has(e.stage))!.at
    const last = entries.at(-1)!
    return question.asOf - first >= days * dayMs
      ? [won.has(last.stage) && last.at - first <= days * dayMs]
      : []
  })
  return { deals: old.length, wonWithin: old.filter(Boolean).length }
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
