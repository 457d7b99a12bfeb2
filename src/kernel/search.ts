import sql, { join, raw, type Sql } from 'sql-template-tag'
import { KithError, type ErrorItem } from './errors.js'
import type { Resource } from './resource.js'
import { About, Text } from './schema.js'
import { plannedEachTime, searchColumnName } from './search-text.js'

const maxLength = 200
const maxWords = 10

/** A text to search for, as every surface takes it; `where` says in words what it is looked for in. */
export const SearchText = (where: string) =>
  About(
    `Every word is contained in ${where}, one under 3 characters as the beginning of a word; accents and case aside, in any script. At most ${maxWords} words.`,
    Text(maxLength, { examples: ['rahim'] })
  )

/** The same over all kinds of records. */
export const SearchAllText = () => SearchText('what a record is searched by')

/** Where a text to search for stood in the request. */
export type SearchPlace = Pick<ErrorItem, 'in' | 'pointer' | 'parameter'>

// What search_normal() of the database takes out of a word, accents and invisible characters: a word of nothing else
// would be contained in every text. It takes a byte order mark for one of these, not for a blank, and 31 keeps texts apart.
const dropped =
  // eslint-disable-next-line no-misleading-character-class -- each stands for itself, none for what it joins
  /[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u061c\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u2069\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff]+/gu

const isWord = (word: string) => word.normalize('NFKD').replace(dropped, '').trim() !== ''

const wordsOf = (text: string) =>
  text
    .replaceAll('\ufeff', '')
    .replaceAll('\u001f', ' ')
    .split(/[\s\u0085]+/u)
    .filter(isWord)

function checkedWords(text: string, at: SearchPlace): string[] {
  const words = wordsOf(text)
  const refuse = (code: string, message: string) =>
    new KithError('invalid_input', message, { errors: [{ ...at, code, message }] })
  if (words.length === 0) throw refuse('required', 'Give a word to search for.')
  if (words.length > maxWords) throw refuse('too_many', `Give at most ${maxWords} words.`)
  return words
}

const phone = /^[+(\d][-+()./\s\d]{5,}$/

// A phone number is stored without blanks; 00 stands for its plus, and (0) is only dialled within the country.
function phoneDigits(text: string): string | undefined {
  if (!phone.test(text.trim())) return undefined
  const digits = text.replace('(0)', '').replace(/\D/g, '').replace(/^00/, '')
  return digits.length < 6 ? undefined : digits
}

const column = (alias: string) => raw(`${alias}."${searchColumnName}"`)

/**
 * The rows of a searchable resource in which every word of the text is contained, one under three characters as the
 * beginning of a word; or, where the whole text is a phone number, that number however it is written. A 400 where
 * there is no word, or too many.
 */
export function searchSql(alias: string, text: string, at: SearchPlace): Sql {
  const contains = (word: string) => sql`${column(alias)} like search_pattern(${word})`
  const every = join(checkedWords(text, at).map(contains), ' and ')
  const digits = phoneDigits(text)
  const either = digits === undefined ? every : sql`${every} or ${contains(digits)}`
  return sql`(${either}) ${raw(plannedEachTime)}`
}

/** The rows of which the whole title, or one of the other texts, is this text, accents and case aside. */
export function exactSql(alias: string, text: string): Sql {
  const digits = phoneDigits(text)
  const is = (whole: string) => sql`${column(alias)} like search_exact(${whole})`
  return digits === undefined ? is(text) : sql`(${is(text)} or ${is(`+${digits}`)})`
}

/** In words, what a search of the resource looks at. */
export function searchedFields({ search }: Resource): string {
  const names = [...search!.title, ...(search!.also ?? [])]
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}
