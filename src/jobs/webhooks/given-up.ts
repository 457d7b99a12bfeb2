import type { Database } from '../../kernel/context.js'
import { changeRecords } from '../../kernel/write.js'
import { systemContext } from '../../resources/identity/create.js'
import { countGivenUp, lockEndpoint } from '../../resources/webhooks/given-up.js'
import { webhooks } from '../../resources/webhooks/resource.js'
import type { Circuit } from './circuit.js'
import type { Lease } from './lease.js'
import { storeResults, type Result } from './store.js'

/**
 * Stores what became of attempts; each delivery that is given up is counted on the endpoint and told by an event, in the
 * same transaction. False where another process has taken the endpoint over: then nothing is stored.
 */
export async function storeOutcomes(
  database: Database,
  lease: Lease,
  circuit: Circuit,
  results: readonly Result[]
): Promise<boolean> {
  if (!results.some(r => r.status === 'failed')) {
    return (await storeResults(database, lease, circuit, results)).held
  }
  const { workspaceId, webhookId } = lease
  return database.transaction(async db => {
    await lockEndpoint(db, workspaceId, webhookId)
    const { held, givenUp } = await storeResults(db, lease, circuit, results)
    const all = await countGivenUp(db, workspaceId, webhookId)
    const ctx = systemContext(db, workspaceId)
    for (let failedDeliveries = all - givenUp + 1; failedDeliveries <= all; failedDeliveries++) {
      const change = { id: webhookId, patch: { failedDeliveries }, eventType: 'webhook.delivery_failed' }
      await changeRecords(ctx, webhooks, [change])
    }
    return held
  })
}
