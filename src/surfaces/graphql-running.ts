import type { ExecutionResult } from 'graphql'

type Results = ExecutionResult | AsyncGenerator<ExecutionResult>

const ended = { done: true, value: undefined } as const

/**
 * An operation of a socket from its request to its last result. Whoever completes it is answered at once and its work
 * is told to end; what it would still say is said to nobody. The library would send that, and its end, under an id that
 * may be another operation's by then.
 */
export class Running implements AsyncIterableIterator<ExecutionResult> {
  private readonly stopping = new AbortController()
  private results: AsyncGenerator<ExecutionResult> | undefined

  /** Calls `onEnd` once when nothing of it is at work any more. */
  constructor(private readonly onEnd: () => void) {}

  /** Aborts when it is completed. */
  get signal(): AbortSignal {
    return this.stopping.signal
  }

  /** What a step comes to, unless it was completed meanwhile: then it never answers. */
  unlessStopped<T>(step: Promise<T>): Promise<T> {
    const { signal } = this
    return new Promise((resolve, reject) => {
      step.then(
        value => void (signal.aborted || resolve(value)),
        (error: unknown) => void (signal.aborted || reject(error as Error))
      )
    })
  }

  /** Does the work; where that gives many results they are had one by one from here. */
  async run(work: () => Promise<Results>): Promise<ExecutionResult | this> {
    let results: Results | undefined
    try {
      results = await work()
    } finally {
      if (!results || !(Symbol.asyncIterator in results)) this.onEnd()
    }
    if (!(Symbol.asyncIterator in results)) return results
    this.results = results
    if (this.signal.aborted) void this.leave(results)
    return this
  }

  private async leave(results: AsyncGenerator<ExecutionResult>): Promise<void> {
    await results.return(undefined).catch(() => undefined)
    this.onEnd()
  }

  private async step(): Promise<IteratorResult<ExecutionResult, undefined>> {
    try {
      const result = await this.results!.next()
      if (!result.done) return result
    } catch (error) {
      this.onEnd()
      throw error
    }
    this.onEnd()
    return ended
  }

  next(): Promise<IteratorResult<ExecutionResult, undefined>> {
    return this.unlessStopped(this.step())
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.stopping.abort()
    if (this.results) void this.leave(this.results)
    return Promise.resolve(ended)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
