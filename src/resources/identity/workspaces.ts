import { KithError } from '../../kernel/errors.js'
import { operation, record, type Operation } from '../../kernel/operation.js'
import { findRecord } from '../../kernel/read.js'
import { changeOne, standardWriter } from '../../kernel/writer.js'
import { workspaces } from './resource.js'

const writer = standardWriter(workspaces)

const getWorkspace = operation({
  name: 'workspace.get',
  kind: 'read',
  permission: 'authenticated',
  summary: 'Get the workspace of the credential',
  rest: 'GET /workspace',
  graphql: 'workspace',
  result: record(workspaces),
  async run(ctx) {
    const found = await findRecord(ctx, workspaces, ctx.workspaceId)
    if (!found) throw new KithError('not_found')
    return { record: found }
  }
})

const updateWorkspace = operation({
  name: 'workspace.update',
  kind: 'write',
  permission: workspaces.permissions.write,
  summary: 'Update the workspace of the credential',
  rest: 'PATCH /workspace',
  graphql: 'updateWorkspace',
  body: workspaces.updateBody,
  result: record(workspaces),
  run: (ctx, { body, expectedVersion }) =>
    changeOne(ctx, workspaces, writer, { id: ctx.workspaceId, patch: body, expectedVersion })
})

export const workspaceOperations: Operation[] = [getWorkspace, updateWorkspace]
