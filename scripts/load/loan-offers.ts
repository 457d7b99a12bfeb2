import type { Counts, Loading, Upsert } from './client.js'
import { readCsv } from './csv.js'
import { loadPipeline, type NewPipeline } from './pipeline.js'

const source = 'loan-offers'

type Deal = Record<'deal_id' | 'created_at' | 'amount', string>
type Entry = Record<'deal_id' | 'seq' | 'at' | 'stage' | 'resource', string>

const open = ['O_SELECTED', 'O_CREATED', 'O_SENT', 'O_SENT_BACK']

export const pipeline: NewPipeline = {
  externalId: 'offers',
  name: 'Loan offers',
  stages: [
    ...open.map(name => ({ name, kind: 'open' as const })),
    { name: 'O_ACCEPTED', kind: 'won' },
    { name: 'O_DECLINED', kind: 'lost' },
    { name: 'O_CANCELLED', kind: 'lost' }
  ]
}

/** A loan offer with every stage it entered, in order. */
export interface Offer {
  deal: Deal
  entries: Entry[]
}

/** Reads the offers; entries of one moment keep the order of their `seq`. */
export async function readOffers(folder: string): Promise<Offer[]> {
  const deals: Deal[] = await readCsv(folder, 'deals.csv')
  const all: Entry[] = await readCsv(folder, 'stage_events.csv')
  const offers = new Map(deals.map(deal => [deal.deal_id, { deal, entries: [] as Entry[] }]))
  for (const entry of all.sort((a, b) => Number(a.seq) - Number(b.seq))) {
    offers.get(entry.deal_id)!.entries.push(entry)
  }
  return [...offers.values()]
}

const toUpsert = ({ deal, entries }: Offer, stageId: (name: string) => string): Upsert => ({
  externalId: deal.deal_id,
  body: {
    name: `Loan offer ${deal.deal_id}`,
    openedAt: deal.created_at,
    amount: deal.amount,
    currency: 'EUR',
    history: entries.map(({ at, stage }) => ({ at, stageId: stageId(stage) }))
  }
})

/** Loads the loan offers as deals with their whole stage history. */
export async function loadLoanOffers(loading: Loading, folder: string): Promise<Record<string, Counts>> {
  const offers = await readOffers(folder)
  const { stageId, counts: pipelines } = await loadPipeline(loading, source, pipeline)
  loading.tell(`${offers.length} deals …`)
  const { counts: deals } = await loading.client.upsert(
    'deals',
    source,
    offers.map(offer => toUpsert(offer, stageId))
  )
  return { pipelines, deals }
}
