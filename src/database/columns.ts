import { sql } from 'drizzle-orm'
import {
  check,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  numeric,
  primaryKey,
  text,
  timestamp,
  uuid,
  type AnyPgColumn,
  type ExtraConfigColumn
} from 'drizzle-orm/pg-core'
import { searchColumnName, searchExpression, type Searched } from '../kernel/search-text.js'
import { sortExpression } from '../kernel/sort.js'

export type CustomFields = Record<string, string | number | boolean | null>
export type ExternalId = { source: string; id: string }
export type Address = Record<string, string | null>

/** An instant with exactly milliseconds, carried as a string so that it round-trips through cursors. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'string' })

/** A calendar day, `YYYY-MM-DD`. */
export const day = (name: string) => date(name, { mode: 'string' })

/** An exact decimal without a fixed scale: what was sent comes back unpadded. */
export const decimal = (name: string) => numeric(name)

/** The columns that every record has, in every table. */
export const recordColumns = () => ({
  workspaceId: uuid('workspace_id').notNull(),
  id: uuid('id').notNull(),
  version: integer('version').notNull().default(1),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
  deletedAt: instant('deleted_at'),
  externalIds: jsonb('external_ids').$type<ExternalId[]>().notNull().default([]),
  customFields: jsonb('custom_fields').$type<CustomFields>().notNull().default({})
})

interface RecordTable {
  workspaceId: AnyPgColumn
  id: AnyPgColumn
  createdAt: AnyPgColumn
  updatedAt: AnyPgColumn
}

/** The key and the indexes behind the default sorts that every record table has. */
export const recordIndexes = (name: string, t: RecordTable) => [
  primaryKey({ name: `${name}_pkey`, columns: [t.workspaceId, t.id] }),
  index(`${name}_created`).on(t.workspaceId, t.createdAt, t.id),
  index(`${name}_updated`).on(t.workspaceId, t.updatedAt, t.id),
  // A body is bounded by its schema; what merging makes of several is bounded here.
  check(
    `${name}_custom_fields_size`,
    sql`jsonb_array_length(jsonb_path_query_array(custom_fields, '$.keyvalue()')) <= 200`
  )
]

/** The index expression of `sortExpression` for a text column. */
export const textSort = (column: AnyPgColumn, nullable = true) =>
  sql.raw(sortExpression(`"${column.name}"`, 'text', nullable))

/** A reference to a record of the same workspace: the database itself refuses one that crosses workspaces. */
export const belongsTo = (
  name: string,
  workspaceId: AnyPgColumn,
  column: AnyPgColumn,
  target: { workspaceId: AnyPgColumn; id: AnyPgColumn }
) =>
  foreignKey({
    name: `${name}_fkey`,
    columns: [workspaceId, column],
    foreignColumns: [target.workspaceId, target.id]
  })

/** What a search looks into, computed by the database out of these columns, so that no write forgets it. */
export const searchColumn = (columns: Searched) =>
  text(searchColumnName)
    .notNull()
    .generatedAlwaysAs(sql.raw(searchExpression(columns)))

/** Finds parts of words within one workspace. Tables that stay small in every workspace need none. */
export const searchIndex = (name: string, t: { workspaceId: AnyPgColumn; searchText: ExtraConfigColumn }) =>
  index(`${name}_search`).using('gin', t.workspaceId, t.searchText.op('gin_trgm_ops'))
