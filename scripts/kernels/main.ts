/** The whole run, from what has to be fetched to what it shows. */
import { randomUUID } from 'node:crypto'
import { existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { dirname, join } from 'node:path'

import { CACHE as PREBUILT_CACHE } from '../prebuilt/main.js'
import { addonOf, type Libc, TARGETS } from '../prebuilt/targets.js'
import type { Architecture } from './architecture.js'
import { Cache } from '../common/cache.js'
import { demand } from '../common/commands.js'
import { readConsole } from './console.js'
import { configuredMirrors, demandKeyring, Suites } from '../common/debian.js'
import { Missing } from '../common/failure.js'
import { fetchMuslNode, type MuslNode } from '../common/musl-node.js'
import { startHostLoad } from './host-load.js'
import { avaSuites, layOut, pack, packBoot } from './initramfs.js'
import type { Step } from './job.js'
import { fetchKernel, type Kernel, type MissingKernel } from './kernel.js'
import { fetchNode } from './node-package.js'
import { HELP, MUSL, type Options, parseOptions, UsageError } from './options.js'
import {
  type Booted,
  describe,
  failureOf,
  hasLostRaw,
  isBooted,
  merge,
  type Outcome,
  untilFault,
} from './outcome.js'
import {
  durations,
  probeStep,
  rustStepName,
  SEARCH_STEPS,
  searchAgainStep,
  stressSteps,
  suiteSteps,
} from './plan.js'
import { inParallel } from './pool.js'
import { buildForeignPrograms, buildPrograms, type Programs } from './programs.js'
import { boot, qemuVersion } from './qemu.js'
import { formatReport } from './report.js'
import { LIBRARY_PACKAGES, LIBRARY_SUITES, SERIES } from './series.js'
import { sorted } from '../common/sorted.js'
import { judge } from './verdict.js'

/** EX_USAGE and EX_UNAVAILABLE of sysexits.h. */
const Exit = { HELD: 0, FAILED: 1, USAGE: 64, UNAVAILABLE: 69 } as const

/** Below the repository, and ignored by git. */
const CACHE = '.cache/kernels'
/** The largest file of a test has half a GiB. Of the disk's own file only what was written takes room. */
const DISK_BYTES = 2 * 2 ** 30
const PAGE = 'docs/kernels.md'
/** From power on to the driver, beside other work on the host. */
const BOOT_SECONDS = 180
/** Where nothing provokes it, the fault is rare. */
const BOOT_ATTEMPTS = 3

/** Runs the command, and gives back its exit status. */
export async function main(args: readonly string[], root: string): Promise<number> {
  try {
    const options = parseOptions(args)
    if (options.help) {
      console.log(HELP)
      return Exit.HELD
    }
    return await new Run(options, root).run(args)
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`test:kernels: ${error.message}\n\n${HELP}`)
      return Exit.USAGE
    }
    if (error instanceof Missing) {
      console.error(`test:kernels: ${error.message}`)
      return Exit.UNAVAILABLE
    }
    throw error
  }
}

class Run {
  readonly #options: Options
  readonly #root: string
  readonly #architecture: Architecture
  readonly #cache: Cache

  constructor(options: Options, root: string) {
    this.#options = options
    this.#root = root
    this.#architecture = options.architecture
    this.#cache = new Cache(join(root, CACHE))
  }

  async run(args: readonly string[]): Promise<number> {
    const { qemu } = this.#architecture
    demand(qemu.program, qemu.package)
    for (const [program, name] of Object.entries({
      'apt-get': 'apt',
      cpio: 'cpio',
      'dpkg-deb': 'dpkg',
      npm: 'npm',
      strip: 'binutils',
      xz: 'xz-utils',
    })) {
      demand(program, name)
    }
    demandKeyring()
    const kernels = await this.#fetchKernels()
    const { archive, steps } = await this.#prepare()
    const outcomes: Outcome[] = await inParallel(kernels, this.#options.jobs, async (kernel) =>
      'image' in kernel ? await this.#boot(kernel, archive, steps) : kernel,
    )
    // As another processor, emulated, mode raw runs too, but has not been seen to lose anything: that is no failure there.
    const searched =
      !this.#architecture.isCross && steps.some(({ name }) => SEARCH_STEPS.some((search) => search === name))
    if (searched && !outcomes.some((outcome) => isBooted(outcome) && hasLostRaw(outcome))) {
      await this.#searchAgain(kernels, archive, outcomes)
    }
    return this.#conclude(outcomes, searched, args)
  }

  async #fetchKernels(): Promise<(Kernel | MissingKernel)[]> {
    const mirror = await configuredMirrors(this.#cache)
    const kernels: (Kernel | MissingKernel)[] = []
    for (const series of this.#options.series) {
      const kernel = await fetchKernel(this.#cache, mirror, series, this.#architecture)
      const what = 'image' in kernel ? `${kernel.package.name} ${kernel.package.version}` : kernel.why
      say(`${series.name}: ${what}`)
      kernels.push(kernel)
    }
    return kernels
  }

  /** What all boots share. */
  async #prepare(): Promise<{ archive: string; steps: Step[] }> {
    const node = await this.#fetchNode()
    const libraries = await this.#fetchLibraries()
    const { programs, addon } = await this.#build()
    const tree = this.#cache.scratch('tree')
    await layOut({ root: this.#root, programs, addon, node, libraries }, tree)
    const archive = join(this.#cache.scratch('shared'), 'cpio')
    await pack(tree, archive)
    const suites = { rust: sorted(programs.rustSuites.keys()), ava: avaSuites(tree) }
    rmSync(tree, { recursive: true })
    const { only = /^/, seconds } = this.#options
    const steps = [...suiteSteps(suites), ...stressSteps(durations(seconds))]
    return { archive, steps: [probeStep(), ...steps.filter(({ name }) => only.test(name))] }
  }

  async #fetchNode(): Promise<string | MuslNode> {
    const { node } = this.#options
    if (node === MUSL) return fetchMuslNode(this.#cache, this.#architecture.name)
    const wanted = this.#architecture.nodes[node]
    if (wanted === undefined) throw new UsageError(`there is no Node ${node}`)
    return fetchNode(this.#cache, wanted)
  }

  /** What runs in the guests. For a processor that is not this machine's, the addon is the prebuilt one. */
  async #build(): Promise<{ programs: Programs; addon: string | undefined }> {
    const { isCross, name } = this.#architecture
    if (!isCross) return { programs: await buildPrograms(this.#root), addon: undefined }
    const libc = this.#options.node === MUSL ? 'musl' : 'gnu'
    const find = (wanted: Libc) =>
      TARGETS.find((candidate) => candidate.name === `linux-${name}-${wanted}`) ?? raise(name)
    const [target, own] = [find('gnu'), find(libc)]
    const addon = join(this.#root, addonOf(own))
    if (!existsSync(addon)) {
      throw new Missing(`${addonOf(own)} is missing: npm run build:prebuilt -- --target ${own.name}`)
    }
    const cache = new Cache(join(this.#root, PREBUILT_CACHE))
    const { only = /^/ } = this.#options
    const isWanted = (suite: string) => only.test(rustStepName(suite))
    const programs = await buildForeignPrograms(this.#root, cache, target, isWanted)
    return { programs, addon: dirname(addon) }
  }

  async #fetchLibraries(): Promise<string[]> {
    const mirror = await configuredMirrors(this.#cache)
    const suites = new Suites(this.#cache, mirror, LIBRARY_SUITES, this.#architecture.debian)
    await suites.update()
    const directories: string[] = []
    for (const name of LIBRARY_PACKAGES) {
      const directory = await suites.unpacked(await suites.newest(name))
      if (directory === undefined) throw new Missing(`the Debian mirror lists ${name}, but does not have it`)
      directories.push(directory)
    }
    return directories
  }

  /** Boots a kernel; again, for the steps that are left, where QEMU was at fault and no step had failed. */
  async #boot(kernel: Kernel, archive: string, steps: readonly Step[], attempt = 1): Promise<Booted> {
    const outcome = await this.#bootOnce(kernel, archive, steps)
    const { isEmulatorsFault, results, tail } = outcome.transcript
    const hasFailed = results.some((result) => failureOf(result) !== undefined)
    if (!isEmulatorsFault || hasFailed || attempt === BOOT_ATTEMPTS) return outcome
    say(
      `${kernel.series}: QEMU broke the kernel's code (int3); boot ${attempt + 1} of ${BOOT_ATTEMPTS}\n${tail}`,
    )
    const rest = steps.filter(({ name }) => !results.some((result) => result.name === name))
    const next = await this.#boot(kernel, archive, rest, attempt + 1)
    return results.length === 0 ? next : merge(untilFault(outcome), next)
  }

  async #bootOnce(kernel: Kernel, archive: string, steps: readonly Step[]): Promise<Booted> {
    const nonce = randomUUID()
    const directory = this.#cache.scratch(`boot-${kernel.series}`)
    const initrd = await packBoot(archive, kernel, { nonce, steps: [...steps] }, directory)
    const disk = join(directory, 'disk')
    writeFileSync(disk, '')
    truncateSync(disk, DISK_BYTES)
    // A step has a limit of its own; this one is for a guest that does not even run those.
    const limitSeconds = steps.reduce((sum, step) => sum + step.limitSeconds, BOOT_SECONDS)
    const onOutput = (text: string) => {
      if (this.#options.verbose) process.stdout.write(text)
    }
    const { console: output, ...ended } = await boot(
      this.#architecture,
      { image: kernel.image, initrd, disk },
      { processor: this.#options.processor, limitSeconds, onOutput },
    )
    rmSync(directory, { recursive: true })
    const transcript = readConsole(output, nonce)
    const version = kernel.package.version
    const planned = steps.map(({ name }) => name)
    const outcome: Booted = { series: kernel.series, version, planned, transcript, ...ended }
    say(`${kernel.series}: ${transcript.kernel ?? 'no driver ran'}, ${Math.round(ended.seconds)} s`)
    for (const result of transcript.results) {
      say(`  ${describe(result)}`)
      if (result.tail !== undefined) console.log(result.tail)
    }
    return outcome
  }

  /** Nothing was lost anywhere: once more, with all that widens the window of the race. */
  async #searchAgain(
    kernels: readonly (Kernel | MissingKernel)[],
    archive: string,
    outcomes: Outcome[],
  ): Promise<void> {
    say('Mode raw lost nothing on any kernel: once more, with load on the host.')
    const stop = startHostLoad()
    try {
      for (const kernel of kernels) {
        if (!('image' in kernel)) continue
        const first = outcomes.find(({ series }) => series === kernel.series)
        const again = await this.#boot(kernel, archive, [searchAgainStep(this.#options.seconds)])
        if (first !== undefined && isBooted(first)) outcomes[outcomes.indexOf(first)] = merge(first, again)
      }
    } finally {
      stop()
    }
  }

  async #conclude(
    outcomes: readonly Outcome[],
    searchedForLoss: boolean,
    args: readonly string[],
  ): Promise<number> {
    const { series, only, write, seconds } = this.#options
    const { passed, failed, failures } = judge(outcomes, { searchedForLoss })
    const page = formatReport(outcomes, {
      date: new Date(),
      command: commandOf(args),
      qemu: await qemuVersion(this.#architecture),
      qemuArguments: [...this.#architecture.qemu.args, '-cpu', this.#options.processor],
      host: release(),
      seconds,
    })
    console.log(`\n${page}`)
    // The page is of the kernels of x64.
    const isWhole = series.length === SERIES.length && only === undefined && !this.#architecture.isCross
    if (only === undefined && (write ?? isWhole)) {
      writeFileSync(join(this.#root, PAGE), page)
      say(`${PAGE} is written.`)
    } else {
      say(`${PAGE} stays as it is: ${isWhole ? 'as asked for' : 'not all was run'}.`)
    }
    for (const failure of failures) console.log(`FAILED: ${failure}`)
    console.log(`\n${passed} passed, ${failed} failed`)
    return failed === 0 ? Exit.HELD : Exit.FAILED
  }
}

/** The command that was given, without what changes nothing but what it prints. */
function commandOf(args: readonly string[]): string {
  const telling = args.filter((arg) => arg !== '--verbose')
  return ['npm run test:kernels', ...(telling.length > 0 ? ['--', ...telling] : [])].join(' ')
}

function raise(name: string): never {
  throw new Missing(`there is no target for ${name}`)
}

function say(text: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)} ${text}`)
}
