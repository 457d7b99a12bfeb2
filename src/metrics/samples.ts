import sql, { type Sql } from 'sql-template-tag'

/**
 * All numbers of the facts `f` that meet a condition, as a column for `sampleOf`. Eight bytes each: as text, what a
 * curve of a million durations needs would keep the process busy with parsing.
 */
export const sampleSql = (value: Sql, met: Sql): Sql =>
  sql`string_agg(float8send((${value})::float8), ''::bytea) filter (where ${met})`

/** The numbers of such a column, in no order. */
export function sampleOf(bytes: Uint8Array | null): Float64Array {
  if (bytes === null) return new Float64Array()
  const own = Buffer.from(new Uint8Array(bytes)).swap64()
  return new Float64Array(own.buffer.slice(own.byteOffset, own.byteOffset + own.byteLength))
}
