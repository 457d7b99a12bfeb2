import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'

/** The rows of a CSV file with a header line, every value as it is spelt. */
export async function readCsv<C extends string>(folder: string, name: string): Promise<Record<C, string>[]> {
  return parse(await readFile(join(folder, name)), { columns: true, bom: true })
}
