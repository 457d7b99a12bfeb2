import { newId } from '../../kernel/write.js'
import { systemContext } from '../../resources/identity/create.js'
import { presentPrincipal } from '../../resources/identity/present.js'
import { readableBy } from '../../resources/webhooks/resend.js'
import { attempt } from './attempt.js'
import { isOpen } from './circuit.js'
import { giveBack, readEndpoint, takeLease } from './lease.js'
import { changeEndpoint, conclude } from './outcome.js'
import { claim, claimedAtOnce, claimProbe, dispatch, type Due } from './portions.js'
import { skip } from './store.js'
import { openTurn, type Delivering, type Turn } from './turn.js'

// How long a change of the endpoint or its credential may go unnoticed before a request begins.
const endpointMs = 1000
const principalMs = 2000

// What the endpoint may get by now; false where nothing, as its credential is gone.
async function checkCredential(turn: Turn): Promise<boolean> {
  const { endpoint, lease, database } = turn
  if (!endpoint) return false
  if (Date.now() - turn.readableAt < principalMs) return true
  const actor = { type: endpoint.credentialType, id: endpoint.credentialId }
  const principal = await presentPrincipal(database, lease.workspaceId, actor)
  if (principal?.rowScope !== 'all') {
    const patch = { enabled: false, status: 'disabled', statusReason: 'credential_gone' }
    await changeEndpoint(turn, patch, 'webhook.disabled')
    return false
  }
  turn.readable = readableBy(new Set(endpoint.scopes), principal.scopes)
  turn.readableAt = Date.now()
  return true
}

async function follow(turn: Turn): Promise<number> {
  const ctx = systemContext(turn.database, turn.lease.workspaceId)
  return dispatch(ctx, turn.lease, turn.endpoint!, turn.readable)
}

async function find(turn: Turn): Promise<Due[]> {
  const { database, lease, busy } = turn
  if (!isOpen(turn.circuit, turn.failing.size)) return claim(database, lease, [...busy])
  return busy.size > 0 ? [] : claimProbe(database, lease)
}

const may = ({ readable }: Turn, due: Due) => due.kept && (due.body !== null || readable.includes(due.about))

// By record, in order; what may not be sent any more is left out.
async function take(turn: Turn, found: readonly Due[]): Promise<void> {
  const left = found.filter(due => !may(turn, due))
  if (left.length > 0) {
    const ids = left.map(due => due.eventId)
    await skip(turn.database, turn.lease, ids)
  }
  const streams = new Map<string, Due[]>()
  for (const due of found.filter(due => may(turn, due))) {
    streams.set(due.streamId, [...(streams.get(due.streamId) ?? []), due])
  }
  for (const [id, stream] of streams) {
    turn.busy.add(id)
    turn.ready.push(stream)
  }
}

// Looks again at what the endpoint is and may get, so that requests that begin go where they should by now.
async function freshen(turn: Turn): Promise<void> {
  const now = Date.now()
  turn.endpoint = await readEndpoint(turn.database, turn.lease)
  turn.endpointAt = now
  if (!(await checkCredential(turn))) turn.end()
}

/** Brings deliveries into hand. Answers whether there was anything to look at. */
async function refill(turn: Turn): Promise<boolean> {
  const open = isOpen(turn.circuit, turn.failing.size)
  let looked = turn.drained && !open ? await follow(turn) : 0
  let found = await find(turn)
  if (open && found.length === 0 && turn.busy.size === 0) {
    looked = await follow(turn)
    found = await find(turn)
  }
  turn.drained = found.length < claimedAtOnce
  await take(turn, found)
  return looked > 0 || found.length > 0
}

// The first of a record's deliveries; the next gets its turn only once this one is stored as acknowledged.
async function deliver(turn: Turn, stream: readonly Due[]): Promise<void> {
  const [due, ...rest] = stream as [Due, ...Due[]]
  turn.sending++
  const done = await attempt(turn.egress, turn.endpoint!, due).finally(() => {
    turn.sending--
    turn.tell()
  })
  const success = await conclude(turn, due, done)
  if (success && rest.length > 0) turn.ready.push(rest)
  else turn.busy.delete(due.streamId)
}

function start(turn: Turn, stream: readonly Due[]): void {
  const running = deliver(turn, stream)
    .catch((error: unknown) => turn.fail(error))
    .finally(() => {
      turn.underWay.delete(running)
      turn.tell()
    })
  turn.underWay.add(running)
}

// What it may no longer get is let go, to be left out with all others of the kind.
function begin(turn: Turn, stream: readonly Due[]): void {
  if (may(turn, stream[0]!)) start(turn, stream)
  else turn.busy.delete(stream[0]!.streamId)
}

// As many requests at once as the endpoint bears; what is only being stored holds up nothing but its own record.
// Answers whether it ended because there was nothing left.
async function run(turn: Turn): Promise<boolean> {
  const { ready, underWay, circuit, busy } = turn
  while (turn.goesOn()) {
    const low = ready.length < circuit.width && busy.size < claimedAtOnce
    if (low || Date.now() - turn.endpointAt > endpointMs) await freshen(turn)
    const found = low && turn.goesOn() && (await refill(turn))
    while (turn.goesOn() && ready.length > 0 && turn.sending < circuit.width) begin(turn, ready.shift()!)
    if (underWay.size > 0) await turn.changed()
    else if (!found) return turn.goesOn()
  }
  return false
}

/**
 * Delivers what is due at an endpoint, until nothing is or its turn is over. One process at a time does so for an
 * endpoint; a process that dies is followed by another once its lease has run out.
 */
export async function pump(
  delivering: Delivering,
  { workspaceId, webhookId }: { workspaceId: string; webhookId: string }
): Promise<void> {
  const lease = { workspaceId, webhookId, leaseId: newId() }
  const taken = await takeLease(delivering.database, lease)
  if (!taken) return
  const turn = openTurn(delivering, lease, taken)
  const idle = await run(turn).catch((error: unknown) => turn.fail(error))
  await Promise.all(turn.underWay)
  await turn.close()
  const broken = turn.broken()
  await giveBack(delivering.database, lease, { again: !idle, broken, circuit: turn.circuit })
}
