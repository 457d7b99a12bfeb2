import type { Context } from '../../kernel/context.js'
import type { KithError } from '../../kernel/errors.js'
import { circularParents, namesParent } from '../../kernel/tree.js'
import type { Proposal, Writer } from '../../kernel/writer.js'
import { lifecycleWriter } from '../lifecycle/writer.js'
import { companies } from './resource.js'

const staged = lifecycleWriter(companies)

async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await staged.check(ctx, rows)
  return new Map([...problems, ...(await circularParents(ctx, companies, rows, problems))])
}

/** Writes companies with their lifecycle; none is above itself. */
export const companyWriter: Writer = { ...staged, atomic: namesParent, check }
