import DataLoader from 'dataloader'
import type { Attached, EntryPage, EntryRequest } from '../kernel/attached.js'
import { authorize } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import {
  countByParent,
  findRecords,
  listByParent,
  type ListRequest,
  type Page,
  type RecordRow
} from '../kernel/read.js'
import type { Relation, Resource } from '../kernel/resource.js'
import type { Sql } from 'sql-template-tag'
import type { Columns } from './graphql-selection.js'

/** A connection's arguments, ready to be read, and a key that is equal where they are. */
export interface ConnectionRequest {
  key: string
  request: ListRequest
  where: Sql | undefined
}

/**
 * The relations of one request: whatever is asked of many parents at the same level with the same arguments is read
 * in one statement.
 */
export class Loaders {
  private readonly loaders = new Map<string, DataLoader<string, unknown>>()
  private readonly connections = new Map<string, ConnectionRequest>()

  constructor(private readonly ctx: Context) {}

  private loader<T>(key: string, load: (ids: readonly string[]) => Promise<Map<string, T>>, missing: T) {
    const known = this.loaders.get(key)
    if (known) return known as DataLoader<string, T>
    const made = new DataLoader<string, T>(async ids => {
      const found = await load(ids)
      return ids.map(id => found.get(id) ?? missing)
    })
    this.loaders.set(key, made)
    return made
  }

  /** Forgets what was read: the next field of a mutation must see what this one wrote. */
  clear(): void {
    this.loaders.clear()
  }

  /** A connection's request, made once for all parents that ask the same. */
  connection(key: string, make: () => ConnectionRequest): ConnectionRequest {
    const known = this.connections.get(key)
    if (known) return known
    const made = make()
    this.connections.set(key, made)
    return made
  }

  /** The record that a reference points to; null where there is none to be seen. */
  one(target: Resource, id: string, columns: Columns): Promise<RecordRow | null> {
    authorize(this.ctx, target.permissions.read)
    return this.loader<RecordRow | null>(
      `one|${target.name}|${columns.key}`,
      ids => findRecords(this.ctx, target, ids, columns.names),
      null
    ).load(id)
  }

  /** A page of the records that point to a parent. */
  many(target: Resource, relation: Relation, parent: string, connection: ConnectionRequest): Promise<Page> {
    authorize(this.ctx, target.permissions.read)
    const { key, request } = connection
    return this.loader<Page>(
      `many|${target.name}|${relation.field}|${key}`,
      ids => listByParent(this.ctx, target, relation.field, ids, request),
      { rows: [], more: false, cursor: () => '' }
    ).load(parent)
  }

  /** A page of an attached list of a record. */
  entries(attached: Attached, parent: string, request: EntryRequest): Promise<EntryPage> {
    const key = `${attached.resource.name}|${attached.name}|${JSON.stringify(request)}`
    return this.loader<EntryPage>(key, ids => attached.read(this.ctx, ids, request), {
      rows: [],
      more: false
    }).load(parent)
  }

  /** How many records point to a parent. */
  count(
    target: Resource,
    relation: Relation,
    parent: string,
    connection: ConnectionRequest
  ): Promise<number> {
    return this.loader<number>(
      `count|${target.name}|${relation.field}|${connection.key}`,
      ids => countByParent(this.ctx, target, relation.field, ids, connection.where),
      0
    ).load(parent)
  }
}
