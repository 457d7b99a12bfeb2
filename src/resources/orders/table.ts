import { sql } from 'drizzle-orm'
import { check, index, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import {
  belongsTo,
  decimal,
  instant,
  recordColumns,
  recordIndexes,
  searchColumn,
  searchIndex
} from '../../database/columns.js'
import { companies } from '../companies/table.js'
import { contacts } from '../contacts/table.js'
import { deals } from '../deals/table.js'
import { users } from '../identity/table.js'
import { products } from '../products/table.js'

export const orders = pgTable(
  'orders',
  {
    ...recordColumns(),
    number: text('number'),
    companyId: uuid('company_id'),
    contactId: uuid('contact_id'),
    dealId: uuid('deal_id'),
    productId: uuid('product_id'),
    amount: decimal('amount'),
    currency: text('currency'),
    directCost: decimal('direct_cost'),
    orderedAt: instant('ordered_at')
      .notNull()
      .default(sql`now()`),
    ownerId: uuid('owner_id'),
    /** Who bought: the company, else the contact. */
    customerId: uuid('customer_id').generatedAlwaysAs(sql`coalesce(company_id, contact_id)`),
    searchText: searchColumn({ title: ['number'] })
  },
  t => [
    ...recordIndexes('orders', t),
    searchIndex('orders', t),
    index('orders_ordered').on(t.workspaceId, t.orderedAt, t.id),
    index('orders_company').on(t.workspaceId, t.companyId, t.orderedAt, t.id),
    index('orders_contact').on(t.workspaceId, t.contactId, t.orderedAt, t.id),
    // All that figures read of a customer's orders, in their order.
    index('orders_customer')
      .on(t.workspaceId, t.customerId, t.orderedAt, t.currency, t.amount, t.directCost, t.createdAt)
      .where(sql`deleted_at is null`),
    index('orders_deal').on(t.workspaceId, t.dealId, t.createdAt, t.id),
    index('orders_product').on(t.workspaceId, t.productId, t.createdAt, t.id),
    index('orders_owner').on(t.workspaceId, t.ownerId, t.createdAt, t.id),
    belongsTo('orders_company', t.workspaceId, t.companyId, companies),
    belongsTo('orders_contact', t.workspaceId, t.contactId, contacts),
    belongsTo('orders_deal', t.workspaceId, t.dealId, deals),
    belongsTo('orders_product', t.workspaceId, t.productId, products),
    belongsTo('orders_owner', t.workspaceId, t.ownerId, users),
    check('orders_customer', sql`company_id is not null or contact_id is not null`),
    check('orders_amount_currency', sql`amount is null or currency is not null`)
  ]
)
