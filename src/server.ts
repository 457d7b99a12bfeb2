import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { buildApp, type KithApp } from './app.js'
import type { Config } from './config.js'
import { connect } from './connect.js'
import type { OpenDatabase } from './database/client.js'
import { startEmbedded } from './database/embedded.js'
import { checkMigrated, migrate } from './database/migrate.js'
import { startKeeper } from './jobs/keeper.js'
import { startScoring } from './jobs/lead-scores.js'
import { startWebhooks } from './jobs/webhooks/worker.js'

interface Started {
  url: string
  stop: () => Promise<void>
}

async function databaseServer(
  config: Config,
  logger: Logger,
  died: (detail: string) => void
): Promise<Started> {
  if (config.databaseUrl !== undefined) return { url: config.databaseUrl, stop: async () => undefined }
  return startEmbedded({
    dataDir: config.dataDir,
    log: message => logger.info(message),
    onExit: died
  })
}

export interface Server {
  app: KithApp
  database: OpenDatabase
  /** Readiness fails, then the process goes on answering for a moment, then everything closes. */
  stop(): Promise<void>
}

/** Starts what the settings ask for: database, migrations, HTTP (unless a worker), background work (unless an api). */
export async function startServer(
  config: Config,
  logger: Logger,
  died: (detail: string) => void
): Promise<Server> {
  const server = await databaseServer(config, logger, died)
  const cleanUp: (() => Promise<void>)[] = [server.stop]
  const closeAll = async () => {
    for (const close of cleanUp.reverse()) await close()
  }
  try {
    await migrate(server.url)
    const database = connect(config, server.url, logger)
    cleanUp.push(() => database.close())
    if (config.role !== 'api') {
      cleanUp.push(startKeeper(database, logger, config.eventRetentionDays))
      cleanUp.push(await startWebhooks({ database, url: server.url, settings: config.webhooks, logger }))
      cleanUp.push(await startScoring({ database, url: server.url, logger }))
      logger.info('background work runs')
    }
    const app = await buildApp({ config, database, logger, migrated: () => checkMigrated(database) })
    cleanUp.push(() => app.close())
    if (config.role !== 'worker') await app.listen({ host: config.host, port: config.port })
    return {
      app,
      database,
      stop: async () => {
        app.drain()
        if (config.role !== 'worker') await sleep(config.drainDelayMs)
        await closeAll()
      }
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}
