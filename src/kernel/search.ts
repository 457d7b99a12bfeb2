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

// The database drops a byte order mark, so it separates no words.
const wordsOf = (text: string) =>
  text
    .replaceAll('\ufeff', '')
    .split(/\s+/u)
    .filter(word => word !== '')

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
