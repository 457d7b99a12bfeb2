/**
 * The expression that a list sorts by: never null (nulls are the greatest), so that one row comparison pages
 * through it; text by its lower case in a fixed collation, so that no server setting changes the order.
 */
export function sortExpression(column: string, sqlType: string, nullable: boolean): string {
  if (sqlType === 'text') {
    const lower = `lower(${column})`
    return nullable ? `(coalesce(${lower}, chr(1114111)) collate "C")` : `(${lower} collate "C")`
  }
  if (!nullable) return column
  const type = sqlType.startsWith('timestamp') ? 'timestamptz' : sqlType
  return `coalesce(${column}, 'infinity'::${type})`
}
