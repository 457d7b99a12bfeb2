interface Running {
  result: Promise<unknown>
  waiting: number
  stop: AbortController
}

/** What is being computed, by what it is computed from. */
export class Shared {
  private readonly running = new Map<string, Running>()

  /**
   * Joins the computation of that key, or begins it. It is told to stop when everybody who waits for it is gone; one
   * who leaves gets no answer.
   */
  async join<T>(
    key: string,
    gone: AbortSignal | undefined,
    begin: (stop: AbortSignal) => Promise<T>
  ): Promise<T> {
    const run = this.running.get(key) ?? this.start(key, begin)
    run.waiting++
    const leave = () => {
      if (--run.waiting > 0) return
      this.forget(key, run)
      run.stop.abort()
    }
    if (gone?.aborted) leave()
    else gone?.addEventListener('abort', leave, { once: true })
    try {
      return (await run.result) as T
    } finally {
      gone?.removeEventListener('abort', leave)
    }
  }

  private start(key: string, begin: (stop: AbortSignal) => Promise<unknown>): Running {
    const stop = new AbortController()
    const run: Running = { result: begin(stop.signal), waiting: 0, stop }
    this.running.set(key, run)
    run.result.then(
      () => this.forget(key, run),
      () => this.forget(key, run)
    )
    return run
  }

  private forget(key: string, run: Running): void {
    if (this.running.get(key) === run) this.running.delete(key)
  }
}
