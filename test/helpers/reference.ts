import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Client, type Counts, type Loading } from '../../scripts/load/client.js'
import { appOn, type TestApp } from './app.js'
import { sharedTemplate, testDatabase } from './database.js'
import { referenceFolder } from './expected.js'
import { sender, type Send } from './http.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

/** A data set of others, which lies beside the repository and is in none. */
export interface ReferenceSet {
  folder: string
  expected: Json
}

/** The set of that name, or why there is none. */
export function referenceSet(name: string): ReferenceSet | string {
  const folder = referenceFolder(name)
  if (!existsSync(folder)) return `${folder} is not there`
  return {
    folder,
    expected: JSON.parse(readFileSync(join(referenceFolder('expected'), `${name}.json`), 'utf8')) as Json
  }
}

type Load = (loading: Loading, folder: string) => Promise<Record<string, Counts>>

async function listening(t: Pick<Test, 'teardown'>, url: string): Promise<{ app: TestApp; origin: string }> {
  const app = await appOn(t, url)
  return { app, origin: await app.app.listen({ host: '127.0.0.1', port: 0 }) }
}

/** Loads a data set into a database through the API of the program, and leaves it. */
async function fill(url: string, load: Load, folder: string): Promise<void> {
  const ends: (() => unknown)[] = []
  const { app, origin } = await listening({ teardown: end => void ends.push(end) }, url)
  try {
    await load({ client: new Client(origin, app.key), tell: () => undefined }, folder)
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

/** The program, listening, with a data set loaded through its API: once in a run, and copied since. */
export async function loaded(t: Test, load: Load, folder: string): Promise<{ app: TestApp; send: Send }> {
  const template = await sharedTemplate(load.name, url => fill(url, load, folder))
  const { app, origin } = await listening(t, await testDatabase(t, template))
  return { app, send: sender(origin, app.key) }
}

/** The answer of a figure; throws where there is none. */
export async function figure(send: Send, name: string, parameters: object): Promise<Json> {
  const answer = await send('POST', `/v1/metrics/${name}`, parameters)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.body
}

/** Compares a number with the one of a file, within the tolerance of the file. */
export function closeTo(
  t: Test,
  found: unknown,
  wanted: number | null,
  name: string,
  tolerance = 1e-6
): void {
  if (wanted === null) return void t.equal(found ?? null, null, name)
  const near = found !== null && Math.abs(Number(found) - wanted) <= tolerance
  t.ok(near, `${name}: ${String(found)} is ${wanted}`)
}
