import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Test } from 'tap'

const objectInUse = '55006'
const insufficientPrivilege = '42501'

/** The connection string of another database on the same server. */
export function databaseUrl(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** Runs one statement on a connection of its own; for statements that no transaction may hold. */
export async function execute(url: string, statement: string): Promise<pg.QueryResult<pg.QueryResultRow>> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await client.query(statement)
  } finally {
    await client.end()
  }
}

async function copyTemplate(server: string, template: string, name: string, attempts = 5): Promise<void> {
  try {
    await execute(server, `create database "${name}" template "${template}"`)
  } catch (error) {
    const inUse = error instanceof pg.DatabaseError && error.code === objectInUse
    if (!inUse || attempts <= 1) throw error
    await sleep(200)
    await copyTemplate(server, template, name, attempts - 1)
  }
}

// By force, unless the server's own vacuum is in it, which only an unforced drop asks to leave.
async function drop(server: string, name: string): Promise<void> {
  try {
    await execute(server, `drop database if exists "${name}" with (force)`)
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== insufficientPrivilege) throw error
    await execute(server, `drop database if exists "${name}"`)
  }
}

function testServer(): { server: string; template: string } {
  const { KITH_TEST_SERVER: server, KITH_TEST_TEMPLATE: template } = process.env
  if (!server || !template) throw new Error('Tests need a database server: run npm test -- <file>')
  return { server, template }
}

/**
 * A fresh, migrated database for a test file or a subtest; the answer is its connection string. It is dropped when `t`
 * ends. Teardowns run last in, first out, so open the database before what uses it. `template` is another one than the
 * empty one, see {@link sharedTemplate}. Throws outside of `npm test`.
 */
export async function testDatabase(
  t: Pick<Test, 'teardown'>,
  template = testServer().template
): Promise<string> {
  const { server, template: empty } = testServer()
  const name = `${empty}_${randomBytes(6).toString('hex')}`
  await copyTemplate(server, template, name)
  t.teardown(() => drop(server, name))
  return databaseUrl(server, name)
}

/**
 * The name of a template that the test files of a run share: whoever needs it first fills a migrated database and
 * leaves it with no connection to it, the others wait for that.
 */
export async function sharedTemplate(name: string, fill: (url: string) => Promise<void>): Promise<string> {
  const { server, template: empty } = testServer()
  const [shared, unfinished] = [`${empty}_${name}`, `${empty}_${randomBytes(6).toString('hex')}`]
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [shared])
    const { rowCount } = await client.query('select from pg_database where datname = $1', [shared])
    if (rowCount === 0) {
      await copyTemplate(server, empty, unfinished)
      await fill(databaseUrl(server, unfinished))
      await client.query(`alter database "${unfinished}" rename to "${shared}"`)
    }
  } finally {
    await client.end()
  }
  return shared
}
