import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { loadTenant } from '../scripts/load/tenant-a.js'
import { sameDealFigures } from './helpers/deal-figures-expected.js'
import { loaded } from './helpers/reference-sets.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

const folder = fileURLToPath(new URL('data/tenant-a', import.meta.url))
const expected = JSON.parse(await readFile(`${folder}/expected.json`, 'utf8')) as Json
const { send } = await loaded(t, loadTenant, folder)
const asOf = expected.pipeline.as_of as string

t.test('a whole tenant', t => sameDealFigures(t, send, { asOf }, expected.pipeline as Json))
