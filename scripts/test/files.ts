import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Parser, type FinalResults } from 'tap-parser'
import { follow, type Report } from './report.js'

/** Where the compiled files are, and what their processes find in their environment. */
export interface Running {
  checkout: string
  env: NodeJS.ProcessEnv
  /** Past this a file fails. */
  timeoutSeconds: number
  /** Ends the files that run. */
  interruption: AbortSignal
}

/** How long a file that is to end has to say where it was. */
const killAfterMs = 10_000

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid) process.kill(-child.pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Runs a test file in a process of its own, whose end is also that of all it started. */
export async function runFile(file: string, running: Running): Promise<Report> {
  const { checkout, env, timeoutSeconds, interruption } = running
  const child = spawn(process.execPath, [join(checkout, file.replace(/\.ts$/, '.js'))], {
    cwd: checkout,
    env: { ...env, TAP: '1', TAP_TIMEOUT: String(timeoutSeconds) },
    stdio: ['ignore', 'pipe', 'inherit'],
    // A process group of its own, so that everything the file started can be ended with it.
    detached: true
  })
  const stop = () => {
    killGroup(child, 'SIGTERM')
    setTimeout(killGroup, killAfterMs, child, 'SIGKILL').unref()
  }
  interruption.addEventListener('abort', stop)
  const patience = setTimeout(stop, timeoutSeconds * 1000 + killAfterMs)
  const parser = new Parser({ name: file })
  const report = follow(parser)
  const complete = once(parser, 'complete') as Promise<[FinalResults]>
  child.stdout.pipe(parser)
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  clearTimeout(patience)
  interruption.removeEventListener('abort', stop)
  killGroup(child, 'SIGKILL')
  const [{ failures }] = await complete
  for (const { tapError } of failures) if (tapError) report.broken.push(tapError)
  if (code !== 0 && report.failures.length === 0)
    report.broken.push(`It ended with ${signal ?? `exit code ${code}`}.`)
  return report
}
