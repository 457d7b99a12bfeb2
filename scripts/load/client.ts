import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** A record to write, under the id that the data set gives it. */
export interface Upsert {
  externalId: string
  body: Record<string, unknown>
}

/** How many records a load made, changed, and found as they should be. */
export interface Counts {
  created: number
  updated: number
  unchanged: number
}

export interface Upserted {
  /** Our ids by those of the data set. */
  ids: Map<string, string>
  counts: Counts
}

/** What a load needs: the API, and where to say how far it is. */
export interface Loading {
  client: Client
  tell(message: string): void
}

interface Row {
  index: number
  status: keyof Counts | 'failed'
  id: string
  error: unknown
}

/** The API refused a call, or rows of a batch; the message says which and why. */
export class LoadError extends Error {}

const rowsPerCall = 1000
const callsAtOnce = 2
const attempts = 8

/** Writes to the REST API at `url` with an API key. */
export class Client {
  readonly #url: string
  readonly #key: string

  constructor(url: string, key: string) {
    this.#url = url
    this.#key = key
  }

  /**
   * One call; the answer is its JSON body. A write carries an Idempotency-Key, so what may pass (no connection, 429,
   * 503, the same write still running) is tried again without doing anything twice. Throws a LoadError otherwise.
   */
  async call<T>(method: string, path: string, body?: object): Promise<T> {
    const init = {
      method,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(body && { 'content-type': 'application/json', 'idempotency-key': randomUUID() })
      },
      ...(body && { body: JSON.stringify(body) })
    }
    for (let attempt = 1; ; attempt++) {
      const answer = await fetch(new URL(path, this.#url), init).catch((error: unknown) => error as Error)
      const text = answer instanceof Error ? unreachable(answer) : await answer.text()
      if (!(answer instanceof Error) && answer.ok) return JSON.parse(text) as T
      if (attempt === attempts || !mayPass(answer, text)) {
        throw new LoadError(`${method} ${path}: ${text}`)
      }
      await sleep(waitMs(answer, attempt))
    }
  }

  /**
   * Makes or updates records by the ids of the data set `source`, a thousand a call. Throws a LoadError that names
   * every row that failed, once all calls are through.
   */
  async upsert(resource: string, source: string, rows: readonly Upsert[]): Promise<Upserted> {
    const done: Upserted = { ids: new Map(), counts: { created: 0, updated: 0, unchanged: 0 } }
    const failures: string[] = []
    const chunks = chunksOf(rows, rowsPerCall)
    const work = async () => {
      for (let chunk = chunks.shift(); chunk; chunk = chunks.shift()) {
        for (const { index, status, id, error } of await this.#batch(resource, source, chunk)) {
          const { externalId } = chunk[index]!
          if (status === 'failed') failures.push(`${resource} ${externalId}: ${JSON.stringify(error)}`)
          else {
            done.ids.set(externalId, id)
            done.counts[status]++
          }
        }
      }
    }
    await Promise.all(Array.from({ length: callsAtOnce }, work))
    if (failures.length > 0) throw new LoadError(failures.join('\n'))
    return done
  }

  async #batch(resource: string, source: string, rows: readonly Upsert[]): Promise<Row[]> {
    const operations = rows.map(row => ({ op: 'upsert', source, ...row }))
    const answer = await this.call<{ results: Row[] }>('POST', `/v1/${resource}/batch`, { operations })
    return answer.results
  }
}

/** The rows in groups of at most that size. */
export function chunksOf<T>(rows: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.slice(i * size, (i + 1) * size))
}

const unreachable = (error: Error) =>
  `${error.message}${error.cause instanceof Error ? ` (${error.cause.message})` : ''}`

function mayPass(answer: Response | Error, text: string): boolean {
  if (answer instanceof Error) return true
  if (answer.status === 429 || answer.status === 503) return true
  return answer.status === 409 && text.includes('"idempotency_in_progress"')
}

function waitMs(answer: Response | Error, attempt: number): number {
  const seconds = answer instanceof Error ? 0 : Number(answer.headers.get('retry-after'))
  return Math.max(seconds * 1000, 100 * 2 ** attempt)
}
