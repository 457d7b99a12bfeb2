import sql from 'sql-template-tag'
import type { Context } from './context.js'
import { fieldError } from './errors.js'

/** The database's time, which decides what is in the future. */
export async function databaseNow(ctx: Context): Promise<string> {
  const [row] = await ctx.db.query<{ now: string }>(
    sql`select date_trunc('milliseconds', clock_timestamp()) as now`
  )
  return row!.now
}

/** 422 for a moment that has not come yet; `now` in milliseconds. */
export function refuseFuture(now: number, at: string | undefined | null, pointer: string): void {
  if (at == null || Date.parse(at) <= now) return
  throw fieldError('unprocessable', pointer, `${pointer} lies in the future.`, 'future')
}
