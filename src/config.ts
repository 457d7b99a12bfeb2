import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { Type, type TSchema } from '@sinclair/typebox'
import { Ajv } from 'ajv'

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))
const number = (minimum: number, maximum: number, value: number, description: string) =>
  Type.Integer({ minimum, maximum, default: value, description })
const choice = (values: string[], value: string, description: string) =>
  Type.Unsafe<string>({ type: 'string', enum: values, default: value, description })

/** Every setting, in the order in which the README lists them. */
export const settings = {
  HOST: Type.String({ default: '127.0.0.1', minLength: 1, description: 'The address to listen on.' }),
  PORT: number(0, 65535, 3000, 'The port to listen on; `0` picks a free one and logs it.'),
  DATABASE_URL: text('A PostgreSQL 15+ server; without it the embedded one is used.'),
  DATABASE_POOL: number(1, 200, 10, 'Connections to the database that this process may hold.'),
  STATEMENT_TIMEOUT: number(
    100,
    600000,
    30000,
    'Milliseconds after which the database gives a statement up.'
  ),
  FIGURES_POOL: number(1, 50, 3, 'Connections besides, for figures.'),
  FIGURES_TIMEOUT: number(
    100,
    3600000,
    60000,
    'Milliseconds after which the database gives a statement of a figure up, and a thread its model.'
  ),
  DATA_DIR: Type.String({
    default: '.data',
    minLength: 1,
    description: 'Where the embedded database and generated secrets lie.'
  }),
  JWT_SECRET: Type.Optional(
    Type.String({
      minLength: 32,
      description:
        'Signs and verifies access tokens (HS256); generated for the embedded database, else this or `JWT_JWKS_URL` is needed.'
    })
  ),
  JWT_JWKS_URL: Type.Optional(
    Type.String({
      pattern: '^https?://',
      description: "Verifies an identity provider's tokens (RS256, ES256)."
    })
  ),
  JWT_ISSUER: text('The issuer that tokens must name; needed with `JWT_JWKS_URL`.'),
  JWT_AUDIENCE: text('The audience that tokens must name; needed with `JWT_JWKS_URL`.'),
  CORS_ORIGINS: text('Origins that browsers may call from, comma-separated, or `*`; none unless set.'),
  TRUST_PROXY: text(
    'Addresses or networks (`10.0.0.0/8`, `loopback`) of proxies whose `X-Forwarded-For` is believed, comma-separated.'
  ),
  RATE_LIMIT: number(
    0,
    1_000_000,
    6000,
    'Requests a minute per credential and process (without one, per address); `0` switches limits off.'
  ),
  ROLE: choice(['all', 'api', 'worker'], 'all', 'What this process does.'),
  EVENT_RETENTION: number(
    1,
    36500,
    90,
    'Days for which the change feed keeps events; up to 30 more while a webhook is yet to get them.'
  ),
  WEBHOOK_ALLOW_PRIVATE: choice(
    ['true', 'false'],
    'false',
    'Lets webhooks go to private and loopback addresses and over plain http; for tests.'
  ),
  WEBHOOK_RETRY_SCALE: Type.Number({
    exclusiveMinimum: 0,
    maximum: 100,
    default: 1,
    description:
      'Stretches or shortens the retry schedule of webhooks: `0.001` makes three days four minutes.'
  }),
  WEBHOOK_TIMEOUT: number(100, 60000, 10000, 'Milliseconds that an endpoint may take to answer a webhook.'),
  WEBHOOK_CONCURRENCY: number(1, 100, 8, 'Requests under way at once to one endpoint.'),
  WEBHOOK_LOG_DAYS: number(1, 3650, 30, 'Days that the log of deliveries is kept.'),
  DRAIN_DELAY: number(0, 60000, 500, 'Milliseconds that a stopping process still accepts connections.'),
  LOG_LEVEL: choice(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'info',
    'How much is logged.'
  )
} satisfies Record<string, TSchema>

export interface Config {
  host: string
  port: number
  /** Undefined: the embedded server. */
  databaseUrl: string | undefined
  databasePool: number
  statementTimeoutMs: number
  /** Those of figures. */
  figures: { maxConnections: number; statementTimeoutMs: number }
  dataDir: string
  jwtSecret: string | undefined
  jwks: { url: string; issuer: string; audience: string } | undefined
  corsOrigins: string[]
  trustProxy: string[]
  /** Requests a minute; 0 for no limit. */
  rateLimit: number
  role: string
  eventRetentionDays: number
  webhooks: WebhookConfig
  drainDelayMs: number
  logLevel: string
}

export interface WebhookConfig {
  allowPrivate: boolean
  retryScale: number
  timeoutMs: number
  concurrency: number
  logDays: number
}

/** The settings cannot be used; every problem is named. */
export class ConfigError extends Error {}

const listOf = (text: string | undefined): string[] => text?.split(',').map(part => part.trim()) ?? []

function isNetwork(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true
  const [address, bits = '1', ...rest] = text.split('/')
  const family = isIP(address!)
  const most = family === 4 ? 32 : 128
  return family !== 0 && rest.length === 0 && /^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= most
}

const ajv = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true, strict: false })
const schema = Type.Object(settings)

function problems(env: Record<string, unknown>): string[] {
  const valid = ajv.validate(schema, env)
  const found = valid ? [] : ajv.errors!.map(e => `${e.instancePath.slice(1)} ${e.message}`)
  if (env.DATABASE_URL !== undefined && env.JWT_SECRET === undefined && env.JWT_JWKS_URL === undefined) {
    found.push('JWT_SECRET or JWT_JWKS_URL is needed with DATABASE_URL')
  }
  for (const name of ['JWT_ISSUER', 'JWT_AUDIENCE']) {
    if (env.JWT_JWKS_URL !== undefined && env[name] === undefined)
      found.push(`${name} is needed with JWT_JWKS_URL`)
  }
  if (typeof env.TRUST_PROXY === 'string' && !listOf(env.TRUST_PROXY).every(isNetwork)) {
    found.push('TRUST_PROXY must be addresses or networks')
  }
  return found
}

function generatedSecret(dataDir: string): string {
  const file = join(dataDir, 'jwt-secret')
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  try {
    writeFileSync(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const secret = readFileSync(file, 'utf8')
  if (secret.length < 32) throw new ConfigError(`${file} holds no secret; remove it and start again`)
  return secret
}

/**
 * Reads and checks the settings; an empty variable counts as unset. Throws a ConfigError that names every problem at
 * once.
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const env: Record<string, unknown> = {}
  for (const name of Object.keys(settings)) {
    if (environment[name] !== undefined && environment[name] !== '') env[name] = environment[name]
  }
  const found = problems(env)
  if (found.length > 0) throw new ConfigError(found.join('\n'))
  const e = env as Record<keyof typeof settings, string> & Record<string, number>
  const dataDir = resolve(e.DATA_DIR)
  const needsSecret = e.JWT_SECRET === undefined && e.JWT_JWKS_URL === undefined
  return {
    host: e.HOST,
    port: Number(e.PORT),
    databaseUrl: e.DATABASE_URL,
    databasePool: Number(e.DATABASE_POOL),
    statementTimeoutMs: Number(e.STATEMENT_TIMEOUT),
    figures: { maxConnections: Number(e.FIGURES_POOL), statementTimeoutMs: Number(e.FIGURES_TIMEOUT) },
    dataDir,
    jwtSecret: needsSecret ? generatedSecret(dataDir) : e.JWT_SECRET,
    jwks:
      e.JWT_JWKS_URL === undefined
        ? undefined
        : { url: e.JWT_JWKS_URL, issuer: e.JWT_ISSUER, audience: e.JWT_AUDIENCE },
    corsOrigins: listOf(e.CORS_ORIGINS),
    trustProxy: listOf(e.TRUST_PROXY),
    rateLimit: Number(e.RATE_LIMIT),
    role: e.ROLE,
    eventRetentionDays: Number(e.EVENT_RETENTION),
    webhooks: {
      allowPrivate: e.WEBHOOK_ALLOW_PRIVATE === 'true',
      retryScale: Number(e.WEBHOOK_RETRY_SCALE),
      timeoutMs: Number(e.WEBHOOK_TIMEOUT),
      concurrency: Number(e.WEBHOOK_CONCURRENCY),
      logDays: Number(e.WEBHOOK_LOG_DAYS)
    },
    drainDelayMs: Number(e.DRAIN_DELAY),
    logLevel: e.LOG_LEVEL
  }
}
