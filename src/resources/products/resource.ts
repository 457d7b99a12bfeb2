import { many, resource } from '../../kernel/resource.js'
import { About, Currency, Money, Nullable, Text } from '../../kernel/schema.js'
import { products as table } from './table.js'

export const products = resource({
  name: 'product',
  plural: 'products',
  description: 'Something the business sells.',
  table,
  fields: {
    name: About('What it is called.', Text(300)),
    code: About('Your own code of it; one product has it.', Nullable(Text(100))),
    family: About('The group of products it belongs to.', Nullable(Text(200))),
    description: About('What it is.', Nullable(Text(20000))),
    listPrice: About('What it costs before any discount, in its currency.', Nullable(Money())),
    currency: About('ISO 4217: the currency of the list price.', Nullable(Currency()))
  },
  filters: ['name', 'code', 'family', 'listPrice', 'currency'],
  sorts: ['name'],
  search: { title: ['name'], also: ['code', 'family'] },
  rules: {
    products_code_key: { pointer: '/code', code: 'conflict', message: 'Another product has this code.' }
  },
  relations: {
    deals: many('deal', 'productId'),
    orders: many('order', 'productId')
  }
})
