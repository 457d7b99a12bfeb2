export const introduction = `A headless CRM: contacts, companies, deals, their history, and figures about them.

**Credentials.** \`Authorization: Bearer …\` with an access token (\`POST /v1/auth/token\`) or an API key. Each call names
the scope it needs; what a credential may not see answers 404, like what does not exist.

**Lists** are pages: ask on with \`after\` and the page's \`nextCursor\`, or follow the \`Link\` header. Filters are query
parameters (\`email=a@b.c\`, \`createdAt[gte]=2026-01-01\`, \`customFields.tier[in]=gold,silver\`); the search call takes the
same as JSON, with \`and\`, \`or\`, \`not\` and relations. \`search\` finds records by parts of words in any script;
\`GET /v1/search\` looks at all kinds at once. The aggregate call counts and measures records in buckets, each with the
filter that lists its records.

**Writes** are safe to repeat with an \`Idempotency-Key\`, and to race with \`If-Match\`. In an update an absent field
stays and \`null\` clears.

**Errors** are \`application/problem+json\` with a stable \`code\`, and \`errors\` that point at what is wrong. Unknown
fields and parameters are refused with the nearest known name. Answers may get new fields: clients ignore those they do
not know.

**Limits** count the requests of a credential (without one, of an address), a minute at a time. \`RateLimit\` tells how many
are left; one too many is a 429 that says in \`Retry-After\` how long to wait.

Times are RFC 3339 in UTC, money is a decimal string beside an ISO 4217 currency, ids are UUIDv7.`

/** What the tags without a resource of their own are about. */
export const subjects: Record<string, string> = {
  auth: 'Signing in with a password.',
  me: 'The credential of the call.',
  records: 'Records of all kinds.',
  events: 'The change feed: every change of a record, once and in order per record.',
  'event-types': 'What the change feed tells of.',
  metrics: 'Business figures, with their definitions.'
}

/** What parameters mean, where their declaration does not say or says it for another form of them. */
export const parameterTexts: Record<string, string> = {
  id: 'The id of the record.',
  source: 'The system of the partner.',
  externalId: "The record's id in that system.",
  include: 'Relations to embed in each record.',
  fields: 'The only fields to answer, beside `id` and `version`.',
  resource: 'Only events of this kind of record.',
  recordId: 'Only events of this record.',
  customFields:
    'Fields of your own, each a parameter: `customFields.tier=gold`, `customFields.tier[in]=gold,silver`, `customFields.seats[gte]=10`.'
}

/** What fields mean that many bodies and answers share, where their declaration does not say. */
export const fieldTexts: Record<string, string> = {
  atomic: 'Whether the first failure undoes them all. Without it each row stands for itself.',
  op: 'What to do: `create` needs `body`; `update` `id` and `body`; `upsert` `source`, `externalId` and `body`; `delete` and `restore` need `id`.',
  expectedVersion: 'The version that this change is based on; another one fails.',
  restore: 'Whether a record in the bin is brought back.',
  limit: 'How many to answer at most.',
  after: 'Where to go on: the `nextCursor` of the page before.',
  sort: 'One field, `-` for descending. Empty values come last ascending, first descending.',
  count: 'Whether `page.totalCount` is wanted.',
  deleted: 'Look into the bin.',
  hasMore: 'Whether there is more after this.',
  nextCursor: 'What `after` takes for the next page.',
  index: 'The place in the request, from 0.',
  actorType: 'What made the change.',
  actorId: 'The user or API key that made the change.',
  requestId: 'The id of the request that made the change.',
  rowScope: 'Whose records the credential sees.',
  scopes: 'What the credential may do.',
  at: 'When it happened.',
  recordedAt: 'When Kith was told.',
  occurredAt: 'When it happened.',
  seq: 'The order among rows of the same time.',
  amount: 'A decimal, in `currency`.',
  probability: 'Between 0 and 1.'
}
