/** `uring-safe-cancel doctor`, as it is called: on this machine, where io_uring is forbidden, and without the addon. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'

import test from 'ava'
import { Ring } from 'uring-safe-cancel'

import { faultsOf, isBefore, parseRelease, standing } from '../dist/src/commands/doctor/kernels.js'
import { lostCancelFault, lostCancelsOf } from '../dist/src/commands/doctor/mends.js'
import { refusalOf } from '../dist/src/commands/doctor/cause.js'
import { HOME, publicCopies, runProgram, sandbox } from './fixtures/programs.js'
import { type Examination, isExamination } from './doctor-schema.js'
import { directoryFor } from './helpers.js'

const CLI = 'dist/src/commands/cli.js'
const NOBODY = '65534'
/** The 14th bit of linux/capability.h. */
const CAP_IPC_LOCK = 2 ** 14
const { version: VERSION }: { version: string } = JSON.parse(readFileSync(join(HOME, 'package.json'), 'utf8'))

interface Outcome {
  status: number | null
  stdout: string
  stderr: string
}

interface Setting {
  /** Runs Node, with its arguments. */
  launcher?: string[]
  /** The package whose command it is. */
  home?: string
  node?: string
  nodeOptions?: string[]
}

async function doctor(args: string[], setting: Setting = {}): Promise<Outcome> {
  const { launcher = [], home = HOME, node = process.execPath, nodeOptions = [] } = setting
  const [program = node, ...rest] = [...launcher, node, ...nodeOptions, join(home, CLI), 'doctor', ...args]
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  const [ended, stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { status: ended[0], stdout, stderr }
}

/** Runs it with `--json`, and checks the document and the exit status. */
async function examination(setting?: Setting): Promise<Examination> {
  const { status, stdout, stderr } = await doctor(['--json'], setting)
  if (stderr !== '') throw new Error(stderr)
  const document: unknown = JSON.parse(stdout)
  const errors: string[] = []
  if (!isExamination(document, { errors })) throw new Error(errors.join('\n'))
  if (document.status !== status) throw new Error(`exits with ${status}, and says ${document.status}`)
  return document
}

test('here everything works: status 0, and --json says the same as Ring.probe', async (t) => {
  const found = await examination()
  const { operations, flags } = Ring.probe()
  t.like(found, {
    version: VERSION,
    ok: true,
    status: 0,
    operations,
    flags,
    kernel: { release: release() },
    addon: { loaded: true },
    trial: { ok: true },
  })
  t.like(found.runtime, { name: 'Node', version: process.versions.node, platform: 'linux' })
  t.is(found.refusal, undefined)
  t.deepEqual(
    new Set(found.fallbacks?.map(({ flag }) => flag)),
    new Set(Object.entries(flags).flatMap(([flag, isKnown]) => (isKnown ? [] : [flag]))),
  )
  const capabilities = /^CapEff:\t[\da-f]{8}([\da-f]{8})$/m.exec(
    readFileSync('/proc/self/status', 'utf8'),
  )?.[1]
  t.is(found.lockedMemory?.exempt, Math.floor(Number(`0x${capabilities}`) / CAP_IPC_LOCK) % 2 === 1)
  // The addon that the tests run on lies in the package's directory.
  const { path = '', origin, package: owner } = found.addon
  t.is(dirname(path), realpathSync(HOME))
  t.deepEqual({ origin, owner }, { origin: 'built here', owner: `uring-safe-cancel ${VERSION}` })
  // A trial that did nothing would say nothing of these.
  t.true((found.trial?.inFlight ?? 0) > 0)
  t.true((found.trial?.cancels ?? 0) > 0)
})

test('the text says the same in plain words, within the width of a terminal', async (t) => {
  const { status, stdout, stderr } = await doctor([])
  t.deepEqual({ status, stderr }, { status: 0, stderr: '' })
  const [first, ...lines] = stdout.split('\n')
  t.is(first, `uring-safe-cancel ${VERSION}: io_uring works here`)
  for (const label of ['runtime', 'kernel', 'addon', 'io_uring', 'operations', 'trial', 'kernel faults']) {
    t.true(
      lines.some((line) => line.startsWith(`  ${label.padEnd(14)}`)),
      label,
    )
  }
  t.true(stdout.includes(release()))
  t.false(stdout.includes('undefined'))
  const wide = lines.filter((line) => line.length > 100)
  t.true(wide.every((line) => !line.trim().includes(' ') || line.startsWith('  addon')))
})

for (const [errno, reason] of [
  ['EPERM', 'this process may not use it (EPERM)'],
  ['ENOSYS', 'ENOSYS'],
] as const) {
  test(`a seccomp filter answers ${errno}: status 2, by what, and what to do`, async (t) => {
    t.timeout(120_000, 'the launcher is built')
    const launcher = [await sandbox(), '--io-uring-errno', errno, '--']
    const found = await examination({ launcher })
    t.like(found, { ok: false, status: 2, addon: { loaded: true }, permissions: { seccompFilter: true } })
    t.like(found.refusal, { code: errno })
    // A kernel from before the sysctl does not tell whether it has io_uring itself.
    const isCertain = errno === 'EPERM' || found.permissions.ioUringDisabled !== undefined
    t.is(found.refusal?.by, isCertain ? 'seccomp' : 'seccomp or kernel')
    t.true(found.refusal?.reason.includes(reason))
    t.regex(found.refusal?.remedy ?? '', isCertain ? /^allow io_uring_setup, .* in the filter / : /./)
    t.is(found.trial, undefined)

    const { status, stdout } = await doctor([], { launcher })
    t.is(status, 2)
    t.regex(stdout, /^uring-safe-cancel \S+: no io_uring here\n/)
    t.regex(stdout, /\n {2}io_uring {6}no: .+\n {16}by: seccomp/)
  })
}

test('little locked memory: smaller rings, or none, and it says so', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const copies = await publicCopies()
  t.teardown(copies.remove)
  const version = parseRelease(release())
  for (const bytes of [65_536, 0]) {
    const launcher = [copies.launcher, '--uid', NOBODY, '--memlock', String(bytes), '--']
    const found = await examination({ launcher, home: copies.home, node: copies.node })
    t.like(found.lockedMemory, { soft: bytes, hard: bytes, exempt: false })
    if (found.lockedMemory?.counts === false) {
      t.log(`kernel ${version?.join('.')} does not count rings against the limit`)
      t.like(found.trial, { ok: true, inFlight: found.trial?.inFlightWanted, rings: undefined })
    } else if (bytes === 0) {
      t.like(found, { status: 2, refusal: { code: 'ENOMEM', by: 'memory' } })
    } else {
      t.like(found, { status: 0, trial: { ok: true } })
      const { inFlight = 0, inFlightWanted = 0 } = found.trial ?? {}
      t.true(inFlight > 0 && inFlight < inFlightWanted, `${inFlight} of ${inFlightWanted}`)
      const { stdout } = await doctor([], { launcher, home: copies.home, node: copies.node })
      t.regex(stdout, /holds \d+ operations in flight instead of 4092/)
      const { rings = 0, ringsWanted = 0 } = found.trial ?? {}
      t.true(rings > 0 && rings < ringsWanted, `${rings} of ${ringsWanted}`)
      t.regex(stdout, /\n {16}\d+ rings? at once fits? into the limit of locked memory: /)
    }
  }
})

test('the trial fails for want of descriptors: status 1, and which step it was', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const code = `
    import { closeSync, openSync } from 'node:fs'
    import { examine } from './dist/src/commands/doctor/examination.js'
    // The first ring of a process keeps what later ones use.
    await examine('')
    const found = []
    for (let free = 1; free <= 12; free += 1) {
      const taken = []
      try { for (;;) taken.push(openSync('/dev/null')) } catch {}
      for (let count = 0; count < free; count += 1) closeSync(taken.pop())
      found.push(await examine(''))
      for (const fd of taken) closeSync(fd)
    }
    console.log(JSON.stringify(found))`
  const launcher = [await sandbox(), '--nofile', '80', '--']
  const { output, errors } = await runProgram(code, { launcher })
  t.is(errors, '')
  const found: unknown[] = JSON.parse(output)
  const statuses = found.map((one) => {
    if (!isExamination(one)) throw new Error(JSON.stringify(one))
    const { status, trial, refusal } = one
    if (status === 1) t.regex(trial?.problem ?? '', /^EMFILE: too many open files, /)
    if (status === 2) t.like(refusal, { code: 'EMFILE', by: 'descriptors' })
    t.is(trial?.ok, status === 2 ? undefined : status === 0)
    return status
  })
  t.log(`with 1 to 12 descriptors left: ${statuses.join()}`)
  t.true(statuses.includes(1) && statuses.at(-1) === 0, statuses.join())
})

test('without the addon: status 3, what was tried, and all that can be told without it', async (t) => {
  const home = directoryFor(t)
  for (const name of ['package.json', 'dist', 'binding.cjs']) {
    cpSync(join(HOME, name), join(home, name), { recursive: true })
  }
  mkdirSync(join(home, 'node_modules'))
  cpSync(join(HOME, 'node_modules/typanion'), join(home, 'node_modules/typanion'), { recursive: true })
  const found = await examination({ home })
  t.like(found, { ok: false, status: 3, addon: { loaded: false }, kernel: { release: release() } })
  t.regex(found.addon.reason ?? '', /is not installed: there is no uring-safe-cancel-linux-/)
  t.regex(found.addon.remedy ?? '', /npm install/)
  t.true((found.addon.tried?.length ?? 0) > 1)
  t.is(found.trial, undefined)
  const { status, stdout, stderr } = await doctor([], { home })
  t.deepEqual({ status, stderr }, { status: 3, stderr: '' })
  t.regex(stdout, /^uring-safe-cancel \S+: the native addon cannot be loaded here\n/)
  t.regex(stdout, /\n {2}addon {9}the native addon .*(\n {16}.*)*\n {16}what to do: .*npm install/)
  t.regex(stdout, /\n {2}io_uring {6}unknown, for want of the addon/)
  // Nor does the other command get anywhere; it has no status of its own for that.
  const stress = spawn(process.execPath, [join(home, CLI), 'stress'], { stdio: 'ignore' })
  t.deepEqual(await once(stress, 'close'), [2, null])

  // And with the package that npm would have installed.
  const name = `uring-safe-cancel-linux-${process.arch}-gnu`
  const place = join(home, 'node_modules', name)
  const main = `uring-safe-cancel.linux-${process.arch}-gnu.node`
  mkdirSync(place)
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name, version: VERSION, main }))
  cpSync(join(HOME, main), join(place, main))
  const path = join(realpathSync(place), main)
  t.like(await examination({ home }), {
    status: 0,
    addon: { loaded: true, path, origin: 'prebuilt', package: `${name} ${VERSION}` },
  })
})

test('on another system than Linux: status 3, and it says so', async (t) => {
  const code = "Object.defineProperty(process, 'platform', { value: 'darwin' })"
  const nodeOptions = ['--import', `data:text/javascript,${encodeURIComponent(code)}`]
  const found = await examination({ nodeOptions })
  t.like(found, {
    ok: false,
    status: 3,
    addon: { loaded: false },
    runtime: { platform: 'darwin' },
    faults: [],
  })
  t.regex(found.addon.reason ?? '', /io_uring is a part of Linux; this is darwin/)
})

test('--help and --version, and wrong arguments with status 64', async (t) => {
  const help = await doctor(['--help'])
  t.is(help.status, 0)
  t.regex(help.stdout, /^Usage: uring-safe-cancel doctor \[options\]\n/)
  for (const status of [0, 1, 2, 3, 64]) t.regex(help.stdout, new RegExp(`^ {2}${status} +\\w`, 'm'))
  t.is((await doctor(['-h'])).stdout, help.stdout)
  t.is((await doctor(['--version'])).stdout, `${VERSION}\n`)
  for (const [args, message] of [
    [['--nonsense'], /--nonsense/],
    [['now'], /now/],
    [['--json=yes'], /--json/],
  ] as const) {
    const { status, stdout, stderr } = await doctor([...args])
    t.deepEqual({ status, stdout }, { status: 64, stdout: '' })
    t.regex(stderr, message)
    t.regex(stderr, /\nTry uring-safe-cancel doctor --help\n$/)
  }
})

const of = (name: string) => parseRelease(name) ?? [0, 0]
const faults = (name: string) => faultsOf(of(name)).map(({ id }) => id)

test('what is known of kernels by their version', (t) => {
  t.deepEqual(parseRelease('6.18.44-fc-v595'), [6, 18])
  t.is(parseRelease('Darwin'), undefined)
  t.true(isBefore([5, 10], [6, 1]) && isBefore([6, 1], [6, 12]) && !isBefore([6, 12], [6, 12]))
  t.deepEqual(
    ['5.9.1', '5.10.262', '5.15.0', '6.8.0-45-generic', '6.12.117+deb13', '7.3.4'].map((name) =>
      standing(of(name)),
    ),
    ['old', 'tested', 'untested', 'tested', 'tested', 'tested'],
  )
  t.deepEqual(faults('5.10.0'), ['spinning-worker', 'swapped-writes', 'async-eagain', 'no-timeout-update'])
  t.deepEqual(faults('6.1.0'), ['spinning-worker', 'swapped-writes'])
  t.deepEqual(faults('6.18.15'), [])
  // The kernels that count as tested are those that the record of the runs names.
  const record = readFileSync(join(HOME, 'docs/kernels.md'), 'utf8')
  const series = new Set([...record.matchAll(/^\| (\d+\.\d+)\./gm)].map(([, name = '']) => name))
  t.true(series.size >= 5)
  for (const name of series) t.is(standing(of(name)), 'tested', name)
})

/** What `uname -v` prints of Debian's kernels. */
const debian = (number: string) => `#1 SMP PREEMPT_DYNAMIC Debian ${number}-1 (2026-11-20)`

test('which release of each series has the mends of the lost cancel, and what it leaves to the library', (t) => {
  for (const [name, build, mended, number] of [
    ['7.4.0', '#1 SMP', 'all', '7.4.0'],
    ['7.3.4+deb13-cloud-amd64', debian('7.3.4'), 'all', '7.3.4'],
    ['7.3.2', '', 'all', '7.3.2'],
    ['7.3.1', '', 'none known', '7.3.1'],
    ['7.2.12+deb13-amd64', debian('7.2.12'), 'none known', '7.2.12'],
    ['6.18.44-fc-v595', '#1 SMP', 'none known', '6.18.44'],
    ['6.12.117+deb13-cloud-amd64', debian('6.12.117'), 'all', '6.12.117'],
    ['6.12.115', '', 'all', '6.12.115'],
    ['6.12.114', '', 'none known', '6.12.114'],
    ['6.8.0-45-generic', '#45-Ubuntu SMP PREEMPT_DYNAMIC', 'none known', undefined],
    ['6.1.0-56-cloud-amd64', debian('6.1.192'), 'most', '6.1.192'],
    ['6.1.0-40-amd64', debian('6.1.190'), 'none known', '6.1.190'],
    // Not the number of another series, which a compiler's version may look like.
    ['6.1.0-56-cloud-amd64', debian('6.12.117'), 'unknown', undefined],
    ['6.12.0-9-generic', '#9-Ubuntu SMP', 'unknown', undefined],
    ['6.1.191-1.amzn2023.x86_64', '#1 SMP', 'most', '6.1.191'],
    ['5.10.0-46-cloud-amd64', debian('5.10.262'), 'none known', '5.10.262'],
  ] as const) {
    const found = lostCancelsOf(name, build)
    t.is(found?.mended, mended, name)
    t.is(found?.release, number, name)
    t.regex(found?.text ?? '', /6\.12\.115 and 7\.3\.2 brought the mends, 6\.1\.191 most/, name)
    const ids = lostCancelFault(mended).map(({ id }) => id)
    t.deepEqual(ids, mended === 'all' ? [] : ['lost-cancel'], name)
  }
  t.is(lostCancelsOf('Darwin', ''), undefined)
  t.regex(lostCancelsOf('6.12.117', '')?.text ?? '', /What remains the library's: the memory/)
  t.regex(lostCancelsOf('6.1.192', '')?.text ?? '', /mostly mended.+a request that a worker parks/)
})

test('README and docs/kernels.md name the releases that have the mends, as the doctor does', (t) => {
  for (const page of ['README.md', 'scripts/kernels/report.ts']) {
    const words = readFileSync(join(HOME, page), 'utf8').replaceAll(/\s+/g, ' ')
    for (const number of ['6.12.115', '7.3.2', '6.1.191'])
      t.true(words.includes(number), `${page}: ${number}`)
  }
})

/** What is told of a refusal. */
const by = (
  code: string,
  ioUringDisabled?: number,
  seccompFilter?: boolean,
  version: [number, number] = [6, 12],
) => {
  const probe = { supported: false, kernel: '', operations: {}, flags: {}, code, reason: '', remedy: '' }
  return refusalOf(probe, { ioUringDisabled, ioUringGroup: undefined, seccompFilter }, version).by
}

test('by what it is forbidden, where this machine cannot show it', (t) => {
  t.is(by('EPERM', 2, false), 'sysctl')
  t.is(by('EPERM', 1, true), 'sysctl')
  t.is(by('EPERM', 0, false), 'security module')
  t.is(by('EPERM', undefined, true), 'seccomp')
  t.is(by('EPERM'), 'unknown')
  t.is(by('ENOSYS', 0, true), 'seccomp')
  t.is(by('ENOSYS', undefined, true), 'seccomp or kernel')
  t.is(by('ENOSYS', undefined, false), 'kernel')
  t.is(by('ENOSYS', undefined, true, [4, 19]), 'kernel')
  t.is(by('ENOMEM'), 'memory')
  t.is(by('EMFILE'), 'descriptors')
  t.is(by('EOTHER'), 'unknown')
})
