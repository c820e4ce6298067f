/** Why the native addon could not be loaded, and what to do. */
import { VERSION } from './version.js'

/** Makes what loads the addon take this file, and nothing else. */
export const OVERRIDE = 'NAPI_RS_NATIVE_LIBRARY_PATH'
const UNSET = `unset ${OVERRIDE}, or let it name the addon of version ${VERSION}`

/** The processors that there are builds for. */
const ARCHITECTURES: readonly string[] = ['x64', 'arm64']
const PACKAGE = /uring-safe-cancel-linux-\w+-(?:gnu|musl)/
/** What Node, Bun and Deno say of a module that is not there. */
const NOT_FOUND = /Cannot find (?:module|package)|Could not find|not found in/i

/** The addon could not be loaded: the message says why. */
export class LoadFailure extends Error {
  override readonly name = 'LoadFailure'
  /** What to do. */
  readonly remedy: string

  constructor(reason: string, remedy: string, options?: ErrorOptions) {
    super(reason, options)
    this.remedy = remedy
  }
}

/** Of a system for which there is no build, before anything is tried. */
export function unsupportedSystem(platform: string, architecture: string): LoadFailure | undefined {
  if (platform !== 'linux') {
    return new LoadFailure(
      `io_uring is a part of Linux; this is ${platform}`,
      'run on Linux, in a virtual machine or a container where need be; elsewhere use node:fs',
    )
  }
  if (ARCHITECTURES.includes(architecture)) return undefined
  return new LoadFailure(
    `there is no build of the native addon for linux-${architecture}`,
    `use a build of Node for ${ARCHITECTURES.join(' or ')}`,
  )
}

/** Of an addon that was made for another version of this package, or is none of ours. */
export function otherVersion(version: string | undefined, override: string | undefined): LoadFailure {
  const found = version === undefined ? 'is none of this package' : `is of version ${version}`
  const remedy =
    override === undefined ? `install uring-safe-cancel and its addon anew: both ${VERSION}` : UNSET
  return new LoadFailure(`the native addon that was found ${found}; version ${VERSION} is needed`, remedy)
}

/** Makes sense of what the loader, which tries several files, threw. `override`: what {@link OVERRIDE} says. */
export function explainLoad(error: unknown, system: string, override?: string): LoadFailure {
  const tried = errors(error)
  const fail = (reason: string, remedy: string) => new LoadFailure(reason, remedy, { cause: error })
  const addon = `the native addon for ${system}`
  const broken = tried.find(
    ({ message }) => !NOT_FOUND.test(message) && !message.startsWith('Cannot find native'),
  )
  const text = broken?.message ?? ''
  if (/loading addons is disabled/i.test(text)) {
    return fail(
      `${addon} may not be loaded: Node was started with --no-addons, or with --permission and without --allow-addons`,
      'start it with --allow-addons, or without --no-addons',
    )
  }
  if (/too many open files/i.test(text)) {
    return fail(
      `${addon} cannot be loaded: this process has no descriptor left`,
      'close descriptors, or raise their limit (ulimit -n)',
    )
  }
  if (/^Requires \w+ access/.test(text)) {
    return fail(`${addon} may not be loaded: ${text}`, 'start Deno with --allow-ffi --allow-read --allow-env')
  }
  if (override !== undefined) {
    return fail(
      `${OVERRIDE} names ${override}, which cannot be loaded: ${tried.at(-1)?.message ?? ''}`,
      UNSET,
    )
  }
  if (tried.length > 0 && tried.every(isBundled)) {
    return fail(
      `the files of uring-safe-cancel are not where it looks for ${addon}: is the program bundled?`,
      'tell the bundler that uring-safe-cancel is external (esbuild: --external:uring-safe-cancel), and install it beside',
    )
  }
  const name = PACKAGE.exec(tried.map(({ message }) => message).join('\n'))?.[0] ?? `package for ${system}`
  if (broken !== undefined) {
    return fail(
      `${addon} is there, but cannot be loaded: ${text}`,
      `install ${name} anew; it needs glibc 2.17 or musl 1.2.3, or newer`,
    )
  }
  if (tried.some(({ message }) => /node_modules.*\.node'/.test(message))) {
    return fail(`${name} is installed, but its file is missing`, `install ${name} anew`)
  }
  return fail(
    `${addon} is not installed: there is no ${name}`,
    'run npm install on this system, with optional dependencies (without --omit=optional); if node_modules or the ' +
      'lock file come from another system, remove them first',
  )
}

/** Whether it says that the package's own files are not found, or that there is no place to look from. */
function isBundled({ message, code }: Tried): boolean {
  return /#binding|binding\.cjs/.test(message) || code === 'ERR_INVALID_ARG_VALUE'
}

interface Tried {
  message: string
  code: unknown
}

/** An error and its causes: the first lines of their messages. */
function errors(error: unknown): Tried[] {
  const found: Tried[] = []
  for (let at = error; at instanceof Error; at = at.cause) {
    found.push({ message: at.message.split('\n')[0] ?? '', code: 'code' in at ? at.code : undefined })
  }
  return found
}
