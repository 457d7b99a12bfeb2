import sql, { join, raw, type Sql } from 'sql-template-tag'
import { authorize, visible } from './authorize.js'
import type { Context } from './context.js'
import { fieldError } from './errors.js'
import { customName } from './filter-values.js'
import { resourceNamed, type FieldInfo, type Resource } from './resource.js'
import type { Kind } from './schema.js'
import { suggestion } from './validate.js'

/** Kinds of one value, by which records can be told apart. */
const single = new Set<Kind>([
  'id',
  'text',
  'email',
  'integer',
  'number',
  'decimal',
  'boolean',
  'instant',
  'day',
  'enum'
])

const isSingle = (resource: Resource, name: string) => single.has(resource.fields.get(name)!.kind)

/** The fields that records can be grouped by: those that a filter can name again, so that every bucket has one. */
export const groupableFields = (resource: Resource): string[] => [
  ...resource.filters.filter(name => isSingle(resource, name)),
  'customFields'
]

/** The fields that measures are taken of. */
export const measurableFields = (resource: Resource): string[] => [
  ...[...resource.fields.keys()].filter(name => isSingle(resource, name)),
  'customFields'
]

/** The relations that a path may take: to one record each. */
export const pathRelations = (resource: Resource) =>
  Object.entries(resource.relations).filter(([, relation]) => relation.kind === 'one')

/** A field of the record, or of a related one, as a request names it. */
export interface Path {
  text: string
  /** The relation that leads to the field, where it is not the record's own. */
  relation: string | undefined
  field: FieldInfo
  /** Which of the custom fields. */
  key: string | undefined
}

/** What a path is read for, and what it may then name. */
export type Use = 'group' | 'measure'

function namesOf(resource: Resource, use: Use): string[] {
  return use === 'group' ? groupableFields(resource) : measurableFields(resource)
}

const customPrefix = 'customFields.'

function suggested(text: string, resource: Resource, use: Use): string {
  const related = pathRelations(resource).flatMap(([name, { target }]) =>
    namesOf(resourceNamed(target), use).map(field => `${name}.${field}`)
  )
  return suggestion(text, [...namesOf(resource, use), ...related])
}

/** Reads `status`, `company.industry`, `customFields.tier` or `company.customFields.tier`; a 400 for anything else. */
export function pathOf(resource: Resource, text: string, use: Use, pointer: string): Path {
  const dot = text.indexOf('.')
  const link = pathRelations(resource).find(([name]) => name === text.slice(0, Math.max(dot, 0)))
  const owner = link ? resourceNamed(link[1].target) : resource
  const rest = link ? text.slice(dot + 1) : text
  const key = rest.startsWith(customPrefix) ? rest.slice(customPrefix.length) : undefined
  const name = key === undefined ? rest : 'customFields'
  if (key !== undefined && !customName.test(key))
    throw fieldError('invalid_input', pointer, `${key} is not the name of a custom field.`, 'invalid_name')
  if (!namesOf(owner, use).includes(name) || (name === 'customFields' && key === undefined)) {
    const what = use === 'group' ? 'Records cannot be grouped by' : 'Nothing is measured of'
    throw fieldError(
      'invalid_input',
      pointer,
      `${what} ${text}.${suggested(text, resource, use)}`,
      'unknown_field'
    )
  }
  return { text, relation: link?.[0], field: owner.fields.get(name)!, key }
}

/** The tables that the paths of a request lead to, each joined once. */
export class Joins {
  private readonly aliases = new Map<string, string>()

  constructor(
    private readonly ctx: Context,
    private readonly resource: Resource
  ) {}

  /** The alias of the table in which a path ends; a 403 where the caller may not read it. */
  alias({ relation }: Path): string {
    if (relation === undefined) return 't'
    const known = this.aliases.get(relation)
    if (known !== undefined) return known
    authorize(this.ctx, this.target(relation).permissions.read)
    const made = `j${String.fromCharCode(97 + this.aliases.size)}`
    this.aliases.set(relation, made)
    return made
  }

  private target(relation: string): Resource {
    return resourceNamed(this.resource.relations[relation]!.target)
  }

  /** The joins; a related record that is hidden or in the bin is none. */
  sql(): Sql {
    const joins = [...this.aliases].map(([relation, alias]) => {
      const target = this.target(relation)
      const { column } = this.resource.fields.get(this.resource.relations[relation]!.field)!
      return sql`left join ${raw(`"${target.table}" ${alias}`)} on ${visible(this.ctx, target, alias)}
        and ${raw(`${alias}.id = t."${column}" and ${alias}.deleted_at is null`)}`
    })
    return join([sql``, ...joins], ' ')
  }
}

/** The value that a path leads to, compared as a filter compares it: e-mails in lower case, custom fields as text. */
export function valueSql(path: Path, alias: string): Sql {
  const column = raw(`${alias}."${path.field.column}"`)
  if (path.key !== undefined) return sql`(${column} -> ${path.key} #>> '{}')`
  return path.field.kind === 'email' ? sql`lower(${column})` : column
}

/** The same as a number: custom fields that hold none are null. */
export function numberSql(path: Path, alias: string): Sql {
  const column = raw(`${alias}."${path.field.column}"`)
  if (path.key === undefined) return sql`${column}::float8`
  const json = sql`${column} -> ${path.key}`
  return sql`case when jsonb_typeof(${json}) = 'number' then (${json})::numeric::float8 end`
}
