import { changeRecords, createRecords } from '../../kernel/write.js'
import { standardWriter, type Writer } from '../../kernel/writer.js'
import { aboutLeads, changedLeads, namesLead } from '../leads/became.js'
import { touches } from './resource.js'

const links = ['contactId'] as const

/** Writes touches; one of a converted lead is also of the contact that it became. */
export const touchWriter: Writer = {
  ...standardWriter(touches),
  atomic: namesLead,
  create: async (ctx, rows) => createRecords(ctx, touches, await aboutLeads(ctx, links, rows)),
  change: async (ctx, rows) => changeRecords(ctx, touches, await changedLeads(ctx, touches, links, rows))
}
