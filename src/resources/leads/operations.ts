import type { Operation } from '../../kernel/operation.js'
import { standardOperations } from '../../kernel/standard.js'
import { convertLead } from './convert.js'
import { leads } from './resource.js'
import { leadWriter } from './writer.js'

export const leadOperations: Operation[] = [...standardOperations(leads, leadWriter), convertLead]
