import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'

// A test file finds its own test here, instead of the one of the process, which runs several.
const ownTap = {
  'package.json': JSON.stringify({ type: 'module', exports: './index.js' }),
  'index.js': `export { own as default } from '../../../scripts/test/own.js'`
}

const compiled = ['bench', 'scripts', 'src', 'test']

/**
 * Makes a checkout of the one at `root` with its sources compiled in place: compiled anew in each of a hundred
 * processes, they would take as long as the tests. All else in it is a link. Types are not checked.
 */
export async function makeCheckout(root: string, checkout: string): Promise<void> {
  await mkdir(checkout)
  for (const name of await readdir(root)) {
    const [from, to] = [join(root, name), join(checkout, name)]
    await (compiled.includes(name) ? cp(from, to, { recursive: true }) : symlink(from, to))
  }
  const tap = join(checkout, 'test/node_modules/tap')
  await mkdir(tap, { recursive: true })
  for (const [name, text] of Object.entries(ownTap)) await writeFile(join(tap, name), text)
  const compiler = join(root, 'node_modules/@typescript/native/bin/tsc')
  const options = ['--noEmit', 'false', '--noCheck', '--sourceMap']
  await promisify(execFile)(process.execPath, [compiler, '-p', checkout, ...options])
}

/** Names the places in a text, which are of the compiled checkout, as they are in the sources. */
export function inSources(checkout: string, text: string): string {
  const place = /\b((?:bench|scripts|src|test)\/[\w./-]+)\.js\b(?::(\d+):(\d+))?/g
  return text.replace(place, (_, path: string, line?: string, column?: string) => {
    if (line === undefined) return `${path}.ts`
    const map = JSON.parse(readFileSync(join(checkout, `${path}.js.map`), 'utf8')) as SourceMapPayload
    const found = new SourceMap(map).findEntry(Number(line) - 1, Number(column) - 1)
    return 'originalLine' in found
      ? `${path}.ts:${found.originalLine + 1}:${found.originalColumn + 1}`
      : `${path}.ts`
  })
}
