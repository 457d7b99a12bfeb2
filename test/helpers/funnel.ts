import type { Reply, TestApp } from './app.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- tests read answers freely
type Call = TestApp['call']
type Kind = 'open' | 'won' | 'lost'

/** A pipeline with the ids of its stages by name. */
export interface Pipeline {
  id: string
  stage: Record<string, string>
}

/** `lead`, or `won:won` with its kind; a number after a second colon is its position. */
export type StageSpec = string

/** A row of a deal's history: the stage's name and a time. */
export type Visit = readonly [stage: string, at: string]

/** Throws unless the call was a success. */
export async function done(reply: Promise<Reply>): Promise<Json> {
  const { status, body, text } = await reply
  if (status >= 300) throw new Error(`${status} ${text}`)
  return body
}

/** Makes a pipeline whose stages are written like `lead`, `won:won` or `late:open:30`. */
export async function makePipeline(
  call: Call,
  specs: readonly StageSpec[],
  name = 'Sales'
): Promise<Pipeline> {
  const { id } = await done(call('POST', '/v1/pipelines', { name }))
  const stage: Record<string, string> = {}
  for (const [i, spec] of specs.entries()) {
    const [name, kind, position] = spec.split(':') as [string, Kind?, string?]
    const body = { pipelineId: id, name, kind: kind ?? 'open', position: Number(position ?? i + 1) }
    stage[name] = (await done(call('POST', '/v1/stages', body))).id as string
  }
  return { id: id as string, stage }
}

/** The stages of several pipelines under one roof; names must differ. */
export const together = (...pipelines: Pipeline[]): Pipeline => ({
  id: pipelines[0]!.id,
  stage: Object.assign({}, ...pipelines.map(p => p.stage)) as Pipeline['stage']
})

/** Makes a deal with this history and answers its id. */
export async function makeDeal(
  call: Call,
  { stage }: Pipeline,
  history: readonly Visit[],
  fields: object = {}
): Promise<string> {
  const rows = history.map(([name, at]) => ({ stageId: stage[name], at }))
  return (await done(call('POST', '/v1/deals', { name: 'Deal', history: rows, ...fields }))).id as string
}

/** Asks for the funnel and answers its body. */
export const funnel = (call: Call, pipeline: Pipeline, parameters: object = {}) =>
  done(call('POST', '/v1/metrics/funnel', { pipelineId: pipeline.id, ...parameters }))

const byStage = (stages: Json[], pick: (stage: Json) => unknown) =>
  Object.fromEntries(stages.map(s => [(s.stage as Json).name as string, pick(s)]))

const without = (object: Json, unwanted: unknown) =>
  Object.fromEntries(Object.entries(object).filter(([, v]) => v !== unwanted))

/** The counts of a funnel by the names of stages, without what is 0. */
export function summary({ value }: Json): Json {
  const { deals, outcome, everWon, stages, moves, transitions } = value
  return {
    deals,
    outcome,
    everWon,
    reached: byStage(stages, s => s.reached),
    entered: byStage(stages, s => s.entered),
    openNow: without(
      byStage(stages, s => s.openNow),
      0
    ),
    lostFrom: without(
      byStage(stages, s => s.lostFrom),
      0
    ),
    moves: without(moves, 0),
    transitions: Object.fromEntries(
      (transitions as Json[]).map(t => [`${t.from.name} ${t.to.name}`, t.count])
    )
  }
}

/** The rates of a funnel by the names of stages. */
export const rates = ({ value }: Json) => ({
  fromPrevious: byStage(value.stages, s => s.conversionFromPrevious.value),
  fromFirst: byStage(value.stages, s => s.conversionFromFirst.value),
  conversion: value.conversion.value,
  winRate: value.winRate.value
})
