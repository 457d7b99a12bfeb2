import { createRequire } from 'node:module'

/** The version of this program, which is that of its contracts too. */
export const { version } = createRequire(import.meta.url)('../package.json') as { version: string }
