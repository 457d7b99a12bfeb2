/**
 * Loads a public data set through the REST API of a running server:
 * `node --import=tsx scripts/load.ts <set> <folder of the set> --url http://127.0.0.1:3000 --key $KEY`. A second run
 * changes nothing. Progress goes to stderr, a summary as JSON to stdout; the exit code is 1 if anything failed.
 */
import { parseArgs } from 'node:util'
import { Client } from './load/client.js'
import { loadShop } from './load/cdnow-sample.js'
import { loadOpportunities } from './load/crm-opportunities.js'
import { loadLoanOffers } from './load/loan-offers.js'
import { loadSubscriptionChurn } from './load/subscription-churn.js'
import { loadCalls } from './load/telephone-campaign.js'
import { loadTenant } from './load/tenant-a.js'

const loaders = new Map([
  ['cdnow-sample', loadShop],
  ['crm-opportunities', loadOpportunities],
  ['loan-offers', loadLoanOffers],
  ['subscription-churn', loadSubscriptionChurn],
  ['telephone-campaign', loadCalls],
  ['tenant-a', loadTenant]
])

const tell = (message: string) => void process.stderr.write(`${message}\n`)

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { url: { type: 'string', default: 'http://127.0.0.1:3000' }, key: { type: 'string' } }
  })
  const [set = '', folder, ...rest] = positionals
  const load = loaders.get(set)
  if (!load || folder === undefined || rest.length > 0 || values.key === undefined) {
    throw new Error(`load <${[...loaders.keys()].join(' | ')}> <folder> [--url <url>] --key <key>`)
  }
  const start = performance.now()
  const loaded = await load({ client: new Client(values.url, values.key), tell }, folder)
  const seconds = Math.round(performance.now() - start) / 1000
  process.stdout.write(`${JSON.stringify({ set, seconds, ...loaded }, null, 2)}\n`)
}

main().catch((error: unknown) => {
  tell(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
