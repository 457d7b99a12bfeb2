import providers from 'email-providers'
import sql, { raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { TransactionContext } from '../../kernel/context.js'
import { KithError } from '../../kernel/errors.js'
import type { Resource } from '../../kernel/resource.js'
import { sortExpression } from '../../kernel/sort.js'
import { companies } from '../companies/resource.js'
import { contacts } from '../contacts/resource.js'

const mailProviders = new Set(providers)

/** The texts of a lead by which a company or contact is looked for. */
export interface Traces {
  email: string | null
  companyName: string | null
  companyDomain: string | null
}

// A mailbox provider's domain says nothing about where somebody works.
const ownDomain = (domain: string | null | undefined) =>
  domain && !mailProviders.has(domain) ? domain : undefined

function domainsOf({ companyDomain, email }: Traces): string[] {
  const domains = [ownDomain(companyDomain), ownDomain(email?.toLowerCase().split('@').at(-1))]
  return [...new Set(domains.filter(d => d !== undefined))]
}

// Of two conversions that look for the same at once, the second waits, and finds what the first made.
async function alone(ctx: TransactionContext, resource: Resource, traces: readonly string[]): Promise<void> {
  const keys = traces.map(trace => `${ctx.workspaceId}\nmatch ${resource.name}\n${trace}`).sort()
  await ctx.db.query(
    sql`select pg_advisory_xact_lock(hashtextextended(k, 0)) from unnest(${keys}::text[]) as k`
  )
}

const shown = 10

function ambiguous(resource: Resource, field: string, found: readonly { id: string }[]): KithError {
  const message = `Several ${resource.plural} have the ${field} of the lead: give the id of one.`
  return new KithError('ambiguous_match', message, {
    errors: [{ in: 'body', pointer: `/${resource.name}/match`, code: 'ambiguous', message }],
    extra: { candidates: found.map(({ id }) => ({ resource: resource.name, id })) }
  })
}

async function only(
  ctx: TransactionContext,
  resource: Resource,
  field: string,
  where: Sql
): Promise<string | undefined> {
  const found = await ctx.db.query<{ id: string }>(sql`
    select t.id from ${raw(`"${resource.table}" t`)}
    where ${visible(ctx, resource, 't')} and t.deleted_at is null and ${where} limit ${shown}`)
  if (found.length > 1) throw ambiguous(resource, field, found)
  return found[0]?.id
}

/** The contact with the lead's e-mail, if there is one; 409 with the candidates where there are several. */
export async function matchContact(ctx: TransactionContext, { email }: Traces): Promise<string | undefined> {
  if (email === null) return undefined
  await alone(ctx, contacts, [email.toLowerCase()])
  return only(ctx, contacts, 'e-mail', sql`lower(t.email) = lower(${email})`)
}

const nameKey = raw(sortExpression('t.name', 'text', false))

/** The company of the lead's domain, its e-mail's domain or its name, in this order; 409 where there are several. */
export async function matchCompany(ctx: TransactionContext, traces: Traces): Promise<string | undefined> {
  const { companyName, companyDomain } = traces
  const domains = domainsOf(traces)
  await alone(ctx, companies, [...domains, ...(companyName === null ? [] : [companyName.toLowerCase()])])
  for (const domain of domains) {
    const found = await only(ctx, companies, 'domain', sql`t.domain = ${domain}`)
    if (found !== undefined) return found
  }
  if (companyName === null) return undefined
  // Two companies of one name and different domains are two.
  const sameName = sql`${nameKey} = lower(${companyName})
    and (t.domain is null or ${companyDomain}::text is null or t.domain = ${companyDomain})`
  return only(ctx, companies, 'name', sameName)
}
