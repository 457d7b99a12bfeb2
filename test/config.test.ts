import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'
import { ConfigError, readConfig, settings } from '../src/config.js'

const folder = () => join(mkdtempSync(join(tmpdir(), 'kith-config-')), 'data')
const secret = 'a-secret-of-more-than-thirty-two-characters'

const problemsOf = (env: Record<string, string>): string[] => {
  try {
    readConfig(env)
    return []
  } catch (error) {
    t.ok(error instanceof ConfigError)
    return (error as Error).message.split('\n')
  }
}

t.test('defaults', t => {
  const dataDir = folder()
  const { jwtSecret, ...config } = readConfig({ DATA_DIR: dataDir })
  t.match(jwtSecret, /^[\w-]{43}$/)
  t.strictSame(config, {
    host: '127.0.0.1',
    port: 3000,
    databaseUrl: undefined,
    databasePool: 10,
    statementTimeoutMs: 30000,
    figures: { maxConnections: 3, statementTimeoutMs: 60000 },
    dataDir,
    jwks: undefined,
    corsOrigins: [],
    trustProxy: [],
    rateLimit: 6000,
    role: 'all',
    webhooks: { allowPrivate: false, retryScale: 1, timeoutMs: 10000, concurrency: 8, logDays: 30 },
    eventRetentionDays: 90,
    drainDelayMs: 500,
    logLevel: 'info'
  })
  t.equal(readConfig({ JWT_SECRET: secret }).dataDir, resolve('.data'))
  for (const [name, schema] of Object.entries(settings))
    t.match(schema.description, /./, `${name} is described`)
  t.end()
})

t.test('what is given', t => {
  const config = readConfig({
    HOST: '::',
    PORT: '0',
    DATABASE_URL: 'postgres://localhost/kith',
    DATABASE_POOL: '3',
    STATEMENT_TIMEOUT: '100',
    JWT_JWKS_URL: 'https://id.example/keys',
    JWT_ISSUER: 'https://id.example/',
    JWT_AUDIENCE: 'kith',
    CORS_ORIGINS: 'https://a.example, https://b.example',
    TRUST_PROXY: 'loopback, 10.0.0.0/8,fd00::/8, 192.0.2.1',
    RATE_LIMIT: '0',
    ROLE: 'worker',
    DRAIN_DELAY: '0',
    LOG_LEVEL: 'silent',
    SOMETHING_ELSE: 'is not ours'
  })
  t.match(config, {
    host: '::',
    port: 0,
    databaseUrl: 'postgres://localhost/kith',
    databasePool: 3,
    statementTimeoutMs: 100,
    jwks: { url: 'https://id.example/keys', issuer: 'https://id.example/', audience: 'kith' },
    corsOrigins: ['https://a.example', 'https://b.example'],
    trustProxy: ['loopback', '10.0.0.0/8', 'fd00::/8', '192.0.2.1'],
    rateLimit: 0,
    role: 'worker',
    drainDelayMs: 0,
    logLevel: 'silent'
  })
  t.equal(config.jwtSecret, undefined, 'an identity provider alone signs')
  t.end()
})

t.test('an empty variable counts as unset', t => {
  t.match(readConfig({ PORT: '', DATABASE_URL: '', JWT_SECRET: secret }), {
    port: 3000,
    databaseUrl: undefined
  })
  t.end()
})

t.test('every problem is named at once', t => {
  const found = problemsOf({
    PORT: 'http',
    DATABASE_URL: 'postgres://localhost/kith',
    DATABASE_POOL: '0',
    STATEMENT_TIMEOUT: '1.5',
    JWT_JWKS_URL: 'ftp://id.example',
    TRUST_PROXY: '10.0.0.0/33',
    RATE_LIMIT: '-1',
    ROLE: 'boss',
    DRAIN_DELAY: '-1',
    LOG_LEVEL: 'loud'
  })
  const named = found.map(line => line.split(' ')[0]).sort()
  t.strictSame(named, [
    'DATABASE_POOL',
    'DRAIN_DELAY',
    'JWT_AUDIENCE',
    'JWT_ISSUER',
    'JWT_JWKS_URL',
    'LOG_LEVEL',
    'PORT',
    'RATE_LIMIT',
    'ROLE',
    'STATEMENT_TIMEOUT',
    'TRUST_PROXY'
  ])
  for (const port of ['-1', '65536', '80x', 'Infinity', 'null', 'true']) {
    t.match(problemsOf({ PORT: port, JWT_SECRET: secret }), [/^PORT /], port)
  }
  for (const network of ['a', '1', '10.0.0.0/0', '10.0.0.0/8/8', '::/129', '10.0.0.1,', '999.1.1.1']) {
    t.match(problemsOf({ TRUST_PROXY: network, JWT_SECRET: secret }), [/^TRUST_PROXY /], network)
  }
  t.match(problemsOf({ JWT_SECRET: 'short' }), [/^JWT_SECRET /])
  t.notMatch(problemsOf({ JWT_SECRET: 'short' }).join(), /short\b(?!er)/, 'a secret is not told')
  t.end()
})

t.test('a database of its own needs a secret or a provider', t => {
  const database = { DATABASE_URL: 'postgres://localhost/kith' }
  t.match(problemsOf(database), [/^JWT_SECRET or JWT_JWKS_URL is needed/])
  t.equal(readConfig({ ...database, JWT_SECRET: secret }).jwtSecret, secret)
  t.end()
})

t.test('the generated secret', t => {
  const dataDir = folder()
  const first = readConfig({ DATA_DIR: dataDir }).jwtSecret
  const file = join(dataDir, 'jwt-secret')
  t.equal(statSync(file).mode & 0o777, 0o600, 'only its owner reads it')
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
  t.equal(readFileSync(file, 'utf8'), first)
  t.equal(readConfig({ DATA_DIR: dataDir }).jwtSecret, first, 'it is used again')
  t.not(readConfig({ DATA_DIR: folder() }).jwtSecret, first, 'another place has another')
  writeFileSync(file, '')
  t.match(problemsOf({ DATA_DIR: dataDir }), [/jwt-secret/], 'a damaged one is refused')
  t.end()
})
