import { extname } from 'node:path'
import { Piscina } from 'piscina'
import { KithError } from '../kernel/errors.js'
import { tasks } from './models/worker.js'

type Tasks = typeof tasks

// The file runs as it stands here: compiled, or through a loader that this process was started with.
const worker = new URL(`./models/worker${extname(import.meta.url)}`, import.meta.url)

/** A thread keeps the memory of its largest model until it ends. */
const idleMs = 30_000

let pool: Piscina | undefined
let running = 0
let idle: NodeJS.Timeout | undefined

// Two threads, so that one long model does not hold up every other one. While there are models both stay: one that was
// ended with its task is replaced up to the least number only, and the tasks that wait for it would hang.
const models = () =>
  (pool ??= new Piscina({
    filename: worker.href,
    minThreads: 2,
    maxThreads: 2,
    // What a model makes by the million is gone soon: it should not get old.
    resourceLimits: { maxYoungGenerationSizeMb: 64 }
  }))

function endThreads(): void {
  // Whatever they end with concerns nobody any more.
  pool?.destroy().catch(() => undefined)
  pool = undefined
}

/**
 * Runs a model in one of two threads of their own, after those that wait already. The signal ends it, with the error of
 * a statement that was cancelled.
 */
export async function inBackground<N extends keyof Tasks>(
  name: N,
  input: Parameters<Tasks[N]>[0],
  signal: AbortSignal | undefined
): Promise<ReturnType<Tasks[N]>> {
  clearTimeout(idle)
  running++
  try {
    return (await models().run({ name, input }, { signal: signal ?? null })) as ReturnType<Tasks[N]>
  } catch (error) {
    throw signal?.aborted ? new KithError('timeout', undefined, { cause: error }) : error
  } finally {
    if (--running === 0) idle = setTimeout(endThreads, idleMs).unref()
  }
}

/** From so many numbers on, to sort them and more takes longer than other requests should wait. */
const many = 50_000

/** The same, but of few numbers at once and here: they need not wait for a long model. */
export const unlessFew = async <N extends keyof Tasks>(
  name: N,
  input: Parameters<Tasks[N]>[0],
  numbers: number,
  signal: AbortSignal | undefined
): Promise<ReturnType<Tasks[N]>> =>
  numbers > many
    ? inBackground(name, input, signal)
    : (tasks[name] as (given: typeof input) => ReturnType<Tasks[N]>)(input)
