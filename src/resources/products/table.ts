import { index, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { sql } from 'drizzle-orm'
import {
  decimal,
  recordColumns,
  recordIndexes,
  searchColumn,
  searchIndex,
  textSort
} from '../../database/columns.js'

export const products = pgTable(
  'products',
  {
    ...recordColumns(),
    name: text('name').notNull(),
    code: text('code'),
    family: text('family'),
    description: text('description'),
    listPrice: decimal('list_price'),
    currency: text('currency'),
    searchText: searchColumn({ title: ['name'], also: ['code', 'family'] })
  },
  t => [
    ...recordIndexes('products', t),
    searchIndex('products', t),
    index('products_name').on(t.workspaceId, textSort(t.name, false), t.id),
    uniqueIndex('products_code_key')
      .on(t.workspaceId, t.code)
      .where(sql`deleted_at is null`)
  ]
)
