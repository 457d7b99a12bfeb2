import type { Parser, Result } from 'tap-parser'
import { stringify } from 'yaml'
import { inSources } from './checkout.js'

/** What a file asserted. */
export interface Report {
  passed: number
  failures: Result[]
  skipped: Result[]
  /** What is wrong with the file as a whole, such as how its process ended. */
  broken: string[]
}

const print = (text: string) => void process.stdout.write(`${text}\n`)

export const emptyReport = (): Report => ({ passed: 0, failures: [], skipped: [], broken: [] })

/** Gathers what a process says, into the report of the file that runs, and shows what it prints beside. */
export function follow(parser: Parser, report: () => Report): void {
  parser.on('pass', () => report().passed++)
  parser.on('fail', (result: Result) => report().failures.push(result))
  parser.on('skip', (result: Result) => report().skipped.push(result))
  parser.on('todo', (result: Result) => report().skipped.push(result))
  parser.on('bailout', (reason: string) => report().broken.push(`Bail out! ${reason}`))
  const showOutput = (level: Parser) => {
    level.on('extra', (text: string) => process.stdout.write(text))
    level.on('child', showOutput)
  }
  showOutput(parser)
}

/** How many failures there are, a file that is broken without any being one. */
export const failed = ({ failures, broken }: Report): number => failures.length || Math.min(broken.length, 1)

/** Prints the line of a file. */
export function tellFile(file: string, report: Report, seconds: number): void {
  const failures = failed(report)
  const counts = `${report.passed} passed${failures > 0 ? `, ${failures} failed` : ''}`
  print(`${failures > 0 ? 'FAIL' : '  ok'}  ${file}  ${counts}, ${seconds.toFixed(1)} s`)
}

// Without how the assertion was made, which its stack tells.
function details(checkout: string, { diag }: Result): string {
  const { at, ...rest } = (diag ?? {}) as Record<string, unknown>
  const { fileName, lineNumber, columnNumber } = (at ?? {}) as Record<string, string>
  if (fileName && !rest.stack) rest.at = [fileName, lineNumber, columnNumber].join(':')
  if (Object.keys(rest).length === 0) return ''
  return inSources(checkout, stringify(rest, { lineWidth: 0 }).trimEnd()).replace(/^/gm, '    ')
}

/** Prints what failed, where in the sources, and what was left out. */
export function tellFailures(checkout: string, reports: ReadonlyMap<string, Report>): void {
  for (const [file, { failures, broken }] of reports) {
    for (const failure of failures) print(`\nFAILED  ${failure.fullname}\n${details(checkout, failure)}`)
    for (const reason of broken) print(`\nFAILED  ${file}\n    ${reason}`)
  }
  for (const { skipped } of reports.values()) {
    for (const result of skipped) print(`\nSKIPPED  ${result.fullname}`)
  }
}
