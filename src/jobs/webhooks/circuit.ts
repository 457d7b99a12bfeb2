const second = 1000
const hour = 3600 * second

const firstDelayMs = 5 * second
const longestDelayMs = 6 * hour
const longestHoldMs = hour / 4
const giveUpAfterMs = 72 * hour
const longestRetryAfterMs = 24 * hour

// So many failures in a row, of so many records, are the endpoint's fault rather than an event's.
const failuresToHold = 5
const recordsToHold = 3

/** How an endpoint fares: what decides about the next attempts. */
export interface Circuit {
  /** Failed attempts since the last success. */
  failures: number
  /** Pauses since the last success. */
  holds: number
  failingSince: number | null
  /** Until when nothing is tried. */
  holdUntil: number | null
  /** How many requests may be under way at once. */
  width: number
}

// Full jitter: many endpoints that failed together do not come back together.
const jittered = (first: number, nth: number, longest: number) =>
  Math.ceil(Math.random() * Math.min(longest, first * 2 ** (nth - 1)))

/** Milliseconds from the nth failure of a delivery to its next attempt. */
export const retryDelay = (nth: number, scale: number) => jittered(firstDelayMs, nth, longestDelayMs) * scale

/** Whether what has been failing since then is given up now. */
export const isExhausted = (since: number, now: number, scale: number) => now - since >= giveUpAfterMs * scale

const httpDate =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/

/** Milliseconds that an answer asks to wait, in seconds or until a date; at most a day, 0 where it asks for nothing. */
export function retryAfter(header: string | string[] | undefined, now: number): number {
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? ''
  const ms = /^\d+$/.test(text) ? Number(text) * second : httpDate.test(text) ? Date.parse(text) - now : 0
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), longestRetryAfterMs)
}

/** Whether the endpoint fails as a whole, so that one attempt at a time finds out when it is back. */
export const isOpen = (circuit: Circuit, failingRecords: number) =>
  circuit.failures >= failuresToHold && failingRecords >= recordsToHold

/** A success: it resumes with a little more at once each time. */
export function succeeded(circuit: Circuit, widest: number): void {
  circuit.failures = 0
  circuit.holds = 0
  circuit.failingSince = null
  circuit.holdUntil = null
  circuit.width = Math.min(widest, circuit.width + 1)
}

/** Kith failed at the endpoint by itself: a pause that grows with each time. */
export function broke(circuit: Circuit, now: number, scale: number): void {
  circuit.holds++
  circuit.holdUntil = now + jittered(firstDelayMs, circuit.holds, longestHoldMs) * scale
}

/** A failure: less at once, and a pause where the endpoint fails as a whole or asks for one. */
export function failed(
  circuit: Circuit,
  {
    now,
    failingRecords,
    askedMs,
    scale
  }: { now: number; failingRecords: number; askedMs: number; scale: number }
): void {
  circuit.failures++
  circuit.failingSince ??= now
  circuit.width = Math.max(1, circuit.width - 1)
  const paused = circuit.holdUntil !== null && circuit.holdUntil > now
  let pause = askedMs
  if (!paused && isOpen(circuit, failingRecords)) {
    circuit.holds++
    circuit.width = 1
    pause = Math.max(pause, jittered(firstDelayMs, circuit.holds, longestHoldMs) * scale)
  }
  if (pause > 0) circuit.holdUntil = Math.max(circuit.holdUntil ?? 0, now + pause)
}
