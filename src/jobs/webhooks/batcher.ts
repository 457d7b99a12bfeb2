/**
 * Collects what is to be stored while something is being stored, so that many small writes become few. Each promise
 * settles with the write that its item was part of.
 */
export function batcher<T>(store: (items: T[]) => Promise<void>): (item: T) => Promise<void> {
  let items: T[] = []
  let running: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  return item => {
    items.push(item)
    next ??= running
      .catch(() => undefined)
      .then(() => {
        const batch = items
        items = []
        running = store(batch)
        next = undefined
        return running
      })
    return next
  }
}
