import { extname } from 'node:path'
import { Piscina } from 'piscina'
import type { tasks } from './models/worker.js'

type Tasks = typeof tasks

// The file runs as it stands here: compiled, or through a loader that this process was started with.
const worker = new URL(`./models/worker${extname(import.meta.url)}`, import.meta.url)

// One thread, so that a core is left for everybody else; it ends when it has had nothing to do for a while.
const pool = new Piscina({ filename: worker.href, minThreads: 0, maxThreads: 1, idleTimeout: 10_000 })

/** Runs a model in a thread of its own, after those that wait already; the signal ends it. */
export const inBackground = <N extends keyof Tasks>(
  name: N,
  input: Parameters<Tasks[N]>[0],
  signal?: AbortSignal
): Promise<ReturnType<Tasks[N]>> => pool.run({ name, input }, { signal: signal ?? null })
