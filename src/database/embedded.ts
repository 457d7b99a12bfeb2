import { realpath } from 'node:fs/promises'
import pg from 'pg'
import { urlOf } from './embedded/address.js'
import { findBinaries, runnableBinaries } from './embedded/binaries.js'
import { clusterOf, ensureCluster, openHome, readPassword } from './embedded/cluster.js'
import { ignoring } from './embedded/errors.js'
import { chooseIdentity, giveTo } from './embedded/identity.js'
import {
  findOccupant,
  readServerFile,
  startedBy,
  type Occupant,
  type ServerFile
} from './embedded/occupant.js'
import { endServer, launch, logFile, type Launch, type Server } from './embedded/server.js'

/** A running embedded PostgreSQL. */
export interface EmbeddedServer {
  /** connection URL of database `kith`, with password */
  url: string
  /** Stops the server, rolling back open transactions. May be called more than once. */
  stop(): Promise<void>
}

/** Another live process runs a server on the data directory. `pid` is that process, or its server where only that is known. */
export class EmbeddedInUseError extends Error {
  override readonly name = 'EmbeddedInUseError'

  constructor(
    readonly dataDir: string,
    readonly pid: number
  ) {
    super(
      `The embedded PostgreSQL in ${dataDir} is already in use by process ${pid}. ` +
        'Stop that process, or give this one another data directory.'
    )
  }
}

/** What {@link startEmbedded} needs: `onExit` is told when the server ends although nobody stopped it. */
export interface EmbeddedOptions {
  dataDir: string
  log: (message: string) => void
  onExit?: (detail: string) => void
}

/**
 * Starts the PostgreSQL server in `<dataDir>/postgres`, creating it at the first start and recovering it after a crash.
 * Rejects with {@link EmbeddedInUseError} when another live process runs it.
 */
export async function startEmbedded({ dataDir, log, onExit }: EmbeddedOptions): Promise<EmbeddedServer> {
  const began = Date.now()
  const home = await openHome(dataDir)
  const stale = await clearWay(home, log)
  const identity = await chooseIdentity(clusterOf(home))
  const binaries = await runnableBinaries(identity, await findBinaries())
  const password = await ensureCluster(home, identity, binaries, log)
  await giveTo(identity, clusterOf(home))
  const server = await launchAlone({ home, identity, binaries, stale, log })
  try {
    await ensureDatabase(urlOf(home, server.address, password, 'postgres'))
  } catch (error) {
    await server.stop()
    throw error
  }
  log(`embedded PostgreSQL ${binaries.version} is ready in ${home} after ${Date.now() - began} ms`)
  return { url: urlOf(home, server.address, password), stop: supervise(home, server, onExit) }
}

/**
 * URL of the server that some other running process has started on `dataDir`; undefined when none is running or it
 * does not accept connections yet.
 */
export async function findEmbedded(dataDir: string): Promise<string | undefined> {
  const home = await realpath(dataDir).catch(ignoring('ENOENT'))
  const occupant = home && (await findOccupant(home))
  if (!occupant || !occupant.file.ready || occupant.orphan) return undefined
  const password = await readPassword(home)
  return password && urlOf(home, occupant.file.address, password)
}

/** Refuses a directory in use and stops a server whose starter died. Returns what a dead server left behind. */
async function clearWay(home: string, log: (message: string) => void): Promise<ServerFile | undefined> {
  const occupant = await findOccupant(home)
  if (occupant !== undefined) {
    if (!occupant.orphan) throw inUse(home, occupant)
    const { pid } = occupant.file
    log(`stopping the embedded PostgreSQL (pid ${pid}) that a process which is gone has left running`)
    await endServer(pid, async () => (await startedBy(home, pid)) === undefined)
  }
  return readServerFile(home)
}

function inUse(home: string, { file, starter }: Occupant): EmbeddedInUseError {
  return new EmbeddedInUseError(home, starter ?? file.pid)
}

async function launchAlone(options: Launch): Promise<Server> {
  try {
    return await launch(options)
  } catch (error) {
    // Two processes may have found the directory free at the same time, and PostgreSQL has decided.
    const occupant = await findOccupant(options.home)
    throw occupant === undefined ? error : inUse(options.home, occupant)
  }
}

async function ensureDatabase(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 30_000 })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const { rows } = await client.query<{ encoding: string }>(
      `select pg_encoding_to_char(encoding) as encoding from pg_database where datname = 'kith'`
    )
    if (rows[0] === undefined) await client.query('create database kith')
    else if (rows[0].encoding !== 'UTF8') {
      throw new Error(`Database kith has the encoding ${rows[0].encoding}; it must be UTF8.`)
    }
  } finally {
    await client.end()
  }
}

function supervise(home: string, server: Server, onExit: EmbeddedOptions['onExit']): () => Promise<void> {
  let stopped: Promise<void> | undefined
  void server.ended.then(detail => {
    if (stopped === undefined) onExit?.(`PostgreSQL ${detail}, see ${logFile(home)}`)
  })
  return () => (stopped ??= server.stop())
}
