/** The same function, asked once for each key. */
export function remembered<K, V>(find: (key: K) => V): (key: K) => V {
  const found = new Map<K, V>()
  return key => {
    if (!found.has(key)) found.set(key, find(key))
    return found.get(key)!
  }
}
