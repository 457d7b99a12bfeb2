import sql from 'sql-template-tag'
import type { Db } from '../../kernel/context.js'
import type { EventFilter } from '../../resources/webhooks/matching.js'
import type { Circuit } from './circuit.js'

/** For how long an endpoint is one process's own unless it says again that it is at work. */
export const leaseMs = 10_000

const lease = sql`clock_timestamp() + ${leaseMs} * interval '1 millisecond'`

/** Which endpoint, and in whose hands. */
export interface Lease {
  workspaceId: string
  webhookId: string
  leaseId: string
}

/** What delivering needs to know of an endpoint. */
export interface Endpoint {
  [column: string]: unknown
  url: string
  types: string[]
  filter: EventFilter | null
  payload: 'full' | 'thin'
  skipOwn: boolean
  credentialType: 'user' | 'key' | 'system'
  credentialId: string | null
  scopes: string[]
  secret: string
  /** The secret before the last rotation, while it still signs. */
  previousSecret: string | null
}

const endpointColumns = sql`w.url, w.types, w.filter, w.payload, w.skip_own as "skipOwn",
  w.credential_type as "credentialType", w.credential_id as "credentialId", w.scopes, w.secret,
  case when w.previous_secret_expires_at > now() then w.previous_secret end as "previousSecret"`

const isLive = sql`w.status in ('active', 'failing') and w.deleted_at is null`

// So many endpoints of a workspace have their turn at once; the other places of the workers are for other workspaces.
const turnsPerWorkspace = 16

/**
 * Endpoints with something to do that are in nobody's hands, in all workspaces: of each workspace as many as may have
 * their turn beside those that have it, the longest not served first.
 */
export const dueEndpoints = (db: Db) =>
  db.query<{ workspaceId: string; webhookId: string }>(sql`
    select due."workspaceId", due."webhookId" from (
      select s.workspace_id as "workspaceId", s.webhook_id as "webhookId", row_number() over (
        partition by s.workspace_id order by s.lease_until nulls first, s.webhook_id) as place
      from webhook_states s
      join webhooks w on w.workspace_id = s.workspace_id and w.id = s.webhook_id
      left join event_heads h on h.workspace_id = s.workspace_id
      where ${isLive} and (s.lease_until is null or s.lease_until < now())
        and (s.hold_until is null or s.hold_until <= now()) and (s.due_at <= now() or h.sequence > s.cursor)
    ) due
    left join (
      select s.workspace_id, count(*) as n from webhook_states s
      where s.lease_id is not null and s.lease_until >= now() group by s.workspace_id
    ) served on served.workspace_id = due."workspaceId"
    where due.place + coalesce(served.n, 0) <= ${turnsPerWorkspace}
    order by due.place limit 1000`)

interface Taken {
  [column: string]: unknown
  holds: number
  width: number
  failures: number
  failingSince: string | null
  failing: string[]
}

/** Takes an endpoint into one's hands; undefined where another has it, or it gets nothing for now. */
export async function takeLease(
  db: Db,
  { workspaceId, webhookId, leaseId }: Lease
): Promise<{ circuit: Circuit; failing: string[] } | undefined> {
  const [row] = await db.query<Taken>(sql`
    update webhook_states s set lease_id = ${leaseId}, lease_until = ${lease}, due_at = null
    from webhooks w
    where s.workspace_id = ${workspaceId} and s.webhook_id = ${webhookId}
      and w.workspace_id = s.workspace_id and w.id = s.webhook_id and ${isLive}
      and (s.lease_until is null or s.lease_until < clock_timestamp())
      and (s.hold_until is null or s.hold_until <= clock_timestamp())
    returning s.holds, s.width, w.consecutive_failures as failures, s.failing_since as "failingSince", array(
      select d.record_id from webhook_deliveries d
      where d.workspace_id = ${workspaceId} and d.webhook_id = ${webhookId} and d.next_attempt_at is not null
      limit 100) as failing`)
  if (!row) return undefined
  const { holds, width, failures } = row
  const failingSince = row.failingSince === null ? null : Date.parse(row.failingSince)
  return { circuit: { failures, holds, failingSince, holdUntil: null, width }, failing: row.failing }
}

/** Says that one is still at work; false where another has taken over. */
export async function renewLease(db: Db, { workspaceId, webhookId, leaseId }: Lease): Promise<boolean> {
  const rows = await db.query(sql`
    update webhook_states set lease_until = ${lease}
    where workspace_id = ${workspaceId} and webhook_id = ${webhookId} and lease_id = ${leaseId} returning 1`)
  return rows.length > 0
}

/**
 * Gives the endpoint back, with the time at which something is due; `again` where work is left for now. A turn that
 * broke has it left alone for a while, and one that had nothing to hold against it ends that.
 */
export async function giveBack(
  db: Db,
  { workspaceId, webhookId, leaseId }: Lease,
  { again, broken, circuit }: { again: boolean; broken: boolean; circuit: Circuit }
): Promise<void> {
  const pause = broken && circuit.holdUntil !== null ? circuit.holdUntil - Date.now() : null
  const holds = broken ? circuit.holds : circuit.failures === 0 ? 0 : null
  await db.query(sql`
    update webhook_states s set lease_id = null, lease_until = clock_timestamp(), holds = coalesce(${holds}::int, s.holds),
      hold_until = coalesce(clock_timestamp() + ${pause}::float8 * interval '1 millisecond', s.hold_until),
      due_at = least(s.due_at,
        case when ${again}::boolean then now() when s.hold_until > now() then s.hold_until else (
          select min(d.next_attempt_at) from webhook_deliveries d
          where d.workspace_id = ${workspaceId} and d.webhook_id = ${webhookId} and d.status = 'pending'
            and d.next_attempt_at is not null) end)
    where s.workspace_id = ${workspaceId} and s.webhook_id = ${webhookId} and s.lease_id = ${leaseId}`)
}

/** The endpoint as it stands now; undefined once it gets nothing any more. */
export async function readEndpoint(db: Db, { workspaceId, webhookId }: Lease): Promise<Endpoint | undefined> {
  const [row] = await db.query<Endpoint>(sql`
    select ${endpointColumns} from webhooks w
    where w.workspace_id = ${workspaceId} and w.id = ${webhookId} and ${isLive}`)
  return row
}
