import type { Counts, Loading, Upsert } from './client.js'
import { readCsv } from './csv.js'
import { loadPipeline, type NewPipeline } from './pipeline.js'

const source = 'crm-opportunities'

type Account = Record<
  'account' | 'sector' | 'year_established' | 'revenue' | 'employees' | 'office_location' | 'subsidiary_of',
  string
>
type Agent = Record<'sales_agent' | 'manager' | 'regional_office', string>
type Product = Record<'product' | 'series' | 'sales_price', string>
type Opportunity = Record<
  | 'opportunity_id'
  | 'sales_agent'
  | 'product'
  | 'account'
  | 'deal_stage'
  | 'engage_date'
  | 'close_date'
  | 'close_value',
  string
>

const pipeline: NewPipeline = {
  externalId: 'opportunities',
  name: 'Opportunities',
  stages: [
    { name: 'Prospecting', kind: 'open' },
    { name: 'Engaging', kind: 'open' },
    { name: 'Won', kind: 'won' },
    { name: 'Lost', kind: 'lost' }
  ]
}

// The offices whose country is spelt as in ISO 3166; the others ("Philipines", "Korea") stay text.
const countries: Record<string, string> = {
  Belgium: 'BE',
  Brazil: 'BR',
  China: 'CN',
  Germany: 'DE',
  Italy: 'IT',
  Japan: 'JP',
  Jordan: 'JO',
  Kenya: 'KE',
  Norway: 'NO',
  Panama: 'PA',
  Poland: 'PL',
  Romania: 'RO',
  'United States': 'US'
}

const toCompany = (row: Account): Upsert => ({
  externalId: row.account,
  body: {
    name: row.account,
    industry: row.sector,
    foundedYear: Number(row.year_established),
    annualRevenue: String(Math.round(Number(row.revenue) * 1_000_000)),
    currency: 'USD',
    employeeCount: Number(row.employees),
    country: countries[row.office_location] ?? null,
    customFields: { officeLocation: row.office_location }
  }
})

// A parent may stand below its subsidiary in the file, so companies learn their parents when all are made.
function toParents(accounts: readonly Account[], companies: Map<string, string>): Upsert[] {
  return accounts
    .filter(row => row.subsidiary_of !== '')
    .map(row => ({ externalId: row.account, body: { parentId: known(companies, row.subsidiary_of) } }))
}

const toUser = (row: Agent): Upsert => ({
  externalId: row.sales_agent,
  body: {
    name: row.sales_agent,
    email: `${row.sales_agent.toLowerCase().replaceAll(' ', '.')}@example.com`,
    role: 'rep',
    region: row.regional_office,
    customFields: { manager: row.manager }
  }
})

function known(ids: Map<string, string>, name: string): string {
  const id = ids.get(name)
  if (id === undefined) throw new Error(`${name} is in no table of the data set.`)
  return id
}

const toProduct = (row: Product): Upsert => ({
  externalId: row.product,
  body: { name: row.product, family: row.series, listPrice: row.sales_price, currency: 'USD' }
})

interface Known {
  companies: Map<string, string>
  products: Map<string, string>
  users: Map<string, string>
  stageId(name: string): string
  /** When a deal without any date is taken to have been opened. */
  undatedAt: string
}

// The files have dates only.
const midnight = (date: string) => `${date}T00:00:00Z`

/**
 * The set keeps the present stage and two dates: a deal was engaged at the one and closed at the other. What it came
 * to is known from its close on, so that a look at an earlier day does not see it.
 */
function toHistory(row: Opportunity, { stageId, undatedAt }: Known): object[] {
  if (row.engage_date === '') return [{ stageId: stageId(row.deal_stage), at: undatedAt }]
  const engaged = { stageId: stageId('Engaging'), at: midnight(row.engage_date), amount: null }
  if (row.close_date === '') return [engaged]
  const closed = { stageId: stageId(row.deal_stage), at: midnight(row.close_date), amount: row.close_value }
  return [engaged, closed]
}

function toDeal(row: Opportunity, all: Known): Upsert {
  const product = row.product === 'GTXPro' ? 'GTX Pro' : row.product
  return {
    externalId: row.opportunity_id,
    body: {
      name: [product, row.account, row.opportunity_id].filter(part => part !== '').join(', '),
      amount: row.close_value === '' ? null : row.close_value,
      currency: 'USD',
      companyId: row.account === '' ? null : known(all.companies, row.account),
      ownerId: known(all.users, row.sales_agent),
      productId: known(all.products, product),
      customFields: { product },
      history: toHistory(row, all)
    }
  }
}

function firstEngagement(rows: readonly Opportunity[], { tell }: Loading): string {
  const dates = rows.map(row => row.engage_date).filter(date => date !== '')
  const first = dates.reduce((a, b) => (a < b ? a : b))
  tell(
    `${rows.length - dates.length} deals have no date: taken as opened on ${first}, the first engage_date.`
  )
  return midnight(first)
}

/** Loads accounts, agents and opportunities of the hardware seller as companies, products, users and deals. */
export async function loadOpportunities(loading: Loading, folder: string): Promise<Record<string, Counts>> {
  const { client, tell } = loading
  const accounts: Account[] = await readCsv(folder, 'accounts.csv')
  const agents: Agent[] = await readCsv(folder, 'sales_teams.csv')
  const priced: Product[] = await readCsv(folder, 'products.csv')
  const rows: Opportunity[] = await readCsv(folder, 'sales_pipeline.csv')
  tell(`${accounts.length} companies, ${agents.length} users …`)
  const companies = await client.upsert('companies', source, accounts.map(toCompany))
  const parents = await client.upsert('companies', source, toParents(accounts, companies.ids))
  const products = await client.upsert('products', source, priced.map(toProduct))
  const users = await client.upsert('users', source, agents.map(toUser))
  const { stageId, counts: pipelines } = await loadPipeline(loading, source, pipeline)
  const undatedAt = firstEngagement(rows, loading)
  tell(`${rows.length} deals …`)
  const all: Known = {
    companies: companies.ids,
    products: products.ids,
    users: users.ids,
    stageId,
    undatedAt
  }
  const deals = await client.upsert(
    'deals',
    source,
    rows.map(row => toDeal(row, all))
  )
  return {
    companies: companies.counts,
    parents: parents.counts,
    products: products.counts,
    users: users.counts,
    pipelines,
    deals: deals.counts
  }
}
