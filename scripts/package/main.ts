/** The whole run: packs, installs, and checks. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { Cache } from '../common/cache.js'
import { demand, mustRun } from '../common/commands.js'
import { Missing } from '../common/failure.js'
import type { Target } from '../prebuilt/targets.js'
import { Checks } from './checks.js'
import { checkRuntime } from './on-runtime.js'
import { HELP, type Options, parseOptions, UsageError } from './options.js'
import { install, installScripts, lay } from './project.js'
import { examplesIn } from './readme.js'
import { fetchRuntime } from './runtimes.js'
import { builtTargets, expectedFiles, expectedTargetFiles, pack, stage, type Tarball } from './tarballs.js'
import { compile, layPrograms, RESOLUTIONS } from './typescript.js'

/** EX_USAGE and EX_UNAVAILABLE of sysexits.h. */
const Exit = { PASSED: 0, FAILED: 1, USAGE: 64, UNAVAILABLE: 69 } as const

/** Below the repository, and ignored by git. */
const CACHE = '.cache/package'

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
  readonly #project: string

  constructor(options: Options, root: string) {
    this.#options = options
    this.#root = root
    this.#cache = new Cache(join(root, CACHE))
    this.#ground = join(this.#cache.root, 'ground')
    this.#project = join(this.#ground, 'project')
  }

  async run(): Promise<number> {
    for (const [program, name] of Object.entries({ npm: 'npm', tar: 'tar', mkfifo: 'coreutils' })) {
      demand(program, name)
    }
    const targets = builtTargets(this.#root)
    rmSync(this.#ground, { recursive: true, force: true })
    mkdirSync(this.#project, { recursive: true })
    await this.#checkPackages(targets)
    for (const runtime of this.#options.runtimes) {
      const program = await fetchRuntime(this.#cache, runtime)
      console.log(`\n${runtime.name}: ${runtime.package} ${runtime.version}`)
      await checkRuntime(this.#checks, this.#project, runtime, program)
    }
    if (this.#options.keep) console.log(`\nThe project is ${this.#project}`)
    else rmSync(this.#ground, { recursive: true })
    const { passed, failed } = this.#checks
    console.log(`\n${passed} passed, ${failed} failed`)
    return failed === 0 ? Exit.PASSED : Exit.FAILED
  }

  async #checkPackages(targets: readonly Target[]): Promise<void> {
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
    await this.#lint(root)
    await this.#install(root, others)
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

  async #install(root: Tarball, targets: readonly Tarball[]): Promise<void> {
    const own = `uring-safe-cancel-linux-${process.arch}-gnu`
    await this.#checks.check('npm installs the tarballs, and of the addons the one that fits', async () => {
      const installed = await install(this.#project, root, targets)
      assert.deepEqual(installed, [root.name, own])
      for (const name of installed) assert.deepEqual(installScripts(this.#project, name), [])
    })
    const readme = readFileSync(join(this.#project, 'node_modules', root.name, 'README.md'), 'utf8')
    const { whole, typed } = examplesIn(readme)
    lay(this.#project, 'example.mjs', { text: whole })
    lay(this.#project, 'import.mjs', { text: IMPORT })
    lay(this.#project, 'require.cjs', { text: REQUIRE })
    layPrograms(this.#root, this.#project, typed)
    for (const name of ['@types/node', 'undici-types']) {
      const path = join(this.#root, 'node_modules', name)
      lay(this.#project, `node_modules/${name}`, { path })
    }
    for (const resolution of RESOLUTIONS) {
      await this.#checks.check(`TypeScript compiles programs with ${resolution.name}`, () =>
        compile(this.#root, this.#project, resolution),
      )
    }
  }
}

function sizes({ files, packedBytes, unpackedBytes }: Tarball): string {
  const [packed, unpacked] = [packedBytes, unpackedBytes].map((bytes) => bytes.toLocaleString('en'))
  return `${files.length} files, ${packed} bytes packed, ${unpacked} unpacked`
}
