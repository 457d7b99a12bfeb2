import type { Test } from 'tap'
import { pino } from 'pino'
import type { InjectOptions } from 'fastify'
import { buildApp, type KithApp } from '../../src/app.js'
import { readConfig } from '../../src/config.js'
import { openDatabase, type OpenDatabase } from '../../src/database/client.js'
import type { Snapshots } from '../../src/kernel/context.js'
import {
  createWorkspace,
  createWorkspaceKey,
  findWorkspace,
  WorkspaceError
} from '../../src/resources/identity/create.js'
import { testDatabase } from './database.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- tests read answers freely

export interface Reply {
  status: number
  headers: Record<string, string | number | string[] | undefined>
  body: Json
  text: string
}

export interface TestApp {
  app: KithApp
  database: OpenDatabase
  /** Where its figures are computed. */
  snapshots: Snapshots
  url: string
  workspaceId: string
  /** A key that may do everything in the workspace. */
  key: string
  /** A REST call with that key, or the one given. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
  /** A GraphQL call with that key, or the one given. */
  graphql(query: string, variables?: object, headers?: Record<string, string>): Promise<Reply>
  /** Another key, of this workspace or another one. */
  newKey(scopes?: string[], workspaceId?: string): Promise<string>
  newWorkspace(name: string): Promise<string>
}

export const jwtSecret = 'a-test-secret-of-more-than-32-characters'

const workspaceName = 'test'

/** The whole program on a database of its own, with a workspace and a key; gone when the test ends. */
export async function testApp(t: Test, env: Record<string, string> = {}): Promise<TestApp> {
  return appOn(t, await testDatabase(t), env)
}

/** The whole program on a database, in which it has been on before or not. */
export async function appOn(
  t: Pick<Test, 'teardown'>,
  url: string,
  env: Record<string, string> = {}
): Promise<TestApp> {
  const config = readConfig({
    DATABASE_URL: url,
    JWT_SECRET: jwtSecret,
    LOG_LEVEL: 'fatal',
    RATE_LIMIT: '0',
    ...env
  })
  const database = openDatabase({
    url,
    maxConnections: config.databasePool,
    statementTimeoutMs: config.statementTimeoutMs,
    onError: () => undefined
  })
  const snapshots = database.snapshots(config.figures)
  database.snapshots = () => snapshots
  const logger = pino({ level: config.logLevel }, process.stderr)
  const app = await buildApp({ config, database, logger, migrated: async () => undefined })
  t.teardown(async () => {
    await app.close()
    await database.close()
  })
  const workspaceId = await findWorkspace(database, workspaceName).catch((error: unknown) => {
    if (error instanceof WorkspaceError) return createWorkspace(database, workspaceName)
    throw error
  })
  const key = await createWorkspaceKey(database, workspaceId, 'test', ['admin'])

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await app.inject({
      method: method,
      url: path,
      headers: { authorization: `Bearer ${key}`, ...headers },
      ...(body !== undefined && { payload: body as InjectOptions['payload'] })
    })
    const isJson = /json/.test(String(response.headers['content-type'] ?? ''))
    return {
      status: response.statusCode,
      headers: response.headers as Reply['headers'],
      body: isJson ? response.json<Json>() : {},
      text: response.body
    }
  }

  return {
    app,
    database,
    snapshots,
    url,
    workspaceId,
    key,
    call,
    graphql: (query, variables = {}, headers = {}) => call('POST', '/graphql', { query, variables }, headers),
    newKey: (scopes = ['admin'], workspace = workspaceId) =>
      createWorkspaceKey(database, workspace, 'another', scopes),
    newWorkspace: name => createWorkspace(database, name)
  }
}
