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
}

/** Fields with a pattern or format, which mean the same in every resource that has them. */
export const commonValues: Record<string, readonly unknown[]> = {
  country: ['BD', 'DE', 'PK', 'TR'],
  currency: ['BDT', 'EUR', 'PKR', 'TRY'],
  domain: ['example.com', 'beispiel.example', 'udaharan.example'],
  phone: ['+4930123456', '+8801712345678', '+92211234567'],
  website: ['https://example.com', 'https://beispiel.example/a?b=c', 'http://udaharan.example'],
  language: ['bn', 'de-AT', 'sd-Deva', 'tr'],
  timeZone: ['Asia/Dhaka', 'Europe/Vienna', 'Asia/Karachi']
}

const words = ['Zeta', 'alpha', 'Beta works', 'beta', 'আলফা', 'سنڌي', 'émile', 'Ähre', '😀 smile', 'a_b%c']

/** A text of any script, different for each n. */
export const textOf = (n: number) => `${words[n % words.length]} ${Math.floor(n / words.length)}`

/** By resource name: every resource with standard operations has one. */
export const samples: Record<string, Sample> = {
  company: {
    create: n => ({ name: textOf(n) }),
    update: { name: 'Renamed & Sons', annualRevenue: '1200.5', address: { city: 'Dhaka' } }
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
    create: (n, ref) => ({ name: textOf(n), stageId: ref('stageId', n) }),
    update: { name: 'Bigger', amount: '99.5', expectedCloseDate: '2026-12-24' },
    omit: ['pipelineId']
  }
}
