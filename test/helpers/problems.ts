import type { Test } from 'tap'
import { codes, type ErrorItem } from '../../src/kernel/errors.js'
import type { Reply } from './app.js'

/** What an answer to bad input must say: its status, and where one is at fault the field, with a word of the reason. */
export interface Expected {
  status: number
  code?: string
  /** A JSON pointer into the body. */
  pointer?: string
  parameter?: string
  in?: ErrorItem['in']
  says?: RegExp
}

const internals =
  /\bselect\b.+\bfrom\b|insert into|node_modules|\.[jt]s:\d|\n\s+at |pg_|relation "|column "|input syntax|call stack|Cannot read|is not a function|\[object |::\w|"stack"/i

/** Asserts that an answer tells nothing of the inside: no SQL, no stack, no driver's words. */
export function tellsNothing(t: Test, text: string): void {
  t.notMatch(text, internals, 'tells nothing of the inside')
}

/** Asserts the shape of RFC 9457 with our members, the status with its code, and the item that names the field. */
export function isProblem(t: Test, reply: Reply, expected: Expected, instance?: string): void {
  const { body } = reply
  if (reply.status !== expected.status) t.comment(reply.text.slice(0, 2000))
  t.equal(reply.status, expected.status, 'status')
  t.match(reply.headers['content-type'], /^application\/problem\+json/, 'media type')
  const known = codes[body.code as keyof typeof codes]
  t.ok(known, `a known code, not ${body.code}`)
  t.match(
    body,
    { type: `urn:kith:error:${body.code}`, title: known?.[1], status: reply.status, detail: String },
    'members'
  )
  t.match(body.requestId, /^[A-Za-z0-9._-]{1,128}$/, 'request id')
  t.equal(reply.headers['x-request-id'], body.requestId, 'request id in the header')
  if (instance !== undefined) t.equal(body.instance, instance, 'instance')
  if (expected.code !== undefined) t.equal(body.code, expected.code, 'code')
  if (expected.says && expected.pointer === undefined && expected.parameter === undefined) {
    t.match(body.detail, expected.says, 'says why')
  }
  namesFault(t, body.errors as ErrorItem[] | undefined, expected)
  tellsNothing(t, reply.text)
}

/** Asserts that one of the items names the expected field; each has a place, a code and a message. */
export function namesFault(t: Test, errors: ErrorItem[] | undefined, expected: Expected): void {
  for (const item of errors ?? []) {
    t.match(item, { in: /^(body|query|path|header)$/, code: /./, message: /./ }, 'an item')
  }
  if (expected.pointer === undefined && expected.parameter === undefined) return
  const found = errors?.find(
    e =>
      e.pointer === expected.pointer && e.parameter === expected.parameter && e.in === (expected.in ?? e.in)
  )
  if (!found) t.comment(errors)
  t.ok(found, `names ${expected.pointer ?? expected.parameter}`)
  if (expected.says) t.match(found?.message, expected.says, 'says why')
}
