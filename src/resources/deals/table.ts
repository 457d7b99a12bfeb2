import {
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid
} from 'drizzle-orm/pg-core'
import { sql } from 'drizzle-orm'
import {
  belongsTo,
  day,
  decimal,
  instant,
  needsCurrency,
  recordColumns,
  recordIndexes,
  searchColumn,
  searchIndex,
  textSort
} from '../../database/columns.js'
import { campaigns } from '../campaigns/table.js'
import { companies } from '../companies/table.js'
import { contacts } from '../contacts/table.js'
import { pipelines, stages } from '../pipelines/table.js'
import { products } from '../products/table.js'
import { users } from '../identity/table.js'

/** Who has a part in a deal, and which. */
export interface DealContact {
  contactId: string
  role: string | null
}

/** Stage, status, furthestPosition, way, openedAt and closedAt follow from `dealHistory` by one recompute. */
export const deals = pgTable(
  'deals',
  {
    ...recordColumns(),
    name: text('name').notNull(),
    description: text('description'),
    pipelineId: uuid('pipeline_id').notNull(),
    stageId: uuid('stage_id').notNull(),
    status: text('status').notNull(),
    furthestPosition: integer('furthest_position'),
    stageRows: integer('stage_rows').notNull(),
    // The stages of its history in their order, empty where it was in several pipelines or has more than a hundred; when
    // the first was entered and the last recorded. Figures read it here, of deals whose whole history counts.
    way: uuid('way').array().notNull().default([]),
    wayFrom: instant('way_from'),
    wayRecordedAt: instant('way_recorded_at'),
    amount: decimal('amount'),
    currency: text('currency'),
    probability: doublePrecision('probability'),
    forecastCategory: text('forecast_category'),
    openedAt: instant('opened_at').notNull(),
    stageEnteredAt: instant('stage_entered_at').notNull(),
    expectedCloseDate: day('expected_close_date'),
    closedAt: instant('closed_at'),
    lostReason: text('lost_reason'),
    type: text('type'),
    sourceChannel: text('source_channel'),
    campaignId: uuid('campaign_id'),
    productId: uuid('product_id'),
    companyId: uuid('company_id'),
    primaryContactId: uuid('primary_contact_id'),
    contacts: jsonb('contacts').$type<DealContact[]>().notNull().default([]),
    // Its foreign key is made by a migration of its own: a lead's table names that of deals.
    leadId: uuid('lead_id'),
    ownerId: uuid('owner_id'),
    searchText: searchColumn({ title: ['name'] })
  },
  t => [
    ...recordIndexes('deals', t),
    searchIndex('deals', t),
    index('deals_name').on(t.workspaceId, textSort(t.name, false), t.id),
    // Those that do not say their way.
    index('deals_wayless')
      .on(t.workspaceId)
      .where(sql`way = '{}'`),
    index('deals_opened').on(t.workspaceId, t.openedAt, t.id),
    index('deals_closed').on(t.workspaceId, sql`coalesce(closed_at, 'infinity'::timestamptz)`, t.id),
    index('deals_expected').on(t.workspaceId, sql`coalesce(expected_close_date, 'infinity'::date)`, t.id),
    index('deals_stage').on(t.workspaceId, t.stageId, t.createdAt, t.id),
    index('deals_pipeline').on(t.workspaceId, t.pipelineId, t.openedAt, t.id),
    index('deals_company').on(t.workspaceId, t.companyId, t.createdAt, t.id),
    index('deals_contact').on(t.workspaceId, t.primaryContactId, t.createdAt, t.id),
    index('deals_lead').on(t.workspaceId, t.leadId, t.createdAt, t.id),
    index('deals_owner').on(t.workspaceId, t.ownerId, t.createdAt, t.id),
    index('deals_campaign').on(t.workspaceId, t.campaignId, t.createdAt, t.id),
    index('deals_product').on(t.workspaceId, t.productId, t.createdAt, t.id),
    belongsTo('deals_campaign', t.workspaceId, t.campaignId, campaigns),
    belongsTo('deals_product', t.workspaceId, t.productId, products),
    belongsTo('deals_pipeline', t.workspaceId, t.pipelineId, pipelines),
    belongsTo('deals_stage', t.workspaceId, t.stageId, stages),
    belongsTo('deals_company', t.workspaceId, t.companyId, companies),
    belongsTo('deals_primary_contact', t.workspaceId, t.primaryContactId, contacts),
    belongsTo('deals_owner', t.workspaceId, t.ownerId, users),
    needsCurrency('deals', 'amount')
  ]
)

/** The contacts of deals, one row each: the same as the deals' own column, for the way from a contact to its deals. */
export const dealContacts = pgTable(
  'deal_contacts',
  {
    workspaceId: uuid('workspace_id').notNull(),
    dealId: uuid('deal_id').notNull(),
    contactId: uuid('contact_id').notNull(),
    role: text('role')
  },
  t => [
    primaryKey({ name: 'deal_contacts_pkey', columns: [t.workspaceId, t.dealId, t.contactId] }),
    index('deal_contacts_contact').on(t.workspaceId, t.contactId, t.dealId),
    belongsTo('deal_contacts_deal', t.workspaceId, t.dealId, deals),
    belongsTo('deal_contacts_contact', t.workspaceId, t.contactId, contacts)
  ]
)

/**
 * What happened to a deal, kept for ever, ordered by (at, seq). A row enters a stage (stageId set: a snapshot of
 * stage and pipeline as they were), sets the values (valued: amount … ownerId), or both.
 */
export const dealHistory = pgTable(
  'deal_history',
  {
    workspaceId: uuid('workspace_id').notNull(),
    dealId: uuid('deal_id').notNull(),
    seq: integer('seq').notNull(),
    at: instant('at').notNull(),
    recordedAt: instant('recorded_at').notNull(),
    actorType: text('actor_type').notNull(),
    actorId: uuid('actor_id'),
    pipelineId: uuid('pipeline_id'),
    stageId: uuid('stage_id'),
    position: integer('position'),
    kind: text('kind'),
    stageName: text('stage_name'),
    pipelineName: text('pipeline_name'),
    valued: boolean('valued').notNull(),
    amount: decimal('amount'),
    currency: text('currency'),
    probability: doublePrecision('probability'),
    expectedCloseDate: day('expected_close_date'),
    ownerId: uuid('owner_id')
  },
  t => [
    primaryKey({ name: 'deal_history_pkey', columns: [t.workspaceId, t.dealId, t.seq] }),
    index('deal_history_stage').on(t.workspaceId, t.stageId, t.dealId),
    // All that the funnel reads of a deal's way, in its order.
    index('deal_history_way')
      .on(t.workspaceId, t.dealId, t.at, t.seq, t.stageId, t.kind, t.position, t.recordedAt)
      .where(sql`stage_id is not null`),
    belongsTo('deal_history_deal', t.workspaceId, t.dealId, deals)
  ]
)
