/** Writes the contracts out of the operations, and the README's settings out of their schema: `npm run generate`. */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { declaredOperations } from '../src/operations.js'
import { contracts } from '../src/surfaces/contracts.js'
import { version } from '../src/version.js'
import { withSettings } from './settings.js'

const root = fileURLToPath(new URL('..', import.meta.url))
// The contracts show what the operations are; none of them runs here.
const operations = declaredOperations()
const { openapiYaml, sdl } = contracts(operations, version)

await writeFile(`${root}/openapi.yaml`, openapiYaml())
await writeFile(`${root}/schema.graphql`, sdl())
await writeFile(`${root}/README.md`, withSettings(await readFile(`${root}/README.md`, 'utf8')))
