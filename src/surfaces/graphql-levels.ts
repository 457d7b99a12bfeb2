import type { FieldNode } from 'graphql'
import type { Row } from '../kernel/context.js'

const place = Symbol('level')

interface Placed {
  [place]?: Level
}

interface Reading {
  promise: Promise<unknown>
  value?: unknown
}

/** What a level's readings are told apart by: a field of the document, or something that belongs to one. */
type Key = FieldNode | object

/**
 * Records, or objects in records, at one place of an answer. What is asked of one of them is read for all of them at once: one statement per
 * level and field, however many records there are.
 */
export class Level {
  private readonly readings = new Map<Key, Reading>()

  constructor(readonly rows: readonly Row[]) {
    for (const row of rows) (row as Placed)[place] = this
  }

  /** The level of a record; one that came alone, as a mutation's does, is a level of its own. */
  static of(row: Row): Level {
    return (row as Placed)[place] ?? new Level([row])
  }

  /** Reads once per key. What has been read already is answered without a promise, which is what makes it cheap. */
  once<T>(key: Key, read: () => Promise<T>): T | Promise<T> {
    let reading = this.readings.get(key)
    if (!reading) {
      const made: Reading = { promise: read() }
      const keep = (value: unknown) => void (made.value = value)
      // Who asks gets the error; this only keeps what came.
      made.promise.then(keep, () => undefined)
      this.readings.set(key, (reading = made))
    }
    return (reading.value ?? reading.promise) as T | Promise<T>
  }
}

/** Goes on with what is there at once, or when it comes. */
export const after = <T, R>(given: T | Promise<T>, next: (value: T) => R): R | Promise<R> =>
  given instanceof Promise ? given.then(next) : next(given)
