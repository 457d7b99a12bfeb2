import type { TransactionContext } from '../../kernel/context.js'
import { fieldError, KithError } from '../../kernel/errors.js'
import { lockRecords, type RecordRow } from '../../kernel/read.js'
import type { Resource } from '../../kernel/resource.js'
import { newId } from '../../kernel/write.js'
import type { Proposal, Writer } from '../../kernel/writer.js'
import type { Choice, Part } from './convert-schemas.js'

export type Values = Record<string, unknown>

/** A record that a conversion came to. */
export interface Made extends Part {
  id: string
  record: RecordRow
}

/** How a conversion comes to a company, contact or deal. */
export interface Plan {
  resource: Resource
  writer: Writer
  /** What a new record takes over, and one that is there where it is empty. */
  inherited: Values
  /** What besides a new record has unless the caller says otherwise. */
  defaults: Values
}

const isEmpty = (value: unknown) =>
  value == null || (typeof value === 'object' && Object.keys(value).length === 0)

const present = (values: Values): Values =>
  Object.fromEntries(Object.entries(values).filter(([, v]) => !isEmpty(v)))

async function under<T>(pointer: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof KithError) || !error.errors) throw error
    const errors = error.errors.map(e => ({ ...e, pointer: pointer + (e.pointer ?? '') }))
    throw new KithError(error.code, error.message, { errors, extra: error.extra, cause: error.cause })
  }
}

function written({ resource, inherited }: Plan, values: Values): Values {
  const own = values.customFields as Values | undefined
  const customFields = own && present({ ...(inherited.customFields as Values), ...own })
  const all = present({ ...inherited, ...values, ...(customFields && { customFields }) })
  const absent = (resource.createBody.required ?? []).find(name => all[name] === undefined)
  if (absent === undefined) return all
  const message = `The lead has nothing that could be the ${absent} of a ${resource.name}.`
  throw fieldError('unprocessable', `/${absent}`, message, 'required')
}

/**
 * Makes a record of what the caller gives and what it inherits. What is inherited is not checked again: a reference
 * to a record in the bin, or out of the caller's sight, is kept.
 */
export function make(ctx: TransactionContext, plan: Plan, given: Values): Promise<Made> {
  const { resource, writer, defaults } = plan
  return under(`/${resource.name}/create`, async () => {
    const proposal: Proposal = { id: newId(), values: { ...defaults, ...given }, created: true }
    const values = written(plan, proposal.values)
    const problem = (await writer.check(ctx, [proposal])).get(proposal.id)
    if (problem) throw problem
    const { id, prepared } = proposal
    const record = (await writer.create(ctx, [{ id, values, prepared }])).get(id)!
    return { id, outcome: 'created', written: values, record }
  })
}

// Fields of one's own are filled one by one.
function missing(record: RecordRow, { customFields, ...inherited }: Values): Values {
  const filled = Object.entries(present(inherited)).filter(([name]) => isEmpty(record[name]))
  const own = Object.entries((customFields ?? {}) as Values).filter(
    ([name]) => !Object.hasOwn(record.customFields as Values, name)
  )
  return { ...Object.fromEntries(filled), ...(own.length > 0 && { customFields: Object.fromEntries(own) }) }
}

/** Links a record that is there, filling only what is empty; undefined where the caller cannot see it. */
export async function link(
  ctx: TransactionContext,
  { resource, writer, inherited }: Plan,
  given: string,
  outcome: 'matched' | 'given'
): Promise<Made | undefined> {
  const record = (await lockRecords(ctx, resource, [given])).get(given.toLowerCase())
  if (!record) return undefined
  const { id } = record
  const patch = missing(record, inherited)
  const changed = (await writer.change(ctx, [{ id, patch }])).get(id)!
  return { id, outcome, written: patch, record: changed.record }
}

async function named(ctx: TransactionContext, plan: Plan, id: string): Promise<Made> {
  const found = await link(ctx, plan, id, 'given')
  if (found) return found
  const { name } = plan.resource
  throw fieldError('unknown_reference', `/${name}/id`, `id does not point to a ${name} we know.`)
}

const nothing = () => Promise.resolve(undefined)

/** The record by the way that the caller chose: that of an id, one that matches, or a new one. */
export async function choose(
  ctx: TransactionContext,
  plan: Plan,
  choice: Choice,
  match: () => Promise<string | undefined> = nothing,
  otherwise: () => Promise<Made | undefined> = nothing
): Promise<Made | undefined> {
  if (choice.id !== undefined) return named(ctx, plan, choice.id)
  if (choice.create !== undefined) return make(ctx, plan, choice.create)
  const id = await match()
  const found = id === undefined ? undefined : await link(ctx, plan, id, 'matched')
  return found ?? otherwise()
}
