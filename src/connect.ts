import type { Logger } from 'pino'
import type { Config } from './config.js'
import { openDatabase, type OpenDatabase } from './database/client.js'

/** Opens a pool on a migrated database. */
export function connect(config: Config, url: string, logger: Logger): OpenDatabase {
  return openDatabase({
    url,
    maxConnections: config.databasePool,
    statementTimeoutMs: config.statementTimeoutMs,
    onError: error => logger.warn({ err: error }, 'a database connection broke')
  })
}
