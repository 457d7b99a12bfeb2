/** What of a record is searched: what it is called, and the other texts that it is known by. */
export interface Searched<Name extends string = string> {
  /** Together they are the title. */
  title: readonly Name[]
  also?: readonly Name[]
}

/** The private column that a search looks into. */
export const searchColumnName = 'search_text'

/**
 * A comment for statements whose best plan depends on their values: they are planned each time, never prepared under a
 * name. A plan for any search reads a whole workspace where the right one reads a few rows.
 */
export const plannedEachTime = '/* planned each time */'

/** The expression of that column, of column names: each text between separators, folded by `search_normal`. */
export function searchExpression({ title, also = [] }: Searched): string {
  const text = (column: string) => `coalesce("${column}", '')`
  const parts = [title.map(text).join(` || ' ' || `), ...also.map(text)]
  return `search_normal(chr(31) || ' ' || ${parts.join(` || chr(31) || ' ' || `)} || chr(31))`
}
