import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'
import { chunksOf, type Client } from '../../scripts/load/client.js'
import { pipeline, type Offer } from '../../scripts/load/loan-offers.js'
import { loadPipeline } from '../../scripts/load/pipeline.js'

interface Move {
  dealId: string
  stageId: string
  at: string
}

interface Standing {
  id: string
  externalIds: { id: string }[]
  stage: { name: string }
  status: string
  stageEnteredAt: string
  closedAt: string | null
}

interface History {
  data: { at: string; stageName: string; entered: boolean }[]
}

type Random = () => number

// mulberry32: the same sample in every run.
function random(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

function shuffled<T>(rows: readonly T[], next: Random): T[] {
  const keyed = rows.map(row => ({ row, key: next() }))
  return keyed.sort((a, b) => a.key - b.key).map(k => k.row)
}

// Moves of one moment keep their order, since the order of recording decides between them.
function shuffledMoments<T extends { at: string }>(rows: readonly T[], next: Random): T[] {
  const moments = new Map<string, T[]>()
  for (const row of rows) moments.set(row.at, [...(moments.get(row.at) ?? []), row])
  return shuffled([...moments.values()], next).flat()
}

const distinct = ({ entries }: Offer, name: 'at' | 'stage') =>
  new Set(entries.map(e => e[name])).size === entries.length

interface Sample {
  /** No moment twice: its moves may arrive in any order, in any calls. */
  plain: Offer[]
  /**
   * Those with several moves at one moment: their order is that of recording, so they must arrive together.
   */
  tangled: Offer[]
}

function sampleOf(offers: readonly Offer[], next: Random): Sample {
  const mixed = shuffled(offers, next)
  const isPlain = (o: Offer) => distinct(o, 'at')
  return {
    plain: [
      ...mixed.filter(o => isPlain(o) && distinct(o, 'stage')).slice(0, 200),
      ...mixed.filter(o => isPlain(o) && !distinct(o, 'stage'))
    ],
    tangled: mixed.filter(o => !isPlain(o)).slice(0, 200)
  }
}

async function eachOf<T>(rows: readonly T[], task: (row: T) => Promise<void>): Promise<void> {
  for (const some of chunksOf(rows, 8)) await Promise.all(some.map(task))
}

async function moveAll(client: Client, calls: readonly Move[][]): Promise<string[]> {
  const statuses: string[] = []
  await eachOf(calls, async moves => {
    const body = { moves }
    const { results } = await client.call<{ results: { status: string }[] }>('POST', '/v1/deals/moves', body)
    statuses.push(...results.map(r => r.status))
  })
  return statuses
}

async function replay(client: Client, { plain, tangled }: Sample, next: Random): Promise<string[]> {
  const { stageId } = await loadPipeline({ client, tell: () => undefined }, 'loan-offers', pipeline)
  const { ids } = await client.upsert(
    'deals',
    'loan-offers',
    [...plain, ...tangled].map(({ deal, entries: [first] }) => ({
      externalId: deal.deal_id,
      body: { name: deal.deal_id, stageId: stageId(first!.stage), openedAt: first!.at }
    }))
  )
  const movesOf = ({ deal, entries }: Offer): Move[] =>
    entries.slice(1).map(({ at, stage }) => ({ dealId: ids.get(deal.deal_id)!, stageId: stageId(stage), at }))
  const scattered = chunksOf(shuffled(plain.flatMap(movesOf), next), 100)
  const together = chunksOf(tangled, 30).map(some => some.flatMap(o => shuffledMoments(movesOf(o), next)))
  return moveAll(client, [...scattered, ...together])
}

// By the offer's own id. An upsert without a change tells ours.
async function standings(client: Client, offers: readonly Offer[]): Promise<Record<string, unknown>> {
  const { ids } = await client.upsert(
    'deals',
    'loan-offers',
    offers.map(({ deal }) => ({ externalId: deal.deal_id, body: {} }))
  )
  const found: Record<string, unknown> = {}
  for (const some of chunksOf(offers, 200)) {
    const filter = { id: { in: some.map(o => ids.get(o.deal.deal_id)) } }
    const body = { filter, include: ['stage'], limit: 200 }
    const { data } = await client.call<{ data: Standing[] }>('POST', '/v1/deals/search', body)
    await eachOf(data, async ({ id, externalIds, stage, status, stageEnteredAt, closedAt }) => {
      const { data: rows } = await client.call<History>('GET', `/v1/deals/${id}/history`)
      const history = rows.filter(row => row.entered).map(row => `${row.at} ${row.stageName}`)
      found[externalIds[0]!.id] = { stage: stage.name, status, stageEnteredAt, closedAt, history }
    })
  }
  return found
}

/**
 * Makes some of the offers in another workspace, each at its first stage, and moves them through the rest out of
 * order: stage, status, close and history must be those of the deals that `imported` has.
 */
export async function compareReplay(
  t: Test,
  offers: readonly Offer[],
  imported: Client,
  other: Client
): Promise<void> {
  const next = random(20120315)
  const sample = sampleOf(offers, next)
  t.same([sample.plain.length, sample.tangled.length], [275, 200], 'the sample')
  const statuses = await replay(other, sample, next)
  t.same(new Set(statuses), new Set(['updated']), `${statuses.length} moves`)
  const all = [...sample.plain, ...sample.tangled]
  const [one, two] = [await standings(imported, all), await standings(other, all)]
  t.equal(Object.keys(one).length, all.length, 'deals to compare')
  const differing = all.map(o => o.deal.deal_id).filter(id => !isDeepStrictEqual(one[id], two[id]))
  t.same(
    differing.slice(0, 3).map(id => [one[id], two[id]]),
    [],
    'every deal stands where it should'
  )
}
