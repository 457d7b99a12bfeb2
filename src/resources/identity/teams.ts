import type { Context } from '../../kernel/context.js'
import type { KithError } from '../../kernel/errors.js'
import type { Operation } from '../../kernel/operation.js'
import { standardOperations } from '../../kernel/standard.js'
import { circularParents } from '../../kernel/tree.js'
import { checkProposals, standardWriter, type Proposal, type Writer } from '../../kernel/writer.js'
import { teams } from './resource.js'

async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, teams, rows)
  return new Map([...problems, ...(await circularParents(ctx, teams, rows, problems))])
}

const writer: Writer = { ...standardWriter(teams), atomic: true, check }

export const teamOperations: Operation[] = standardOperations(teams, writer)
