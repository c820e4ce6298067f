/** Why the native addon could not be loaded, and what to do. */

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

/** Makes sense of what the loader, which tries several files, threw. */
export function explainLoad(error: unknown, system: string): LoadFailure {
  const tried = messages(error)
  const name = PACKAGE.exec(tried.join('\n'))?.[0] ?? `the package for ${system}`
  const broken = tried.find(
    (message) => !NOT_FOUND.test(message) && !message.startsWith('Cannot find native'),
  )
  if (broken !== undefined && /too many open files/i.test(broken)) {
    return new LoadFailure(
      `the native addon for ${system} cannot be loaded: this process has no descriptor left`,
      'close descriptors, or raise their limit (ulimit -n)',
      { cause: error },
    )
  }
  if (broken !== undefined) {
    return new LoadFailure(
      `the native addon for ${system} is there, but cannot be loaded: ${broken}`,
      `install ${name} anew; it needs glibc 2.17 or musl 1.2.3, or newer`,
      { cause: error },
    )
  }
  return new LoadFailure(
    `the native addon for ${system} is not installed: there is no ${name}`,
    'run npm install on this system, with optional dependencies (without --omit=optional); if node_modules or the ' +
      'lock file come from another system, remove them first',
    { cause: error },
  )
}

/** The messages of an error and its causes. */
function messages(error: unknown): string[] {
  const found: string[] = []
  for (let at = error; at instanceof Error; at = at.cause) found.push(at.message.split('\n')[0] ?? '')
  return found
}
