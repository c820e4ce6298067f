/** Debian's index of packages. */

/** A package as its index has it. */
export interface DebianPackage {
  name: string
  version: string
  /** The names of the packages that it needs: of alternatives, the first. */
  depends?: readonly string[]
}

/** The stanzas of a package index. */
export function parseIndex(text: string): DebianPackage[] {
  return text.split(/\n\n+/).flatMap((stanza) => {
    const name = /^Package: (.+)$/m.exec(stanza)?.[1]
    const version = /^Version: (.+)$/m.exec(stanza)?.[1]
    if (name === undefined || version === undefined) return []
    const depends = dependenciesIn(/^Depends: (.+)$/m.exec(stanza)?.[1] ?? '')
    return [{ name, version, ...(depends.length > 0 && { depends }) }]
  })
}

function dependenciesIn(field: string): string[] {
  return field
    .split(',')
    .flatMap((alternatives) => /^\s*([a-z0-9][a-z0-9.+-]+)/.exec(alternatives)?.[1] ?? [])
}
