/** A reference of a record to make: an id of one of the records that the field may point to, the same for the same n. */
export type Ref = (field: string, n: number) => string

/** What the conformance suite must know about a resource; everything else follows from its declaration. */
export interface Sample {
  /** The least that makes a record, different for each n; fields left out are filled in by their kinds. */
  create(n: number, ref: Ref): Record<string, unknown>
  /** A change of at least one field. */
  update: Record<string, unknown>
  /** Values of fields that their kind alone does not tell, as a list or by n where they are unique. */
  values?: Record<string, readonly unknown[] | ((n: number) => unknown)>
  /** Fields of a create that are never filled in. */
  omit?: readonly string[]
  /** Fields that may be null, but not alone: a rule of the resource keeps them. */
  keep?: readonly string[]
}

/** Fields with a pattern or format, which mean the same in every resource that has them. */
export const commonValues: Record<string, readonly unknown[]> = {
  country: ['BD', 'DE', 'PK', 'TR'],
  currency: ['BDT', 'EUR', 'PKR', 'TRY'],
  domain: ['example.com', 'beispiel.example', 'udaharan.example'],
  companyDomain: ['example.com', 'beispiel.example', 'udaharan.example'],
  phone: ['+4930123456', '+8801712345678', '+92211234567'],
  website: ['https://example.com', 'https://beispiel.example/a?b=c', 'http://udaharan.example'],
  language: ['bn', 'de-AT', 'sd-Deva', 'tr'],
  timeZone: ['Asia/Dhaka', 'Europe/Vienna', 'Asia/Karachi']
}

const words = ['Zeta', 'alpha', 'Beta works', 'beta', 'আলফা', 'سنڌي', 'émile', 'Ähre', '😀 smile', 'a_b%c']

/** A text of any script, different for each n. */
export const textOf = (n: number) => `${words[n % words.length]} ${Math.floor(n / words.length)}`

const dayOf = (n: number) => new Date(Date.UTC(2000, 0, 1 + n)).toISOString().slice(0, 10)

const scoringRules: Record<string, unknown>[] = [
  { field: 'industry', condition: { in: ['Retail', 'খুচরা'] }, points: 20, group: 'fit', halfLifeDays: null },
  { field: 'budget', condition: { eq: 'confirmed' }, points: 10, group: 'bant', halfLifeDays: null },
  {
    field: 'activities.type',
    condition: { eq: 'meeting' },
    points: 8,
    group: 'activity',
    halfLifeDays: 30
  },
  { field: 'customFields.tier', condition: { ne: 'none' }, points: -3, group: 'fit', halfLifeDays: null }
]

/** By resource name: every resource with standard operations has one. */
export const samples: Record<string, Sample> = {
  company: {
    create: n => ({ name: textOf(n), currency: 'EUR' }),
    update: { name: 'Renamed & Sons', annualRevenue: '1200.5', address: { city: 'Dhaka' } },
    keep: ['currency']
  },
  contact: {
    create: n => ({ lastName: textOf(n) }),
    update: { lastName: 'Rahman', email: 'New@Example.com', tags: ['vip', 'ভিআইপি'] }
  },
  user: {
    create: n => ({ name: textOf(n), email: `Person${n}@example.com` }),
    update: { name: 'Somebody else', role: 'viewer' },
    values: {
      externalSubject: n => `subject-${n}`,
      active: [true, false],
      role: ['rep', 'manager', 'viewer', 'admin']
    }
  },
  team: {
    create: n => ({ name: textOf(n) }),
    update: { name: 'Partners' }
  },
  role: {
    create: n => ({ key: `role_${n}`, name: textOf(n), scopes: ['contacts:read'], rowScope: 'own' }),
    update: { name: 'Field sales', scopes: ['contacts:read', 'deals:write'], rowScope: 'team' }
  },
  apiKey: {
    create: n => ({ name: textOf(n), scopes: ['contacts:read'] }),
    update: { name: 'Another name' },
    values: { expiresAt: ['2999-01-01T00:00:00.000Z', '2999-06-01T12:30:00.500Z'] }
  },
  webhook: {
    create: n => ({ url: `https://example.com/hooks/${n}` }),
    update: { types: ['deal.*', '*.deleted'], payload: 'thin' },
    values: {
      url: n => `https://example.com/hooks/${n}`,
      types: [['*'], ['contact.created', 'deal.*'], ['*.deleted']],
      filter: [{ createdAt: { gte: '2026-01-01T00:00:00Z' } }, { id: { changed: false } }]
    }
  },
  pipeline: {
    create: n => ({ name: textOf(n) }),
    update: { name: 'Partners', position: 7 },
    values: { lostReasonRequired: [false] }
  },
  stage: {
    create: (n, ref) => ({
      name: textOf(n),
      position: n,
      kind: (['open', 'won', 'lost', 'open'] as const)[n % 4],
      pipelineId: ref('pipelineId', n)
    }),
    update: { name: 'Negotiation', probability: 0.4 }
  },
  deal: {
    create: (n, ref) => ({ name: textOf(n), stageId: ref('stageId', n), currency: 'EUR' }),
    update: { name: 'Bigger', amount: '99.5', expectedCloseDate: '2026-12-24' },
    // A primary contact is among the contacts, which are told by their own test.
    omit: ['pipelineId', 'contacts'],
    keep: ['currency']
  },
  lead: {
    create: n => ({ lastName: textOf(n) }),
    update: { need: 'confirmed', companyName: 'Kamal & Sons' },
    values: {
      landingPage: ['https://example.com/offer', '/preise'],
      // A new lead has entered no other status, and none is entered before the capture.
      status: ['working', 'nurturing', 'qualified', 'unqualified', 'converted'],
      capturedAt: ['1999-01-31T09:30:00.000Z', '1998-12-24T00:00:00.000Z', '1999-02-28T23:59:59.999Z']
    },
    omit: ['convertedAt', 'unqualifiedReason'],
    keep: ['lastName']
  },
  activity: {
    create: n => ({ type: 'note', subject: textOf(n) }),
    update: { body: 'Asked for a quote', outcome: 'interested' },
    values: { occurredAt: ['2025-01-01T00:00:00.000Z', '2025-02-28T12:00:00.500Z'] },
    omit: ['completedAt']
  },
  product: {
    create: n => ({ name: textOf(n), currency: 'EUR' }),
    update: { listPrice: '49.9', currency: 'EUR' },
    values: { code: n => `code-${n}` },
    keep: ['currency']
  },
  order: {
    create: (n, ref) => ({ companyId: ref('companyId', n), currency: 'EUR' }),
    update: { amount: '1200.5', directCost: '800' },
    keep: ['companyId', 'currency']
  },
  subscription: {
    create: (n, ref) => ({ companyId: ref('companyId', n), currency: 'EUR', startDate: '2024-12-01' }),
    update: { plan: 'Premium', recurringAmount: '29.85', endDate: '2026-03-01' },
    values: {
      recurringAmount: ['10', '9.5', '100.25', '0'],
      endDate: ['2025-01-31', '2025-12-24', '2026-02-28']
    },
    keep: ['companyId', 'currency']
  },
  campaign: {
    create: n => ({ name: textOf(n), currency: 'EUR' }),
    update: { direction: 'outbound', budget: '5000' },
    keep: ['currency'],
    values: { startDate: ['2025-01-01', '2025-02-28'], endDate: ['2026-01-31', '2026-12-24'] }
  },
  cost: {
    create: n => ({ date: '2026-01-31', amount: `${n}.5`, currency: 'EUR' }),
    update: { amount: '99.9', category: 'sales' },
    values: { amount: ['10', '9.5', '100.25', '0'] },
    omit: ['from', 'to'],
    keep: ['date']
  },
  touch: {
    create: (n, ref) => ({ leadId: ref('leadId', n), channel: textOf(n) }),
    update: { channel: 'email', seq: 2 },
    keep: ['leadId']
  },
  exchangeRate: {
    create: n => ({ date: dayOf(n), currency: 'USD', rateToBase: '0.939037' }),
    update: { rateToBase: '0.95' },
    values: { date: dayOf, currency: ['USD'], rateToBase: ['0.95', '1.000000000001', '130'] }
  },
  scoringRule: {
    create: n => scoringRules[n % scoringRules.length]!,
    update: { points: -5, condition: { isNull: false } },
    values: { condition: [{ isNull: true }] }
  }
}
