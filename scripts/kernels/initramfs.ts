/** The files of the guest: a tree that all kernels share, and a small one of each boot. Both end in one archive. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, relative } from 'node:path'

import { mustRun } from '../common/commands.js'
import type { MuslNode } from '../common/musl-node.js'
import type { Job } from './job.js'
import type { Kernel } from './kernel.js'
import type { Programs } from './programs.js'
import { sorted } from '../common/sorted.js'
import { laySystem } from '../common/system-tree.js'
import { AVA_SUITES, GUEST_FIXTURES, GUEST_PACKAGES } from './suites.js'

export interface Contents {
  /** The repository. */
  root: string
  /** Another checkout, whose package as it was built there is run. */
  packageRoot?: string
  /** What makes the machine ready and runs the driver; else that of test:kernels. */
  init?: string
  /** What is compiled for the guest: a tsconfig.json. */
  config?: string
  programs: Programs
  /** A package with an addon that was not built by this machine for itself. */
  addon: string | undefined
  /** The program, or a Node for musl. */
  node: string | MuslNode
  /** The unpacked packages of the libraries and of the shell. */
  libraries: readonly string[]
}

/** Where the programs lie in the guest. */
export const PROGRAMS = '/app/programs'

/** Files and directories of the package that Node loads. */
const PACKAGE = ['package.json', 'dist', 'binding.cjs']

/**
 * Lays the tree that all boots share into an empty directory. The tests are compiled here: in the guest that would take
 * longer than to run them.
 */
export async function layOut(contents: Contents, tree: string): Promise<void> {
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'etc', 'root', 'app']) mkdirSync(join(tree, name))
  laySystem(contents.libraries, tree)
  writeFileSync(
    join(tree, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/sh\n',
  )
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
  writeFileSync(join(tree, 'etc/hosts'), '127.0.0.1 localhost\n')
  layOutNode(contents.node, tree)
  cpSync(contents.init ?? join(contents.root, 'scripts/kernels/guest/init.sh'), join(tree, 'init'))
  chmodSync(join(tree, 'init'), 0o755)
  await layOutPackage(contents, join(tree, 'app'))
  await layOutPrograms(contents.programs, join(tree, PROGRAMS))
}

function layOutNode(node: string | MuslNode, tree: string): void {
  const path = join(tree, 'usr/bin/node')
  if (typeof node === 'string') {
    cpSync(node, path)
  } else {
    // Programs for glibc run beside it.
    cpSync(node.directory, join(tree, 'opt/node'), { recursive: true })
    // What is fetched is its owner's alone, and tests run it as another user.
    chmodSync(join(tree, 'opt/node'), 0o755)
    cpSync(node.libc, join(tree, 'usr/lib', node.loader))
    symlinkSync(join('/opt/node', node.program), path)
  }
}

async function layOutPackage(
  { root, addon, packageRoot = root, config = join(root, 'scripts/kernels/tsconfig.guest.json') }: Contents,
  app: string,
): Promise<void> {
  const addons = addon === undefined ? readdirSync(packageRoot).filter((name) => name.endsWith('.node')) : []
  if (addon !== undefined) {
    const { name } = JSON.parse(readFileSync(join(addon, 'package.json'), 'utf8')) as { name: string }
    cpSync(addon, join(app, 'node_modules', name), { recursive: true })
  }
  for (const name of [...PACKAGE, ...addons])
    cpSync(join(packageRoot, name), join(app, name), { recursive: true })
  for (const path of await installedPackages(root)) {
    cpSync(path, join(app, relative(root, path)), { recursive: true })
  }
  await mustRun(join(root, 'node_modules/.bin/tsc'), ['-p', config, '--outDir', app], { cwd: root })
  for (const name of GUEST_FIXTURES) cpSync(join(root, name), join(app, name))
  writeFileSync(join(app, 'ava.config.js'), AVA_CONFIG)
}

/** The directories of the packages that the tests need, with all they depend on. */
async function installedPackages(root: string): Promise<string[]> {
  const ids = GUEST_PACKAGES.map((name) => `#${name}`)
  const selector = ids.flatMap((id) => [id, `${id} *`]).join(', ')
  const found = JSON.parse(await mustRun('npm', ['query', selector], { cwd: root })) as { path: string }[]
  // Optional ones of other platforms are not there. Nested ones come with the package that they lie in.
  return found.map(({ path }) => path).filter((path) => existsSync(path))
}

/** As at home, but without TypeScript, and with patience: emulation is ten to thirty times slower. */
const AVA_CONFIG = `export default {
  files: ['__test__/**/*.{test,guest}.js'],
  nodeArguments: ['--expose-gc'],
  workerThreads: false,
  serial: true,
  timeout: '10m',
}
`

async function layOutPrograms(
  { rustSuites, stress, helpers, strip }: Programs,
  directory: string,
): Promise<void> {
  mkdirSync(directory, { recursive: true })
  const named = [...rustSuites, ...helpers]
  if (stress !== undefined) named.push([basename(stress), stress])
  for (const [name, path] of named) {
    // Symbols stay, for the names in a panic; debug information would be ten times the program.
    await mustRun(strip, ['--strip-debug', '-o', join(directory, name), path])
  }
}

/** The suites of ava among the compiled files, sorted. */
export function avaSuites(tree: string): string[] {
  const files = readdirSync(join(tree, 'app/__test__')).map((file) => basename(file, '.js'))
  return sorted(files.filter((name) => AVA_SUITES.some((suite) => suite.test(name))))
}

/** Packs a tree as Linux unpacks it. */
export async function pack(tree: string, archive: string): Promise<void> {
  const script =
    'set -o pipefail; find . -print0 | sort -z | cpio --null --create --format=newc --owner=0:0 --quiet'
  await mustRun('bash', ['-c', `${script} > "$1"`, 'pack', archive], { cwd: tree })
}

/** Adds to the shared archive what is a boot's own: the job, and modules of its kernel. Linux unpacks both in turn. */
export async function packBoot(shared: string, kernel: Kernel, job: Job, directory: string): Promise<string> {
  const tree = join(directory, 'tree')
  mkdirSync(tree, { recursive: true })
  writeFileSync(join(tree, 'job.json'), JSON.stringify(job))
  mkdirSync(join(tree, 'modules'))
  for (const module of kernel.modules) cpSync(module, join(tree, 'modules', basename(module)))
  const own = join(directory, 'own.cpio')
  await pack(tree, own)
  const whole = join(directory, 'initrd')
  await mustRun('bash', ['-c', 'cat "$1" "$2" > "$3"', 'join', shared, own, whole])
  return whole
}
