import { allResources, camel, type Resource } from '../kernel/resource.js'
import type { Operation } from '../kernel/operation.js'

export const pascal = (name: string) => name[0]!.toUpperCase() + name.slice(1)

/** `contacts.list` as its subject and what is done to it. */
export function partsOf({ name }: Operation): { subject: string; action: string } {
  const dot = name.indexOf('.')
  return { subject: name.slice(0, dot), action: name.slice(dot + 1) }
}

/** The resource that an operation is about, if it is about one. */
export const resourceOf = (operation: Operation): Resource | undefined =>
  allResources().find(r => r.plural === partsOf(operation).subject)

// `funnel.post` and `set-password` become FunnelPost and SetPassword.
const joined = (name: string) => name.split('.').map(camel).map(pascal).join('')

/** `Contact` for an operation on contacts, `Metrics` for one on metrics. */
const nounOf = (operation: Operation) => resourceOf(operation)?.noun ?? joined(partsOf(operation).subject)

/**
 * A name for client code. A write is called as its mutation (`createContact`), a read starts with what it does
 * (`listContacts`, `getContact`, `aggregateContacts`) or with get (`getDealHistory`).
 */
export function operationId(operation: Operation): string {
  const { subject, action } = partsOf(operation)
  if (operation.kind === 'write') {
    const name = joined(operation.graphql ?? operation.name)
    return name[0]!.toLowerCase() + name.slice(1)
  }
  const [, verb = '', rest = ''] = /^(list|search|aggregate|get)(?![a-z])(.*)$/.exec(action) ?? []
  if (verb === '') return `get${nounOf(operation)}${joined(action)}`
  return verb === 'get' ? `get${nounOf(operation)}${rest}` : `${verb}${joined(subject)}${rest}`
}

/** The component of an operation's body: `ContactCreate`. */
export const bodyName = (operation: Operation) => `${nounOf(operation)}${joined(partsOf(operation).action)}`

/** The component of an operation's answer where its schema has no name of its own: `DealHistoryResult`. */
export const resultName = (operation: Operation) => `${bodyName(operation)}Result`
