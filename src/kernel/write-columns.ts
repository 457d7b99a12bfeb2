import { raw, type Sql } from 'sql-template-tag'
import type { Resource } from './resource.js'

/** Computes once per resource what depends on the resource alone. */
export function memo<T>(make: (resource: Resource) => T): (resource: Resource) => T {
  const known = new WeakMap<Resource, T>()
  return resource => {
    let value = known.get(resource)
    if (value === undefined) known.set(resource, (value = make(resource)))
    return value
  }
}

const managed = new Set(['workspaceId', 'version', 'createdAt', 'updatedAt'])

const settable = (resource: Resource) => [...resource.columns].filter(([key]) => !managed.has(key))

const withoutNulls = (value: object) =>
  Object.fromEntries(Object.entries(value).filter(([, v]) => v !== null))

type Values = Record<string, unknown>

interface InsertColumns {
  /** Each with what a record's values, by field name, put into it. */
  list: readonly { column: string; sqlType: string; valueIn: (values: Values) => unknown }[]
  /** `first_name text, …`: how the JSON input is read. */
  definition: Sql
  names: Sql
  values: Sql
  toInput(values: Values): Values
}

// What a create stores in a column: the given value, or the column's fallback.
function valueIn(resource: Resource, key: string): (values: Values) => unknown {
  const { fallback, kind } = resource.fields.get(key) ?? {}
  const standard = fallback === 'now' ? undefined : fallback
  if (kind !== 'customFields' && kind !== 'object') return values => values[key] ?? standard
  return values => {
    const given = values[key] ?? standard
    return given == null ? given : withoutNulls(given)
  }
}

/** How a create reads its rows from JSON: one statement text per resource, whatever fields are given. */
export const insertColumns = memo((resource: Resource): InsertColumns => {
  const columns = settable(resource).filter(([key]) => key !== 'deletedAt')
  const list = columns.map(([key, c]) => ({ ...c, valueIn: valueIn(resource, key) }))
  const isNow = (key: string) => resource.fields.get(key)?.fallback === 'now'
  return {
    list,
    definition: raw(columns.map(([, c]) => `"${c.column}" ${c.sqlType}`).join(', ')),
    names: raw(columns.map(([, c]) => `"${c.column}"`).join(', ')),
    values: raw(
      columns
        .map(([key, c]) => (isNow(key) ? `coalesce(i."${c.column}", i._now)` : `i."${c.column}"`))
        .join(', ')
    ),
    toInput: values => Object.fromEntries(list.map(c => [c.column, c.valueIn(values)]))
  }
})

function patched(resource: Resource, key: string, column: string, sqlType: string): string {
  const value = `o.patch -> '${key}'`
  const kind = resource.fields.get(key)?.kind
  if (sqlType.startsWith('timestamp')) {
    return `case when ${value} = 'true' then coalesce(o."${column}", o._now) else (o.patch ->> '${key}')::${sqlType} end`
  }
  if (kind === 'customFields') {
    return `case when jsonb_typeof(${value}) = 'null' then '{}' else jsonb_strip_nulls(o."${column}" || (${value})) end`
  }
  if (kind === 'object') {
    return `case when jsonb_typeof(${value}) = 'null' then null
      else nullif(jsonb_strip_nulls(coalesce(o."${column}", '{}') || (${value})), '{}') end`
  }
  if (sqlType === 'jsonb') return `nullif(${value}, 'null')`
  if (sqlType.endsWith('[]')) return `array(select jsonb_array_elements_text(${value}))::${sqlType}`
  return `(o.patch ->> '${key}')::${sqlType}`
}

interface Assignments {
  /** The new value of every column, from the patch where it names one. */
  values: Sql
  set: Sql
  differs: Sql
}

/** How an update applies its JSON patches: again one statement text per resource. */
export const assignments = memo((resource: Resource): Assignments => {
  const columns = settable(resource).filter(([key]) => key !== 'id')
  return {
    values: raw(
      columns
        .map(
          ([key, c]) =>
            `case when o.patch ? '${key}' then ${patched(resource, key, c.column, c.sqlType)} else o."${c.column}" end as "${c.column}"`
        )
        .join(',\n')
    ),
    set: raw(columns.map(([, c]) => `"${c.column}" = n."${c.column}"`).join(', ')),
    differs: raw(
      `(${columns.map(([, c]) => `t."${c.column}"`).join(', ')}) is distinct from (${columns.map(([, c]) => `n."${c.column}"`).join(', ')})`
    )
  }
})
