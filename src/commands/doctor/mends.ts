/**
 * Which releases of Linux have mended the lost cancel: what Debian's changelogs of 6.1.192, 6.12.117 and 7.3.4 list of
 * the stable series, beside runs of the stress test. Of 5.10, 5.15, 6.6 and 6.18 no release is known to have the mends;
 * 5.10.262 and 6.18.44 were seen to lose.
 */
import { isBefore, type KernelFault, parseRelease, type Version } from './kernels.js'

/** What a release has of the mends; `unknown` where the kernel does not tell which release of its series it is. */
export type Mended = 'all' | 'most' | 'none known' | 'unknown'

/** How this kernel stands to the lost cancel. */
export interface LostCancels {
  mended: Mended
  /** The release of the stable series, where the kernel tells it. */
  release?: string
  /** The same in words, and what remains the library's. */
  text: string
}

interface Mend {
  series: Version
  /** The first release of the series that has them. */
  since: number
  mended: 'all' | 'most'
}

const MENDS: readonly Mend[] = [
  { series: [6, 1], since: 191, mended: 'most' },
  { series: [6, 12], since: 115, mended: 'all' },
  { series: [7, 3], since: 2, mended: 'all' },
]
/** Series after it began with them. */
const LAST_WITHOUT: Version = [7, 3]

const ALL_SINCE = '6.12.115 and 7.3.2 brought the mends, 6.1.191 most of them'

/**
 * The number that a release has in its series. Debian 12 and Ubuntu count their builds instead, as in 6.1.0-56; Debian
 * tells the number in `build`, what `uname -v` prints.
 */
export function stableNumber(release: string, build: string): number | undefined {
  const [, series = '', number = ''] = /^(\d+\.\d+)\.(\d+)/.exec(release) ?? []
  const [, told] = new RegExp(`Debian ${series.replace('.', String.raw`\.`)}\\.(\\d+)`).exec(build) ?? []
  if (told !== undefined) return Number(told)
  return number === '' || /^\d+\.\d+\.0-\d/.test(release) ? undefined : Number(number)
}

/** `release` and `build` are what `uname -r` and `uname -v` print. Undefined for what is no Linux. */
export function lostCancelsOf(release: string, build: string): LostCancels | undefined {
  const version = parseRelease(release)
  if (version === undefined) return undefined
  const number = stableNumber(release, build)
  const mended = mendedIn(version, number)
  const name = number === undefined ? undefined : `${version.join('.')}.${number}`
  return { mended, ...(name && { release: name }), text: TEXTS[mended] }
}

function mendedIn(version: Version, number: number | undefined): Mended {
  if (isBefore(LAST_WITHOUT, version)) return 'all'
  const mend = MENDS.find(({ series }) => series[0] === version[0] && series[1] === version[1])
  if (mend === undefined) return 'none known'
  if (number === undefined) return 'unknown'
  return number < mend.since ? 'none known' : mend.mended
}

const REMAINS =
  'the memory that the kernel may still write to, descriptors, bytes that beat a cancel, and one end for every operation'

const TEXTS: Readonly<Record<Mended, string>> = {
  all: `mended in this kernel (${ALL_SINCE}). What remains the library's: ${REMAINS}`,
  most: `mostly mended in this kernel, but for a request that a worker parks (${ALL_SINCE}); for the rest the library cancels again`,
  'none known': `this kernel is not known to have the mends (${ALL_SINCE}): the library cancels again`,
  unknown: `mended in some releases of this series (${ALL_SINCE}); which one this is the kernel does not tell: the library cancels again`,
}

const FAULT = {
  id: 'lost-cancel',
  answer: 'the library cancels again until the operation has completed',
}
const LEFT: KernelFault = {
  ...FAULT,
  kernels: '6.1.191 and newer of 6.1',
  fault:
    'a cancel that meets its operation as a worker parks it may be lost, and the operation never completes (seen once on 6.1.192)',
}
const WHOLE: KernelFault = {
  ...FAULT,
  kernels: 'before 7.3.2 (seen up to 6.18), but for 6.12.115, 6.1.191 and newer of these series',
  fault:
    'a cancel that meets its operation on the way to or from a worker may be lost: it answers -ENOENT or -EALREADY, and the operation never completes',
}

/** The fault, as far as a kernel has it. */
export function lostCancelFault(mended: Mended): KernelFault[] {
  if (mended === 'all') return []
  return mended === 'most' ? [LEFT] : [WHOLE]
}
