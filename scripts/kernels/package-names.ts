/** Finding a series' kernels among the names of Debian's packages. */
import type { DebianPackage } from '../common/package-index.js'
import { sorted } from '../common/sorted.js'

function escape(text: string): string {
  return text.replaceAll(/[.+]/g, String.raw`\$&`)
}

/** A pattern for the names of packages that hold a kernel of the series. */
export function kernelNames(series: string, flavour: string): RegExp {
  // The kernel lies in linux-image; since 7.1 in linux-binary, and linux-image is empty.
  // Between the version and the flavour stands at most a number: `cloud-amd64` is no `amd64`.
  const version = `${escape(series)}\\.\\d[^ -]*(-\\d[^ -]*)?`
  return new RegExp(`^linux-(image|binary)-${version}-${escape(flavour)}(-unsigned)?$`)
}

/**
 * The packages that may hold the newest kernel of a series: the best first, then what to take where its file is
 * not to be had.
 */
export function candidates(
  packages: readonly DebianPackage[],
  series: string,
  flavour: string,
): DebianPackage[] {
  const pattern = kernelNames(series, flavour)
  const seen = new Set<string>()
  const matching = packages.filter(({ name, version }) => {
    const key = `${name}=${version}`
    return pattern.test(name) && !seen.has(key) && seen.add(key)
  })
  return sorted(
    matching,
    (one, other) => compareVersions(other.version, one.version) || preference(one) - preference(other),
  )
}

/** Of packages with the same version: first what holds the kernel for certain, then what is mirrored the longest. */
function preference({ name }: DebianPackage): number {
  if (name.startsWith('linux-binary-')) return 0
  return name.endsWith('-unsigned') ? 2 : 1
}

/** By their numbers, from the left: within one series of kernels that is Debian's order. */
function compareVersions(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true })
}
