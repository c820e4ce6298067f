/**
 * Debian's packages, by apt: it knows the mirror and the proxy of this machine, and checks signatures. Its state is
 * private: the machine's own lists and sources stay as they are.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Cache } from './cache.js'
import { demand, mustRun, run } from './commands.js'
import { Missing } from './failure.js'
import { type DebianPackage, parseIndex } from './package-index.js'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Where the packages come from. */
export interface Mirror {
  main: string
  security: string
}

/** The mirrors that apt uses on this machine, from what `apt-get update --print-uris` prints. */
export function mirrorsIn(uris: string): Mirror {
  const bases = [...uris.matchAll(/^'([^']+?)\/dists\/[^']+\/InRelease'/gm)].map(([, base = '']) => base)
  const find = (end: string, what: string) => {
    const found = bases.find((base) => base.endsWith(end))
    if (found === undefined) throw new Missing(notConfigured(end, what))
    return found
  }
  return {
    main: find('/debian', 'Debian'),
    security: find('/debian-security', "Debian's security updates"),
  }
}

/** Here none is named: which one is near, or to be reached at all, only the machine's own configuration knows. */
function notConfigured(end: string, what: string): string {
  return (
    `apt knows no mirror of ${what} (an address that ends with ${end}): add Debian's sources to /etc/apt/sources.list.d, ` +
    `as Debian's images have them; where they are not to be the machine's own, let APT_CONFIG name a configuration with them`
  )
}

export async function configuredMirrors(cache: Cache): Promise<Mirror> {
  demand('apt-get', 'apt (on Debian or Ubuntu: it fetches packages of Debian)')
  // With lists at hand apt would print the address that the last one was redirected to.
  const lists = cache.scratch('no-lists')
  const options = ['-o', `Dir::State::lists=${lists}`]
  const { stdout } = await run('apt-get', [...options, 'update', '--print-uris'])
  return mirrorsIn(stdout)
}

/** What apt wrote when a suite is not, or no longer, on the mirror (and not: the mirror does not answer). */
export function isGone(complaint: string): boolean {
  return /\b404\b|does not have a Release file|no longer has a Release file/.test(complaint)
}

/** Some suites of Debian, for one architecture. */
export class Suites {
  readonly #options: string[]
  readonly #names: readonly string[]
  readonly #architecture: string
  readonly #state: string
  readonly #cache: Cache

  constructor(cache: Cache, mirror: Mirror, names: readonly string[], architecture: string) {
    this.#cache = cache
    this.#names = names
    this.#architecture = architecture
    this.#state = join(cache.root, 'apt', `${names.join('+')}-${architecture}`)
    const make = (name: string) => {
      const path = join(this.#state, name)
      mkdirSync(path, { recursive: true })
      return path
    }
    const [state, lists, archives] = [make('state'), make('lists/partial'), make('cache/archives/partial')]
    const sources = join(this.#state, 'sources.list')
    const lines = names.map((name) => {
      const base = name.endsWith('-security') ? mirror.security : mirror.main
      return `deb [arch=${architecture} signed-by=${KEYRING}] ${base} ${name} main\n`
    })
    writeFileSync(sources, lines.join(''))
    // The status of the machine's own packages is none of our business.
    writeFileSync(join(state, 'status'), '')
    this.#options = Object.entries({
      'Dir::State': state,
      'Dir::State::status': join(state, 'status'),
      'Dir::State::lists': join(lists, '..'),
      'Dir::Cache': join(archives, '../..'),
      'Dir::Etc::sourcelist': sources,
      'Dir::Etc::sourceparts': '-',
      'APT::Architecture': architecture,
      'APT::Architectures': architecture,
      // Suites of old releases are not signed anew.
      'Acquire::Check-Valid-Until': 'false',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '3',
      'APT::Sandbox::User': 'root',
    }).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  }

  /**
   * Fetches the indexes. Where the mirror has none of these suites any more, the answer says so; where it does not
   * answer, this throws.
   */
  async update(): Promise<string | undefined> {
    const { status, stderr } = await run('apt-get', [...this.#options, '--quiet', 'update'])
    const complaints = stderr.split('\n').filter((line) => /^[EW]: (?!Some index files)/.test(line))
    const [first = ''] = complaints
    const broken = complaints.find((line) => /Failed to fetch|does not have/.test(line) && !isGone(line))
    if (broken !== undefined || (status !== 0 && complaints.every((line) => !isGone(line)))) {
      throw new Missing(`the Debian mirror does not answer: ${broken ?? (first || `apt-get: ${status}`)}`)
    }
    return status === 0 ? undefined : first
  }

  /** The packages whose names contain the text. */
  async list(part: string): Promise<DebianPackage[]> {
    const names = await mustRun('apt-cache', [...this.#options, 'search', '--names-only', part])
    const found = names.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ')[0] ?? '']))
    if (found.length === 0) return []
    return parseIndex(await mustRun('apt-cache', [...this.#options, 'show', ...found]))
  }

  /** The newest version of a package. */
  async newest(name: string): Promise<DebianPackage> {
    const text = await mustRun('apt-cache', [...this.#options, 'show', '--no-all-versions', name])
    const [found] = parseIndex(text)
    if (found === undefined) throw new Missing(`${this.#names.join(', ')} hold no package ${name}`)
    return found
  }

  /** Where the package's files lie, unpacked; undefined if the mirror lists it, but answers 404. */
  async unpacked(wanted: DebianPackage, patterns?: readonly string[]): Promise<string | undefined> {
    const version = wanted.version.replaceAll(':', '%3a')
    // Other files of the package are another directory.
    const part = patterns && createHash('sha256').update(patterns.join('\n')).digest('hex').slice(0, 8)
    const parts = [wanted.name, version, this.#architecture, ...(part === undefined ? [] : [part])]
    const name = `packages/${parts.join('_')}`
    mkdirSync(join(this.#cache.root, 'packages'), { recursive: true })
    try {
      return await this.#cache.directory(name, async (directory) => {
        await this.#unpack(await this.#download(wanted), directory, patterns)
      })
    } catch (error) {
      if (error instanceof NotThere) return undefined
      throw error
    }
  }

  async #download({ name, version }: DebianPackage): Promise<string> {
    const directory = this.#cache.scratch('download')
    const args = [...this.#options, '--quiet', 'download', `${name}=${version}`]
    const { status, stderr } = await run('apt-get', args, { cwd: directory })
    const file = readdirSync(directory).find((entry) => entry.endsWith('.deb'))
    if (status === 0 && file !== undefined) return join(directory, file)
    if (isGone(stderr)) throw new NotThere(stderr)
    throw new Missing(`the Debian mirror does not give ${name} ${version}: ${stderr.trim().split('\n')[0]}`)
  }

  async #unpack(deb: string, directory: string, patterns?: readonly string[]): Promise<void> {
    if (patterns === undefined) {
      await mustRun('dpkg-deb', ['-x', deb, directory])
      return
    }
    // dpkg-deb unpacks all or nothing, and a kernel has thousands of modules.
    const script =
      'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --wildcards "${@:3}" 2>/dev/null'
    const { status } = await run('bash', ['-c', script, 'unpack', deb, directory, ...patterns])
    // tar ends with 2 where a pattern matches nothing; whoever asked sees what there is.
    if (status !== 0 && status !== 2) throw new Error(`${deb} cannot be unpacked: ${status}`)
  }
}

class NotThere extends Error {}

/** Whether the keys of Debian's archive are at hand. */
export function demandKeyring(): void {
  if (!existsSync(KEYRING)) {
    throw new Missing(`${KEYRING} is missing: apt-get install debian-archive-keyring (on Debian or Ubuntu)`)
  }
}
