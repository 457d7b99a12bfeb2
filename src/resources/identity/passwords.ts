import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt)
// OWASP's scrypt settings: 32 MiB and about 100 ms for each try.
const cost = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 }

/** A password's scrypt hash with its salt, to be stored. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const key = await derive(password.normalize('NFC'), salt, 32, cost)
  return `scrypt$${cost.N}$${cost.r}$${cost.p}$${salt.toString('base64url')}$${key.toString('base64url')}`
}

let nobody: Promise<string> | undefined

/** Whether the password is the stored one; takes as long where there is none, so that nobody learns who exists. */
export async function verifyPassword(password: string, stored: string | null | undefined): Promise<boolean> {
  const [, N, r, p, salt, key] = (
    stored ?? (await (nobody ??= hashPassword(randomBytes(16).toString('hex'))))
  ).split('$')
  const expected = Buffer.from(key!, 'base64url')
  const settings = { N: Number(N), r: Number(r), p: Number(p), maxmem: cost.maxmem }
  const found = await derive(
    password.normalize('NFC'),
    Buffer.from(salt!, 'base64url'),
    expected.length,
    settings
  )
  return timingSafeEqual(found, expected) && stored != null
}
