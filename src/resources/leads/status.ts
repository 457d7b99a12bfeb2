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

function refuseConverted(status: LeadStatus, convertedAt: string | null | undefined) {
  if (convertedAt == null || status === 'converted') return undefined
  const message = `Only a converted lead has a convertedAt; this one is ${status}.`
  return fieldError('unprocessable', '/convertedAt', message, 'not_converted')
}

const before = (a: string, b: string) => Date.parse(a) < Date.parse(b)

// A new lead has entered no other status, and no lead enters one before it was captured.
function refuseTimes(values: StatusValues, status: LeadStatus): KithError | undefined {
  const { capturedAt } = values
  for (const field of Object.values(timeOf)) {
    const at = values[field]
    if (at == null) continue
    if (status === 'new') {
      return fieldError('unprocessable', `/${field}`, `A new lead has no ${field}.`, 'still_new')
    }
    if (capturedAt !== undefined && before(at, capturedAt)) {
      return fieldError('unprocessable', `/${field}`, `${field} lies before capturedAt.`, 'before_capture')
    }
  }
  return undefined
}

/** What speaks against a moment of capture after the first that is known of the lead's status. */
export function refuseLateCapture(
  capturedAt: string | undefined,
  firstAt: string | null
): KithError | undefined {
  if (capturedAt === undefined || firstAt === null || !before(firstAt, capturedAt)) return undefined
  const message = `The lead entered a status at ${firstAt}: it was captured before.`
  return fieldError('unprocessable', '/capturedAt', message, 'after_status')
}

/** Throws what speaks against the status, reason and times of a new lead. */
export function checkNew(values: StatusValues, now: number): void {
  for (const field of timeFields) refuseFuture(now, values[field], `/${field}`)
  const status = values.status ?? 'new'
  const problem =
    refuseReason(status, values.unqualifiedReason) ??
    refuseConverted(status, values.convertedAt) ??
    refuseTimes(values, status)
  if (problem) throw problem
}

/**
 * The values of a new lead with the time of its status: where nobody says when it was entered, that was at the latest
 * moment known of the lead. Where nobody says when it was captured, that was at the earliest.
 */
export function stamped<T extends StatusValues>(values: T, now: string): T {
  const field = timeField(values.status ?? 'new')
  if (field === undefined) return values
  const known = Object.values(timeOf)
    .map(f => values[f])
    .filter(at => at != null)
  const capturedAt = values.capturedAt ?? known.reduce((a, b) => (before(b, a) ? b : a), now)
  const latest = known.reduce((a, b) => (before(a, b) ? b : a), capturedAt)
  return { ...values, capturedAt, [field]: values[field] ?? latest }
}

/** The patch of a lead with all that follows from a new status: its time, and no reason of a status that it leaves. */
export function withStatus<T extends StatusValues>(from: LeadStatus, patch: T, now: string): T {
  if (patch.status === undefined || patch.status === from) return patch
  const reason = from === 'unqualified' ? { unqualifiedReason: null } : {}
  return { ...patch, ...reason, [timeField(patch.status)!]: now }
}
