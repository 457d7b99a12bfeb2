import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { codegen } from '@graphql-codegen/core'
import { preset } from '@graphql-codegen/client-preset'
import * as typescriptPlugin from '@graphql-codegen/typescript'
import { buildSchema, parse } from 'graphql'
import openapiTypescript, { astToString } from 'openapi-typescript'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '../..')
const generated = join(here, 'generated')
const sdlFile = join(root, 'schema.graphql')

// Without what tap adds to every child: the compiler's program does not start with it.
async function run(script: string, args: string[]): Promise<void> {
  const command = ['-u', 'NODE_OPTIONS', process.execPath, join(root, 'node_modules', script), ...args]
  await promisify(execFile)('/usr/bin/env', command, { cwd: here }).catch(
    ({ stdout, stderr }: { stdout: string; stderr: string }) => {
      throw new Error(`${script} failed\n${stdout}${stderr}`)
    }
  )
}

// Each scalar is named, so that a new one is noticed here.
const scalars = { ID: 'string', DateTime: 'string', Date: 'string', Decimal: 'string', JSON: 'unknown' }
const config = { scalars, strictScalars: true, useTypeImports: true, importExtension: '.js' as const }

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}

/** What graphql-codegen makes of schema.graphql: the types of the whole, and the client preset's of the documents. */
async function graphqlCodegen(): Promise<void> {
  const sdl = await readFile(sdlFile, 'utf8')
  const file = join(here, 'programs/documents.graphql')
  const rawSDL = await readFile(file, 'utf8')
  const schema = parse(sdl)
  const schemaAst = buildSchema(sdl)
  const types = await codegen({
    filename: 'schema.ts',
    schema,
    schemaAst,
    documents: [],
    config,
    plugins: [{ typescript: {} }],
    pluginMap: { typescript: typescriptPlugin }
  })
  await write(join(generated, 'schema.ts'), types)
  const outputs = await preset.buildGeneratesSection({
    baseOutputDir: join(generated, 'graphql/'),
    schema,
    schemaAst,
    documents: [{ location: file, document: parse(rawSDL), rawSDL }],
    config,
    presetConfig: { fragmentMasking: false },
    plugins: [],
    pluginMap: {}
  })
  for (const output of outputs) await write(output.filename, await codegen(output))
}

/** What openapi-typescript makes of openapi.yaml. */
async function openapiTypes(): Promise<void> {
  const ast = await openapiTypescript(new URL(`file://${root}/openapi.yaml`))
  await write(join(generated, 'openapi.ts'), astToString(ast))
}

/** What the Relay compiler makes of schema.graphql and relayDocuments.ts. */
async function relayArtifacts(): Promise<void> {
  const artifactDirectory = join(generated, 'relay')
  await mkdir(artifactDirectory, { recursive: true })
  const settings = {
    src: 'programs',
    schema: '../../schema.graphql',
    artifactDirectory: 'generated/relay',
    language: 'typescript',
    eagerEsModules: true,
    useImportTypeSyntax: true,
    noSourceControl: true,
    requireCustomScalarTypes: true,
    customScalarTypes: { DateTime: 'string', Date: 'string', Decimal: 'string', JSON: 'unknown' }
  }
  const file = join(generated, 'relay.config.json')
  await write(file, JSON.stringify(settings))
  await run('relay-compiler/cli.js', [file])
}

/** Generates what the programs import, from the committed contracts, checks their types and compiles them. */
export async function generateClients(): Promise<void> {
  await rm(generated, { recursive: true, force: true })
  await Promise.all([graphqlCodegen(), openapiTypes(), relayArtifacts()])
  await run('@typescript/native/bin/tsc', ['-p', here, '--noEmit', 'false'])
}
