import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

/** What test data holds, read freely. */
export type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const root = fileURLToPath(new URL('../..', import.meta.url))
const data = process.env.KITH_DATA || join(root, '../shared/data')

/** The folder of a reference data set, beside the clone. */
export const referenceFolder = (set: string): string => join(data, set)

/** Whether the reference data lies beside the clone; tests that need it are left out without it. */
export const hasReference: boolean = existsSync(join(data, 'expected'))

/** The expected figures of a reference data set. */
export const expectedOf = async (set: string): Promise<Json> =>
  JSON.parse(await readFile(join(data, 'expected', `${set}.json`), 'utf8'))

const cases = JSON.parse(await readFile(join(root, 'test/data/edge-cases.json'), 'utf8')) as { cases: Json[] }

/** A micro case by its id. */
export function edgeCase(id: string): { title: string; given: Json; expect: Json } {
  const found = cases.cases.find(c => c.id === id)
  if (!found) throw new Error(`no case ${id}`)
  return found as { title: string; given: Json; expect: Json }
}

/** Asserts that a number, or decimal text, lies within a tolerance, absolute for small numbers and relative for others. */
export function near(t: Test, found: unknown, wanted: number | null, name: string, tolerance = 1e-6): void {
  if (wanted === null) return void t.equal(found ?? null, null, name)
  const distance = Math.abs(Number(found) - wanted)
  const fits = found !== null && found !== undefined && distance <= tolerance * Math.max(1, Math.abs(wanted))
  t.ok(fits, `${name}: ${String(found)} is ${wanted}`)
}
