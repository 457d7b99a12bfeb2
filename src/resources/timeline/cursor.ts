import { parameterError } from '../../kernel/errors.js'
import { isCursorId } from '../../kernel/page.js'
import { hasFormat } from '../../kernel/validate.js'
import { kinds, type Kind } from './entry.js'

/** A place in a timeline: rows are in the order of at, kind, key and seq, all but the kind descending. */
export interface Place {
  at: string
  kind: Kind
  key: string
  seq: string
}

const number = /^(0|[1-9][0-9]{0,17})$/

export const encodePlace = ({ at, kind, key, seq }: Place) =>
  Buffer.from(JSON.stringify(['timeline', at, kind, key, seq])).toString('base64url')

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}

/** The place that a cursor stands for; a 400 for one that is not ours. */
export function decodePlace(cursor: string): Place {
  const given = parsed(cursor)
  if (Array.isArray(given) && given.length === 5 && given.every(p => typeof p === 'string')) {
    const [name, at, kind, key, seq] = given as [string, string, string, string, string]
    const known = kinds.find(k => k === kind)
    const isPlace = hasFormat('instant', at) && isCursorId(key) && number.test(seq)
    if (name === 'timeline' && known && isPlace) return { at, kind: known, key, seq }
  }
  throw parameterError('after', 'This is not a cursor of a timeline.', 'invalid_cursor')
}

/** What the rows of a kind come before, as a row that is compared with theirs. */
export type Bound = Omit<Place, 'kind'>

const first = '00000000-0000-0000-0000-000000000000'
const last = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
const most = '9223372036854775807'

/** Where the rows of a kind go on after a place: of those of the same moment all, none, or those after its own. */
export function boundOf(kind: Kind, after: Place | undefined): Bound {
  if (!after) return { at: 'infinity', key: last, seq: most }
  const order = kinds.indexOf(kind) - kinds.indexOf(after.kind)
  if (order === 0) return after
  return order > 0 ? { at: after.at, key: last, seq: most } : { at: after.at, key: first, seq: '0' }
}
