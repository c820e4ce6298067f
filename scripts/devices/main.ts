/** The whole run, from what has to be fetched to what it shows. */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { Cache } from '../common/cache.js'
import { demand } from '../common/commands.js'
import { configuredMirrors, demandKeyring, Suites } from '../common/debian.js'
import { Missing } from '../common/failure.js'
import { X64 } from '../kernels/architecture.js'
import { readConsole } from '../kernels/console.js'
import { layOut, pack, packBoot } from '../kernels/initramfs.js'
import { fetchKernel, type Kernel, type MissingKernel } from '../kernels/kernel.js'
import { fetchNode } from '../kernels/node-package.js'
import { UsageError } from '../kernels/options.js'
import { describe } from '../kernels/outcome.js'
import { inParallel } from '../kernels/pool.js'
import { buildHelpers } from '../kernels/programs.js'
import { boot, qemuVersion } from '../kernels/qemu.js'
import { LIBRARY_PACKAGES, LIBRARY_SUITES } from '../kernels/series.js'
import { Host } from './host.js'
import { machineArguments } from './machine.js'
import { isLate, MODULES } from './modules.js'
import { DEFAULT_SERIES, HELP, type Options, parseOptions } from './options.js'
import { type Plan, planFor } from './plan.js'
import { describeRow, formatReport } from './report.js'
import { titleOf } from './row.js'
import { hasWrongClock, judge, judgeRows, type OnKernel, type Outcome } from './verdict.js'

/** EX_USAGE and EX_UNAVAILABLE of sysexits.h. */
const Exit = { HELD: 0, FAILED: 1, USAGE: 64, UNAVAILABLE: 69 } as const

/** That of test:kernels: the packages are the same, or lie beside those. */
const CACHE = '.cache/kernels'
const DISK_BYTES = 2 * 2 ** 30
const PAGE = 'docs/devices.md'
const NODE = '20'
/** The kernels for all machines: those for virtual ones have no USB. */
const FLAVOUR = 'amd64'
/** From power on to the driver, beside other work on the host. */
const BOOT_SECONDS = 180
/** Where nothing provokes it, QEMU's fault is rare (scripts/kernels/console.ts). */
const BOOT_ATTEMPTS = 3

/** Runs the command, and gives back its exit status. */
export async function main(args: readonly string[], root: string): Promise<number> {
  try {
    const options = parseOptions(args)
    if (options.help) {
      console.log(HELP)
      return Exit.HELD
    }
    if (options.list) {
      list(options)
      return Exit.HELD
    }
    return await new Run(options, root).run(args)
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`test:devices: ${error.message}\n\n${HELP}`)
      return Exit.USAGE
    }
    if (error instanceof Missing) {
      console.error(`test:devices: ${error.message}`)
      return Exit.UNAVAILABLE
    }
    throw error
  }
}

function list({ series, only = /^/ }: Options): void {
  for (const { name } of series) {
    const { rows, absent, steps } = planFor(name, only)
    console.log(`${name}:`)
    for (const { device, row } of rows) console.log(`  ${titleOf(device, row)}`)
    for (const { device, why } of absent) console.log(`  ${device}: not there, ${why}`)
    for (const step of steps.filter(({ reading }) => reading !== 'json lines')) console.log(`  ${step.name}`)
  }
}

class Run {
  readonly #options: Options
  readonly #root: string
  readonly #package: string
  readonly #cache: Cache

  constructor(options: Options, root: string) {
    this.#options = options
    this.#root = root
    this.#package = options.package === undefined ? root : resolve(options.package)
    this.#cache = new Cache(join(root, CACHE))
  }

  async run(args: readonly string[]): Promise<number> {
    demand(X64.qemu.program, X64.qemu.package)
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
    for (const name of ['dist/index.js', 'binding.cjs']) {
      if (!existsSync(join(this.#package, name)))
        throw new Missing(`${this.#package} has no ${name}: npm run build`)
    }
    const { only = /^/ } = this.#options
    const plans = this.#options.series.map((series) => ({ series, plan: planFor(series.name, only) }))
    if (plans.every(({ plan }) => plan.steps.length === 1))
      throw new UsageError('--only matches no row and no step')
    const kernels = await this.#fetchKernels()
    const archive = await this.#prepare()
    const outcomes: Outcome[] = await inParallel(kernels, this.#options.jobs, async (kernel) => {
      const found = plans.find(({ series }) => series.name === kernel.series)
      return 'image' in kernel && found !== undefined
        ? await this.#boot(kernel, archive, found.plan)
        : (kernel as MissingKernel)
    })
    return this.#conclude(outcomes, args)
  }

  async #fetchKernels(): Promise<(Kernel | MissingKernel)[]> {
    const mirror = await configuredMirrors(this.#cache)
    const kernels: (Kernel | MissingKernel)[] = []
    for (const series of this.#options.series) {
      const wanted = { name: X64.name, debian: X64.debian, kernelFlavour: FLAVOUR }
      const kernel = await fetchKernel(this.#cache, mirror, series, wanted, MODULES)
      say(
        `${series.name}: ${'image' in kernel ? `${kernel.package.name} ${kernel.package.version}` : kernel.why}`,
      )
      kernels.push(kernel)
    }
    return kernels
  }

  /** What all boots share. */
  async #prepare(): Promise<string> {
    const wanted = X64.nodes[NODE]
    if (wanted === undefined) throw new Missing(`there is no Node ${NODE}`)
    const node = await fetchNode(this.#cache, wanted)
    const libraries = await this.#fetchLibraries()
    const programs = {
      rustSuites: new Map<string, string>(),
      helpers: await buildHelpers(this.#root),
      strip: 'strip',
    }
    const tree = this.#cache.scratch('tree')
    const scripts = join(this.#root, 'scripts/devices')
    await layOut(
      {
        root: this.#root,
        packageRoot: this.#package,
        init: join(scripts, 'guest/init.sh'),
        config: join(scripts, 'tsconfig.guest.json'),
        programs,
        addon: undefined,
        node,
        libraries,
      },
      tree,
    )
    writeFileSync(join(tree, 'late'), MODULES.filter(isLate).join('\n'))
    const archive = join(this.#cache.scratch('shared'), 'cpio')
    await pack(tree, archive)
    rmSync(tree, { recursive: true })
    return archive
  }

  async #fetchLibraries(): Promise<string[]> {
    const mirror = await configuredMirrors(this.#cache)
    const suites = new Suites(this.#cache, mirror, LIBRARY_SUITES, X64.debian)
    await suites.update()
    const directories: string[] = []
    for (const name of LIBRARY_PACKAGES) {
      const directory = await suites.unpacked(await suites.newest(name))
      if (directory === undefined) throw new Missing(`the Debian mirror lists ${name}, but does not have it`)
      directories.push(directory)
    }
    return directories
  }

  /** Boots a kernel; again, for all of it, where QEMU was at fault: devices remember what was done to them. */
  async #boot(kernel: Kernel, archive: string, plan: Plan, attempt = 1): Promise<OnKernel> {
    const outcome = await this.#bootOnce(kernel, archive, plan)
    const { isEmulatorsFault, tail } = outcome.transcript
    const faults = [
      ...(isEmulatorsFault ? [`QEMU broke the kernel's code (int3)\n${tail}`] : []),
      ...(hasWrongClock(outcome) ? ["the guest's clock runs wrong"] : []),
    ]
    if (faults.length === 0 || attempt === BOOT_ATTEMPTS) return outcome
    say(`${kernel.series}: boot ${attempt + 1} of ${BOOT_ATTEMPTS}: ${faults.join('; ')}`)
    return this.#boot(kernel, archive, plan, attempt + 1)
  }

  async #bootOnce(kernel: Kernel, archive: string, plan: Plan): Promise<OnKernel> {
    const nonce = randomUUID()
    const directory = this.#cache.scratch(`boot-${kernel.series}`)
    const initrd = await packBoot(archive, kernel, { nonce, steps: [...plan.steps] }, directory)
    const disk = join(directory, 'disk')
    writeFileSync(disk, '')
    truncateSync(disk, DISK_BYTES)
    // The path of a socket has at most 107 characters.
    const sockets = mkdtempSync(join(tmpdir(), 'devices-'))
    const host = new Host(sockets)
    const limitSeconds = plan.steps.reduce((sum, step) => sum + step.limitSeconds, BOOT_SECONDS)
    try {
      const booting = boot(
        X64,
        { image: kernel.image, initrd, disk },
        {
          processor: X64.processors[0] ?? '',
          limitSeconds,
          devices: machineArguments(sockets),
          onOutput: (text) => {
            if (this.#options.verbose) process.stdout.write(text)
          },
        },
      )
      // Where QEMU never comes up, its console says why.
      host.serve().catch((error: unknown) => say(`${kernel.series}: the host's end: ${String(error)}`))
      const { console: output, ...ended } = await booting
      const transcript = readConsole(output, nonce)
      const planned = plan.steps.map(({ name }) => name)
      const { version } = kernel.package
      const outcome: OnKernel = { series: kernel.series, version, planned, plan, transcript, ...ended }
      this.#tell(outcome)
      return outcome
    } finally {
      host.stop()
      rmSync(sockets, { recursive: true, force: true })
      rmSync(directory, { recursive: true, force: true })
    }
  }

  #tell(outcome: OnKernel): void {
    const { series, transcript, seconds } = outcome
    say(`${series}: ${transcript.kernel ?? 'no driver ran'}, ${Math.round(seconds)} s`)
    for (const judged of judgeRows(outcome)) console.log(`  ${describeRow(judged)}`)
    for (const result of transcript.results) {
      if (Array.isArray(result.json)) console.log(`  ${result.name}: ${result.seconds} s`)
      else console.log(`  ${describe(result)}${result.tail === undefined ? '' : `\n${result.tail}`}`)
    }
  }

  async #conclude(outcomes: readonly Outcome[], args: readonly string[]): Promise<number> {
    const { series, only, write } = this.#options
    const { passed, failed, failures } = judge(outcomes)
    const telling = args.filter((arg) => arg !== '--verbose')
    const page = formatReport(outcomes, {
      date: new Date(),
      command: ['npm run test:devices', ...(telling.length > 0 ? ['--', ...telling] : [])].join(' '),
      qemu: await qemuVersion(X64),
      qemuArguments: [...X64.qemu.args, '-cpu', X64.processors[0] ?? ''],
      host: release(),
    })
    const names = new Set(series.map(({ name }) => name))
    const isWhole = DEFAULT_SERIES.every((name) => names.has(name)) && only === undefined
    const isOurs = this.#package === this.#root
    if (write ?? (isWhole && isOurs)) {
      writeFileSync(join(this.#root, PAGE), page)
      say(`${PAGE} is written.`)
    } else {
      say(`${PAGE} stays as it is: ${write === false ? 'as asked for' : 'not all was run'}.`)
    }
    for (const failure of failures) console.log(`FAILED: ${failure}`)
    console.log(`\n${passed} passed, ${failed} failed`)
    return failed === 0 ? Exit.HELD : Exit.FAILED
  }
}

function say(text: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)} ${text}`)
}
