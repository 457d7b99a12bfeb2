/**
 * Runs the compiled test files that standard input names, a line each, one after another: most of a small file's time
 * would go into the start of a process.
 */
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import tap from 'tap'
import { ownTest } from './own.js'

const timeout = Number(process.argv[2]) * 1000

for await (const file of createInterface({ input: process.stdin })) {
  await tap.test(file, { timeout }, async t => {
    ownTest(t)
    await import(pathToFileURL(resolve(file.replace(/\.ts$/, '.js'))).href)
  })
  // Tells the reader that the file has ended, and changes nothing.
  tap.pragma({ strict: false })
}
