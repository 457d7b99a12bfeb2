import { refuseFuture } from '../../kernel/clock.js'
import { fieldError, KithError } from '../../kernel/errors.js'
import type { leadStatuses } from './resource.js'

export type LeadStatus = (typeof leadStatuses)[number]

/** Which status an update may set after which. `new` never comes back; `converted` is set by converting, for good. */
export const mayFollow: Record<LeadStatus, readonly LeadStatus[]> = {
  new: ['working', 'nurturing', 'qualified', 'unqualified'],
  working: ['nurturing', 'qualified', 'unqualified'],
  nurturing: ['working', 'qualified', 'unqualified'],
  qualified: ['working', 'nurturing', 'unqualified'],
  unqualified: ['working', 'nurturing'],
  converted: []
}

/** Where the time is kept at which a lead last entered a status; that of `new` is when it was captured. */
const timeOf = {
  working: 'workingAt',
  nurturing: 'nurturingAt',
  qualified: 'qualifiedAt',
  unqualified: 'unqualifiedAt',
  converted: 'convertedAt'
} as const satisfies Partial<Record<LeadStatus, string>>

const timeField = (status: LeadStatus) => (status === 'new' ? undefined : timeOf[status])

/** Every business time of a lead. */
export const timeFields = ['capturedAt', ...Object.values(timeOf)] as const

/** What a lead's status rules look at, in a create or a patch. */
export interface StatusValues {
  status?: LeadStatus
  unqualifiedReason?: string | null
  capturedAt?: string
  workingAt?: string | null
  nurturingAt?: string | null
  qualifiedAt?: string | null
  unqualifiedAt?: string | null
  convertedAt?: string | null
}

function advice(from: LeadStatus, to: LeadStatus): string {
  const allowed = mayFollow[from]
  if (allowed.length === 0) return 'A converted lead stays converted.'
  const ways = `A lead that is ${from} may become ${allowed.join(', ')}.`
  return to === 'converted' ? `${ways} It is converted by the call that converts leads.` : ways
}

/** What speaks against a status after another one; `allowed` lists those that may follow. */
export function refuseTransition(from: LeadStatus, to: LeadStatus): KithError | undefined {
  if (from === to || mayFollow[from].includes(to)) return undefined
  const message = advice(from, to)
  return new KithError('unprocessable', message, {
    errors: [{ in: 'body', pointer: '/status', code: 'wrong_transition', message }],
    extra: { allowed: mayFollow[from] }
  })
}

/** What speaks against a reason for giving a lead up that is not given up. */
export function refuseReason(status: LeadStatus, reason: string | null | undefined): KithError | undefined {
  if (reason == null || status === 'unqualified') return undefined
  const message = `Only an unqualified lead has an unqualifiedReason; this one is ${status}.`
  return fieldError('unprocessable', '/unqualifiedReason', message, 'not_unqualified')
}

/** Throws what speaks against the status, reason and times of a new lead. */
export function checkNew(values: StatusValues, now: number): void {
  for (const field of timeFields) refuseFuture(now, values[field], `/${field}`)
  const status = values.status ?? 'new'
  const problem = refuseReason(status, values.unqualifiedReason)
  if (problem) throw problem
  if (values.convertedAt == null || status === 'converted') return
  const message = `Only a converted lead has a convertedAt; this one is ${status}.`
  throw fieldError('unprocessable', '/convertedAt', message, 'not_converted')
}

/**
 * The values of a new lead with the time of its status: where nobody says when it was entered, that was at the latest
 * moment known of the lead.
 */
export function stamped<T extends StatusValues>(values: T, now: string): T {
  const field = timeField(values.status ?? 'new')
  if (field === undefined || values[field] != null) return values
  const capturedAt = values.capturedAt ?? now
  const known = timeFields.map(f => values[f]).filter(at => at != null)
  const latest = known.reduce((a, b) => (Date.parse(b) > Date.parse(a) ? b : a), capturedAt)
  return { ...values, capturedAt, [field]: latest }
}

/** The patch of a lead with all that follows from a new status: its time, and no reason of a status that it leaves. */
export function withStatus<T extends StatusValues>(from: LeadStatus, patch: T, now: string): T {
  if (patch.status === undefined || patch.status === from) return patch
  const reason = from === 'unqualified' ? { unqualifiedReason: null } : {}
  return { ...patch, ...reason, [timeField(patch.status)!]: now }
}
