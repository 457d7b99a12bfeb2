import { many, one, resource } from '../../kernel/resource.js'
import {
  About,
  Domain,
  Email,
  Enum,
  Id,
  Instant,
  Json,
  Language,
  List,
  Nullable,
  Number,
  Phone,
  Text
} from '../../kernel/schema.js'
import { CountryCode } from '../shared.js'
import { leads as table } from './table.js'

export const leadStatuses = ['new', 'working', 'nurturing', 'qualified', 'unqualified', 'converted'] as const
const answers = ['unknown', 'no', 'partly', 'confirmed'] as const

const Qualification = (question: string) => About(question, Enum('Qualification', answers))
const When = (what: string) => About(what, Nullable(Instant()))

export const leads = resource({
  name: 'lead',
  plural: 'leads',
  description:
    'A stranger who may become a customer, as captured; conversion makes a contact, company and deal of it.',
  table,
  createOnly: {
    workingAt: When('When somebody began to work on it; the last time.'),
    nurturingAt: When('When it was put off to be nurtured; the last time.'),
    qualifiedAt: When('When it was found to be worth a deal; the last time.'),
    unqualifiedAt: When('When it was given up; the last time.'),
    convertedAt: When('When it was converted.'),
    contactId: Nullable(Id('The contact it became.')),
    companyId: Nullable(Id('The company it became, or belongs to.')),
    dealId: Nullable(Id('The deal it became.'))
  },
  fields: {
    firstName: About('Given name.', Nullable(Text(200))),
    lastName: About('Family name.', Nullable(Text(200))),
    email: About('Compared in lower case; not unique.', Nullable(Email())),
    phone: About('E.164.', Nullable(Phone())),
    jobTitle: About('What this person does.', Nullable(Text(200))),
    companyName: About('The company this person named.', Nullable(Text(300))),
    companyDomain: About("The company's internet domain.", Nullable(Domain())),
    industry: About('What the company does.', Nullable(Text(200))),
    country: About('ISO 3166-1 alpha-2.', CountryCode()),
    language: About('BCP 47: the language to write in.', Nullable(Language())),
    description: About('What is known besides.', Nullable(Text(20000))),
    capturedAt: About('When the lead came in: business time, now unless said.', Instant()),
    sourceChannel: About('The channel it came through.', Nullable(Text(100))),
    campaignId: Nullable(Id('The campaign it came from.')),
    landingPage: About('The page on which it was captured.', Nullable(Text(2000))),
    status: About('How far along it is.', Enum('LeadStatus', leadStatuses)),
    unqualifiedReason: About('Why it was given up.', Nullable(Text(500))),
    budget: Qualification('Can it pay?'),
    authority: Qualification('May this person decide?'),
    need: Qualification('Is there a need?'),
    timeline: Qualification('Is it soon?'),
    tags: About('Labels of your own.', List(Text(100), 100)),
    ownerId: Nullable(Id('The user who works on it.'))
  },
  readonly: {
    score: About('How promising it is; null until scored.', Nullable(Number())),
    scoreBreakdown: Json<Record<string, number>>('What each rule adds to the score; null until scored.')
  },
  filters: [
    'firstName',
    'lastName',
    'email',
    'phone',
    'jobTitle',
    'companyName',
    'companyDomain',
    'industry',
    'country',
    'language',
    'capturedAt',
    'sourceChannel',
    'campaignId',
    'status',
    'qualifiedAt',
    'unqualifiedAt',
    'convertedAt',
    'unqualifiedReason',
    'budget',
    'authority',
    'need',
    'timeline',
    'score',
    'tags',
    'ownerId',
    'contactId',
    'companyId',
    'dealId'
  ],
  events: {
    status_changed: 'A lead entered another status.',
    converted: 'A lead was converted into a contact, company or deal.'
  },
  sorts: ['capturedAt', 'lastName'],
  search: { title: ['firstName', 'lastName'], also: ['email', 'phone', 'companyName', 'companyDomain'] },
  rules: {
    leads_known: {
      pointer: '/email',
      code: 'nobody',
      message: 'A lead has a name, an e-mail, a phone or a company name.'
    }
  },
  relations: {
    campaign: one('campaign', 'campaignId'),
    owner: one('user', 'ownerId'),
    contact: one('contact', 'contactId'),
    company: one('company', 'companyId'),
    deal: one('deal', 'dealId'),
    touches: many('touch', 'leadId'),
    activities: many('activity', 'leadId')
  }
})
