import type { TransactionContext } from './context.js'

class Undone<T> extends Error {
  constructor(readonly result: T) {
    super('Undone')
  }
}

/** Runs something for its answer alone: all that it writes is undone, what it throws is thrown. */
export async function dryRun<T>(ctx: TransactionContext, run: () => Promise<T>): Promise<T> {
  try {
    return await ctx.db.savepoint(async () => {
      throw new Undone(await run())
    })
  } catch (error) {
    if (error instanceof Undone) return error.result as T
    throw error
  }
}
