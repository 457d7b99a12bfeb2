import sql, { join, raw, type Sql } from 'sql-template-tag'
import type { FieldInfo, Resource } from './resource.js'

/** A quoted name of ours; never made of input. */
export const name = (identifier: string): Sql => raw(`"${identifier.replaceAll('"', '""')}"`)

const listCache = new WeakMap<Resource, Map<string, Sql>>()

/** `t."first_name" as "firstName", …` for the named fields, always with the id first. */
export function selectList(resource: Resource, alias: string, fields: readonly string[]): Sql {
  const cache = listCache.get(resource) ?? new Map<string, Sql>()
  listCache.set(resource, cache)
  const key = `${alias}|${fields.join()}`
  const known = cache.get(key)
  if (known) return known
  const names = ['id', ...fields.filter(f => f !== 'id')]
  const list = raw(names.map(n => `${alias}."${resource.fields.get(n)!.column}" as "${n}"`).join(', '))
  if (cache.size < 100) cache.set(key, list)
  return list
}

/** All public fields of a resource. */
export const publicFields = (resource: Resource): string[] => [...resource.fields.keys()]

function jsonValue(field: FieldInfo, alias: string): string {
  const column = `${alias}."${field.column}"`
  if (field.kind === 'instant') {
    return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
  }
  return field.kind === 'decimal' ? `${column}::text` : column
}

/** The record as clients see it, as one JSON object made in SQL: what events and history store. */
export function jsonRecord(resource: Resource, alias: string): Sql {
  const pairs = [...resource.fields.values()].map(f => `${jsonValue(f, alias)} as "${f.name}"`)
  return raw(`(select to_json(record) from (select ${pairs.join(', ')}) as record)`)
}

export { join, raw, sql, type Sql }
