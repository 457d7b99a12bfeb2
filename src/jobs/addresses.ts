import { BlockList, isIP } from 'node:net'

// IPv4 networks that are not the public internet (IANA special-purpose registry).
const privateIpv4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // What Azure tells its machines of themselves is at a public address.
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4]
] as const

// What of the global unicast block is none: protocol assignments with Teredo and ORCHID, documentation, 6to4, AS112.
const specialIpv6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20]
] as const

function listOf(networks: readonly (readonly [string, number])[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of networks) list.addSubnet(network, prefix, family)
  return list
}

const refusedIpv4 = listOf(privateIpv4, 'ipv4')
const refusedIpv6 = listOf(specialIpv6, 'ipv6')
const globalIpv6 = listOf([['2000::', 3]], 'ipv6')

// The eight groups of an IPv6 address, which the URL parser has written in one way.
function groupsOf(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const numbers = (text: string) => (text === '' ? [] : text.split(':').map(group => parseInt(group, 16)))
  const [first, last] = [numbers(head), numbers(tail ?? '')]
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last]
}

// Mapped addresses (::ffff:0:0/96) and those of NAT64 (64:ff9b::/96) stand for the IPv4 address at their end, those of
// ISATAP (…:0:5efe:0:0 and …:200:5efe:0:0) lead to it.
const carriers = new Set(['0,0,0,0,0,65535', '100,65435,0,0,0,0'])
const isatap = new Set(['0,24318', '512,24318'])

const ipv4Of = (groups: readonly number[]) =>
  groups
    .slice(6)
    .flatMap(group => [group >> 8, group & 255])
    .join('.')

/** Whether an IP address is on the public internet; anything that is no address is not. */
export function isPublic(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !refusedIpv4.check(address, 'ipv4')
  if (family !== 6 || address.includes('%')) return false
  const groups = groupsOf(address)
  if (carriers.has(groups.slice(0, 6).join())) return isPublic(ipv4Of(groups))
  if (isatap.has(groups.slice(4, 6).join()) && !isPublic(ipv4Of(groups))) return false
  return globalIpv6.check(address, 'ipv6') && !refusedIpv6.check(address, 'ipv6')
}

// The address that a URL names by number, without brackets; undefined where it names a host.
function literalAddress(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return isIP(bare) === 0 ? undefined : bare
}

const localNames = /(^|\.)(localhost|local|internal|lan|home\.arpa|localdomain|test|invalid|onion)$/

/**
 * What speaks against sending to this URL that can be told without asking the network, as a sentence. The URL parser
 * has turned decimal, octal and hexadecimal forms into plain addresses by then.
 */
export function urlProblem(text: string, allowPrivate: boolean): string | undefined {
  if (!URL.canParse(text)) return 'This is not a URL.'
  const { protocol, username, password, hostname } = new URL(text)
  if (protocol !== 'https:' && !(allowPrivate && protocol === 'http:')) return 'Give an https URL.'
  if (username !== '' || password !== '')
    return 'A URL with credentials is not sent to: check the signature instead.'
  if (allowPrivate) return undefined
  const address = literalAddress(hostname)
  if (address !== undefined) {
    return isPublic(address) ? undefined : `${address} is not an address on the public internet.`
  }
  const name = hostname.replace(/\.$/, '')
  if (name.includes('.') && !localNames.test(name)) return undefined
  return `${hostname} is not a name on the public internet.`
}
