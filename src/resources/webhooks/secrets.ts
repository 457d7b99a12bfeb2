import { randomBytes } from 'node:crypto'

/** A fresh signing secret in the form of Standard Webhooks. */
export const newSecret = () => `whsec_${randomBytes(24).toString('base64')}`
