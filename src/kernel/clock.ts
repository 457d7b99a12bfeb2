import sql from 'sql-template-tag'
import type { Context } from './context.js'
import { fieldError, type KithError } from './errors.js'

/** The database's time, which decides what is in the future. */
export async function databaseNow(ctx: Context): Promise<string> {
  const [row] = await ctx.db.query<{ now: string }>(
    sql`select date_trunc('milliseconds', clock_timestamp()) as now`
  )
  return row!.now
}

/** What is wrong with a moment that has not come yet, a 422; `now` in milliseconds. */
export function futureProblem(
  now: number,
  at: string | undefined | null,
  pointer: string
): KithError | undefined {
  if (at == null || Date.parse(at) <= now) return undefined
  return fieldError('unprocessable', pointer, `${pointer} lies in the future.`, 'future')
}

/** Throws where a moment has not come yet. */
export function refuseFuture(now: number, at: string | undefined | null, pointer: string): void {
  const problem = futureProblem(now, at, pointer)
  if (problem) throw problem
}
