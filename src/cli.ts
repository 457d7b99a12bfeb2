#!/usr/bin/env node
import { parseArgs } from 'node:util'
import closeWithGrace from 'close-with-grace'
import { ConfigError, readConfig, type Config } from './config.js'
import { connect } from './connect.js'
import { EmbeddedInUseError, findEmbedded, startEmbedded } from './database/embedded.js'
import { migrate } from './database/migrate.js'
import type { OpenDatabase } from './database/client.js'
import { KithError } from './kernel/errors.js'
import { makeLogger } from './http/logging.js'
import { scopePattern } from './resources/identity/resource.js'
import {
  createWorkspace,
  createWorkspaceKey,
  ensureDemoWorkspace,
  findWorkspace,
  refuseTakenName,
  systemContext,
  WorkspaceError
} from './resources/identity/create.js'

const usage = `kith <command>

  serve                               start the server
  migrate                             bring the database up to date
  workspaces create <name>            make a workspace, print its id
  keys create --workspace <name or id> [--name <name>] [--scopes <a,b>]
                                      make an API key, print it; without --scopes it may do everything
  metrics <figure> --workspace <name or id> [--format table|json|csv|svg] [--<parameter> <value> …]
                                      print a figure, with the parameters of /v1/metrics/<figure>
`

class UsageError extends Error {}

const tell = (message: string) => process.stderr.write(`${message}\n`)

async function serve(config: Config): Promise<void> {
  const logger = makeLogger(config.logLevel)
  // The other commands answer sooner without it.
  const { startServer } = await import('./server.js')
  const server = await startServer(config, logger, detail => {
    logger.fatal(`the embedded database stopped: ${detail}`)
    process.exit(1)
  })
  closeWithGrace({ delay: 20000 + config.drainDelayMs, logger }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, 'a fault nobody caught')
    logger.info(`stopping${signal ? ` on ${signal}` : ''}`)
    await server.stop()
  })
  if (config.databaseUrl === undefined && (await ensureDemoWorkspace(server.database))) {
    tell('\nThe workspace demo is made. Get a key for it, in another terminal:\n')
    tell('  npm run -s kith -- keys create --workspace demo\n')
  }
}

// A command works beside a running server, or starts the embedded database for its own short life.
async function withDatabase<T>(config: Config, run: (database: OpenDatabase) => Promise<T>): Promise<T> {
  const running = config.databaseUrl ?? (await findEmbedded(config.dataDir))
  const own = running === undefined ? await startEmbedded({ dataDir: config.dataDir, log: tell }) : undefined
  const url = running ?? own!.url
  try {
    await migrate(url)
    const database = connect({ ...config, databasePool: 2 }, url, makeLogger('warn'))
    try {
      return await run(database)
    } finally {
      await database.close()
    }
  } finally {
    await own?.stop()
  }
}

async function createKeyCommand(config: Config, args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { workspace: { type: 'string' }, name: { type: 'string' }, scopes: { type: 'string' } }
  })
  const { workspace } = values
  if (workspace === undefined) throw new UsageError('keys create needs --workspace.')
  const scopes = values.scopes?.split(',') ?? ['admin']
  const wrong = scopes.find(s => !new RegExp(scopePattern).test(s))
  if (wrong !== undefined) throw new UsageError(`${wrong} is not a scope.`)
  const key = await withDatabase(config, async db =>
    createWorkspaceKey(db, await findWorkspace(db, workspace), values.name ?? 'command line', scopes)
  )
  process.stdout.write(`${key}\n`)
}

async function createWorkspaceCommand(config: Config, args: string[]): Promise<void> {
  const { positionals } = parseArgs({ args, allowPositionals: true })
  const name = positionals[0]
  if (name === undefined || positionals.length > 1) throw new UsageError('workspaces create needs one name.')
  const id = await withDatabase(config, async db => {
    await refuseTakenName(db, name)
    return createWorkspace(db, name)
  })
  process.stdout.write(`${id}\n`)
}

async function metricsCommand(config: Config, name: string | undefined, args: string[]): Promise<void> {
  const { figureText, tableFormats } = await import('./metrics/command.js')
  const { values } = parseArgs({ args: spelled(args), strict: false })
  const { workspace, format = 'table', ...parameters } = values as Record<string, string>
  if (name === undefined || workspace === undefined)
    throw new UsageError('metrics needs the name of a figure and --workspace.')
  const known = tableFormats.find(f => f === format)
  if (!known) throw new UsageError(`--format takes ${tableFormats.join(', ')}.`)
  const text = await withDatabase(config, async db =>
    figureText(db, systemContext(db, await findWorkspace(db, workspace)), name, parameters, known)
  )
  if (text === undefined) throw new UsageError(`There is no figure ${name}: GET /v1/metrics lists them.`)
  process.stdout.write(text)
}

// `--from 2026-01-01` as `--from=2026-01-01`, which needs no list of all parameters to tell a value from a flag.
function spelled(args: string[]): string[] {
  return args.flatMap((arg, i) => {
    if (!arg.startsWith('--'))
      return args[i - 1]?.startsWith('--') && !args[i - 1]!.includes('=') ? [] : [arg]
    const value = args[i + 1]
    return arg.includes('=') || value === undefined || value.startsWith('--') ? [arg] : [`${arg}=${value}`]
  })
}

async function main([command, verb, ...rest]: string[]): Promise<void> {
  const name = command === 'workspaces' || command === 'keys' ? `${command} ${verb ?? ''}` : command
  switch (name) {
    case 'serve':
      return serve(readConfig())
    case 'migrate':
      await withDatabase(readConfig(), async () => tell('The database is up to date.'))
      return
    case 'workspaces create':
      return createWorkspaceCommand(readConfig(), rest)
    case 'keys create':
      return createKeyCommand(readConfig(), rest)
    case 'metrics':
      return metricsCommand(readConfig(), verb, rest)
    case undefined:
    case 'help':
    case '--help':
      process.stdout.write(usage)
      return
    default:
      throw new UsageError(`There is no command ${name.trim()}.`)
  }
}

const isPortTaken = (error: unknown) => (error as { code?: string }).code === 'EADDRINUSE'

main(process.argv.slice(2)).catch((error: unknown) => {
  const wrongArguments =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')
  const expected =
    error instanceof ConfigError ||
    error instanceof WorkspaceError ||
    error instanceof KithError ||
    error instanceof EmbeddedInUseError ||
    isPortTaken(error)
  if (expected || wrongArguments) tell((error as Error).message)
  else tell(error instanceof Error ? (error.stack ?? error.message) : String(error))
  if (wrongArguments) tell(`\n${usage}`)
  process.exit(1)
})
