import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Parser, type FinalResults } from 'tap-parser'
import { emptyReport, follow, type Report } from './report.js'

/** Where the compiled files are, and what their processes find in their environment. */
export interface Running {
  checkout: string
  env: NodeJS.ProcessEnv
  /** Past this a file fails. */
  timeoutSeconds: number
  /** Ends the files that run. */
  interruption: AbortSignal
}

/** A process that runs test files one after another. */
export interface TestProcess {
  /** Runs a file, after the one before it has ended. */
  run(file: string): Promise<Report>
  /** Ends it, and all that its files started; what is wrong with that is told by the report of its last file. */
  end(): Promise<void>
}

/** How long a file that is to end has to say where it was, and a process that has nothing left to do to end. */
const killAfterMs = 10_000

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid) process.kill(-child.pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function launch({ checkout, env, timeoutSeconds }: Running) {
  const child = spawn(process.execPath, [join(checkout, 'scripts/test/run.js'), String(timeoutSeconds)], {
    cwd: checkout,
    env: { ...env, TAP: '1', TAP_TIMEOUT: '0' },
    stdio: ['pipe', 'pipe', 'inherit'],
    // A process group of its own, so that everything the files started can be ended with it.
    detached: true
  })
  // One that is gone is told by its exit.
  child.stdin.on('error', () => undefined)
  return child
}

/** Starts a process for test files. */
export function startProcess(running: Running): TestProcess {
  const { timeoutSeconds, interruption } = running
  const child = launch(running)
  const stop = () => {
    killGroup(child, 'SIGTERM')
    setTimeout(killGroup, killAfterMs, child, 'SIGKILL').unref()
  }
  interruption.addEventListener('abort', stop)
  const parser = new Parser()
  let report = emptyReport()
  follow(parser, () => report)
  const complete = once(parser, 'complete') as Promise<[FinalResults]>
  child.stdout.pipe(parser)

  async function exit(): Promise<void> {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    interruption.removeEventListener('abort', stop)
    killGroup(child, 'SIGKILL')
    const [{ failures }] = await complete
    for (const { tapError } of failures) if (tapError) report.broken.push(tapError)
    if (code !== 0 && report.failures.length === 0)
      report.broken.push(`It ended with ${signal ?? `exit code ${code}`}.`)
  }

  async function patiently(ms: number, what: Promise<unknown>): Promise<void> {
    const patience = setTimeout(stop, ms)
    await what
    clearTimeout(patience)
  }

  const exited = exit()
  return {
    async run(file) {
      report = emptyReport()
      const told = once(parser, 'pragma')
      child.stdin.write(`${file}\n`)
      await patiently(timeoutSeconds * 1000 + killAfterMs, Promise.race([told, exited]))
      return report
    },
    async end() {
      child.stdin.end()
      await patiently(killAfterMs, exited)
    }
  }
}
