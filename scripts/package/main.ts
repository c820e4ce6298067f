/** The whole run: packs, installs, and checks. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'

import { Cache } from '../common/cache.js'
import { demand, mustRun } from '../common/commands.js'
import { Missing } from '../common/failure.js'
import { sorted } from '../common/sorted.js'
import { addonOf, type Target, TARGETS } from '../prebuilt/targets.js'
import { Checks } from './checks.js'
import { makeEmulatedNode } from './emulated.js'
import { makeMuslNode } from './musl-root.js'
import { checkRuntime } from './on-runtime.js'
import { HELP, type Options, parseOptions, UsageError } from './options.js'
import { install, installScripts, lay } from './project.js'
import { examplesIn } from './readme.js'
import { manifestOf, Registry } from './registry.js'
import { fetchRuntime, platformOf, type Runtime } from './runtimes.js'
import { surround } from './surroundings.js'
import { builtTargets, expectedFiles, expectedTargetFiles, pack, stage, type Tarball } from './tarballs.js'
import { compile, layPrograms, RESOLUTIONS } from './typescript.js'
import { checkWithoutIoUring } from './without-io-uring.js'

/** EX_USAGE and EX_UNAVAILABLE of sysexits.h. */
const Exit = { PASSED: 0, FAILED: 1, USAGE: 64, UNAVAILABLE: 69 } as const

/** Below the repository, and ignored by git. */
const CACHE = '.cache/package'

/** What the package depends on. */
const DEPENDENCIES = ['typanion']

const IMPORT = `import { Ring } from 'uring-safe-cancel'\nconsole.log(Ring.isSupported())\n`
const REQUIRE = `const { Ring } = require('uring-safe-cancel')\nconsole.log(Ring.isSupported())\n`

/** Runs the command, and gives back its exit status. */
export async function main(args: readonly string[], root: string): Promise<number> {
  try {
    const options = parseOptions(args)
    if (options.help) {
      console.log(HELP)
      return Exit.PASSED
    }
    return await new Run(options, root).run()
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`test:package: ${error.message}\n\n${HELP}`)
      return Exit.USAGE
    }
    if (error instanceof Missing) {
      console.error(`test:package: ${error.message}`)
      return Exit.UNAVAILABLE
    }
    throw error
  }
}

class Run {
  readonly #options: Options
  readonly #root: string
  readonly #cache: Cache
  readonly #checks = new Checks()
  readonly #ground: string

  constructor(options: Options, root: string) {
    this.#options = options
    this.#root = root
    this.#cache = new Cache(join(root, CACHE))
    this.#ground = join(this.#cache.root, 'ground')
  }

  async run(): Promise<number> {
    for (const [program, name] of Object.entries({ npm: 'npm', tar: 'tar', mkfifo: 'coreutils' })) {
      demand(program, name)
    }
    const { runtimes } = this.#options
    const targets = builtTargets(this.#root, [...new Set(runtimes.map(platformOf))])
    rmSync(this.#ground, { recursive: true, force: true })
    mkdirSync(this.#ground, { recursive: true })
    await this.#checkPackages(targets, runtimes)
    for (const runtime of runtimes) await this.#checkRuntime(runtime)
    if (this.#options.keep) console.log(`\nThe projects are in ${this.#ground}`)
    else rmSync(this.#ground, { recursive: true })
    const { passed, failed } = this.#checks
    console.log(`\n${passed} passed, ${failed} failed`)
    return failed === 0 ? Exit.PASSED : Exit.FAILED
  }

  async #checkRuntime(runtime: Runtime): Promise<void> {
    const { name, packaged, version } = runtime
    const kind = isEmulated(runtime) ? ', emulated, without io_uring' : ''
    console.log(`\n${name}: ${packaged?.package ?? 'node for musl'} ${version}${kind}`)
    const project = this.#projectOf(runtime)
    if (isEmulated(runtime)) {
      const program = await makeEmulatedNode(this.#cache, this.#ground, runtime)
      await checkWithoutIoUring(surround(this.#checks, project, runtime, program))
      return
    }
    const program = packaged
      ? await fetchRuntime(this.#cache, packaged)
      : await makeMuslNode(this.#cache, this.#ground, project)
    await checkRuntime(runtime, surround(this.#checks, project, runtime, program))
  }

  #projectOf(runtime: Runtime): string {
    return join(this.#ground, `project-${platformOf(runtime)}`)
  }

  async #checkPackages(targets: readonly Target[], runtimes: readonly Runtime[]): Promise<void> {
    const staged = join(this.#ground, 'staged')
    mkdirSync(staged)
    await stage(this.#root, staged)
    const root = await pack(staged, this.#ground)
    await this.#checks.check(`${root.name}: its files are those that a user needs`, () => {
      assert.deepEqual(root.files, expectedFiles(this.#root))
      return sizes(root)
    })
    const others: Tarball[] = []
    for (const target of targets) {
      const packed = await pack(join(staged, 'npm', target.name), this.#ground)
      others.push(packed)
      await this.#checks.check(`${packed.name}: its files are those that a user needs`, () => {
        assert.deepEqual(packed.files, expectedTargetFiles(target))
        return sizes(packed)
      })
    }
    await this.#checkManifests(root, targets, others)
    await this.#lint(root)
    const dependencies = await Promise.all(
      DEPENDENCIES.map((name) => pack(join(this.#root, 'node_modules', name), this.#ground)),
    )
    const registry = await Registry.open([root, ...others, ...dependencies])
    // One project for all runtimes of a platform.
    const platforms = new Map(runtimes.map((runtime) => [platformOf(runtime), runtime]))
    try {
      for (const runtime of platforms.values()) await this.#install(root, registry, runtime)
    } finally {
      registry.close()
    }
  }

  /** What npm decides by: which packages it asks for, and which of them it takes. */
  async #checkManifests(
    root: Tarball,
    targets: readonly Target[],
    tarballs: readonly Tarball[],
  ): Promise<void> {
    const { version, optionalDependencies } = await manifestOf(root)
    await this.#checks.check(
      `${root.name}: it asks for the packages of all targets, of its own version`,
      () => {
        assert.deepEqual(
          optionalDependencies,
          Object.fromEntries(
            sorted(TARGETS.map(({ name }) => `${root.name}-${name}`)).map((name) => [name, version]),
          ),
        )
      },
    )
    for (const [index, target] of targets.entries()) {
      const tarball = tarballs[index]
      assert.ok(tarball)
      await this.#checks.check(`${tarball.name}: for its system, its processor, its libc`, async () => {
        const found = await manifestOf(tarball)
        const wanted = {
          version,
          os: ['linux'],
          cpu: [target.name.split('-')[1]],
          libc: [target.libc === 'gnu' ? 'glibc' : target.libc],
          main: basename(addonOf(target)),
        }
        assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((key) => [key, found[key]])), wanted)
      })
    }
  }

  async #lint(root: Tarball): Promise<void> {
    const bin = join(this.#root, 'node_modules/.bin')
    await this.#checks.check('publint', async () => {
      await mustRun(join(bin, 'publint'), ['--strict', root.path])
    })
    // It has no CommonJS: the oldest Node that it supports can require ES modules.
    await this.#checks.check('attw', async () => {
      await mustRun(join(bin, 'attw'), ['--profile', 'esm-only', root.path])
    })
  }

  async #install(root: Tarball, registry: Registry, runtime: Runtime): Promise<void> {
    const project = this.#projectOf(runtime)
    mkdirSync(project)
    const platform = platformOf(runtime)
    // This machine's npm says what it would take on another.
    const more = [`--cpu=${runtime.cpu}`, `--libc=${runtime.libc === 'gnu' ? 'glibc' : runtime.libc}`]
    const what = `npm install ${root.name}: of the addons it brings the one for ${platform}`
    await this.#checks.check(what, async () => {
      const installed = await install(project, registry.address, more)
      assert.deepEqual(installed, [root.name, `uring-safe-cancel-${platform}`])
      for (const name of installed) assert.deepEqual(installScripts(project, name), [])
    })
    lay(project, 'import.mjs', { text: IMPORT })
    lay(project, 'require.cjs', { text: REQUIRE })
    if (!isEmulated(runtime)) await this.#compile(root, project, platform)
  }

  async #compile(root: Tarball, project: string, platform: string): Promise<void> {
    const readme = readFileSync(join(project, 'node_modules', root.name, 'README.md'), 'utf8')
    const { whole, typed } = examplesIn(readme)
    lay(project, 'example.mjs', { text: whole })
    layPrograms(this.#root, project, typed)
    for (const name of ['@types/node', 'undici-types']) {
      const path = join(this.#root, 'node_modules', name)
      lay(project, `node_modules/${name}`, { path })
    }
    for (const resolution of RESOLUTIONS) {
      await this.#checks.check(`TypeScript compiles programs with ${resolution.name} (${platform})`, () =>
        compile(this.#root, project, resolution),
      )
    }
  }
}

/** As another processor there is no io_uring. */
function isEmulated({ cpu }: Runtime): boolean {
  return cpu !== process.arch
}

function sizes({ files, packedBytes, unpackedBytes }: Tarball): string {
  const [packed, unpacked] = [packedBytes, unpackedBytes].map((bytes) => bytes.toLocaleString('en'))
  return `${files.length} files, ${packed} bytes packed, ${unpacked} unpacked`
}
