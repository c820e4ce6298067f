/** A sorted copy: `toSorted`, which the library's oldest Node has, but not the version of the language it is written in. */
export function sorted<T>(items: Iterable<T>, compare?: (one: T, other: T) => number): T[] {
  const copy = [...items]
  copy.sort(compare)
  return copy
}
