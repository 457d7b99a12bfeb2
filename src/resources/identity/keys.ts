import { createHash, randomBytes } from 'node:crypto'

const pattern = /^kith_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/

/** A fresh API key of a workspace; only its hash is stored. */
export function newKey(workspaceId: string): { key: string; hash: string; hint: string } {
  const secret = randomBytes(32).toString('base64url')
  const key = `kith_${workspaceId.replaceAll('-', '')}_${secret}`
  return { key, hash: hashSecret(secret), hint: secret.slice(0, 4) }
}

// The secret is 256 random bits: a plain hash is as good as a slow one, and looked up by an index.
export const hashSecret = (secret: string) => createHash('sha256').update(secret).digest('base64url')

/** The workspace and the secret's hash in a key, or undefined where it is not one of ours. */
export function parseKey(key: string): { workspaceId: string; hash: string } | undefined {
  const match = pattern.exec(key)
  if (!match) return undefined
  const workspaceId = match[1]!.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return { workspaceId, hash: hashSecret(match[2]!) }
}
