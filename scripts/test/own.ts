import type { Test } from 'tap'

/** What `import t from 'tap'` gives to the test file that runs: a test of its own within the process. */
export let own: Test

/** Makes it that of the next file. */
export function ownTest(t: Test): void {
  own = t
}
