/** Where the native addon cannot be loaded: importing does not throw, and what is said tells why and what to do. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'

import test, { type ExecutionContext } from 'ava'

import { explainLoad } from '../src/native/addon/load-failure.js'
import { VERSION } from '../src/native/addon/version.js'
import { HOME, runProgram } from './fixtures/programs.js'
import { directoryFor } from './helpers.js'

const PACKAGE = `uring-safe-cancel-linux-${process.arch}-gnu`

/** The package as npm installs it, without an addon. */
function installed(t: ExecutionContext): string {
  const project = directoryFor(t)
  const home = join(project, 'node_modules/uring-safe-cancel')
  mkdirSync(home, { recursive: true })
  for (const name of ['package.json', 'dist', 'binding.cjs']) {
    cpSync(join(HOME, name), join(home, name), { recursive: true })
  }
  symlinkSync(join(HOME, 'node_modules/typanion'), join(project, 'node_modules/typanion'))
  return project
}

interface Found {
  supported: boolean
  probe: { supported: boolean; kernel: string; code: string; reason: string; remedy: string }
  ring: { code: string; message: string; reason: string; remedy: string; causes: number }
  eventfd: { code: string; message: string }
  closed: string
}

/** What a program finds that imports the package there. */
async function find(home: string, before = ''): Promise<Found> {
  const code = `
    ${before}
    const { eventfd, Ring } = await import('uring-safe-cancel')
    const thrown = (call) => {
      try { call() } catch (error) {
        let causes = 0
        for (let at = error.cause; at instanceof Error; at = at.cause) causes += 1
        const { code, message, reason, remedy } = error
        return { code, message, reason, remedy, causes }
      }
    }
    console.log(JSON.stringify({
      supported: Ring.isSupported(),
      probe: Ring.probe(),
      ring: thrown(() => new Ring()),
      eventfd: thrown(() => eventfd()),
    }))`
  const { output, errors, status } = await runProgram(code, { home })
  if (status !== 0) throw new Error(errors)
  return JSON.parse(output) as Found
}

function saysSo(t: ExecutionContext, found: Found, reason: RegExp, remedy: RegExp): void {
  t.false(found.supported)
  t.like(found.probe, { supported: false, code: 'ENOADDON' })
  t.regex(found.probe.reason, reason)
  t.regex(found.probe.remedy, remedy)
  const { reason: why, remedy: what } = found.probe
  t.like(found.ring, { code: 'ERR_IO_URING_UNAVAILABLE', reason: why, remedy: what })
  t.is(found.ring.message, `io_uring is not available: ${why}; ${what}`)
  t.is(found.eventfd.message, found.ring.message)
}

const elsewhere: [string, string, string, RegExp][] = [
  ['macOS', 'darwin', 'arm64', /^io_uring is a part of Linux; this is darwin$/],
  ['Windows', 'win32', 'x64', /^io_uring is a part of Linux; this is win32$/],
  ['Linux on a 32-bit processor', 'linux', 'arm', /^there is no build of the native addon for linux-arm$/],
  ['Linux on ia32', 'linux', 'ia32', /^there is no build of the native addon for linux-ia32$/],
  ['Linux on another processor', 'linux', 'riscv64', /^there is no build .* linux-riscv64$/],
]

for (const [name, platform, arch, reason] of elsewhere) {
  test(`on ${name} importing does not throw, and no ring can be made`, async (t) => {
    const pretend = Object.entries({ platform, arch })
      .map(([key, value]) => `Object.defineProperty(process, '${key}', { value: '${value}' });`)
      .join('')
    const found = await find(HOME, pretend)
    saysSo(t, found, reason, platform === 'linux' ? /x64 or arm64/ : /^run on Linux/)
    t.is(found.probe.kernel, platform === 'linux' ? release() : 'unknown')
  })
}

test('without the optional package: which one is missing, and how to get it', async (t) => {
  const found = await find(installed(t))
  saysSo(t, found, new RegExp(`is not installed: there is no ${PACKAGE}$`), /npm install .*--omit=optional/)
  t.is(found.probe.kernel, release())
  t.true(found.ring.causes > 2, 'what the loader tried is told, too')
})

test('with a file in it that is no addon: what the system said of it', async (t) => {
  const project = installed(t)
  const place = join(project, 'node_modules', PACKAGE)
  mkdirSync(place)
  const main = `uring-safe-cancel.linux-${process.arch}-gnu.node`
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name: PACKAGE, version: '0.1.0', main }))
  writeFileSync(join(place, main), 'Its download was cut off.')
  const found = await find(project)
  saysSo(t, found, /is there, but cannot be loaded: .*(too short|invalid ELF header)/, /^install .* anew/)
  t.true(found.probe.remedy.includes(PACKAGE))
})

test('with the package of the other libc: which one would be right', async (t) => {
  const project = installed(t)
  mkdirSync(join(project, `node_modules/uring-safe-cancel-linux-${process.arch}-musl`))
  saysSo(t, await find(project), new RegExp(`there is no ${PACKAGE}$`), /npm install/)
})

test('with the optional package all is well', async (t) => {
  const project = installed(t)
  const place = join(project, 'node_modules', PACKAGE)
  mkdirSync(place)
  const main = `uring-safe-cancel.linux-${process.arch}-gnu.node`
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name: PACKAGE, version: '0.1.0', main }))
  cpSync(join(HOME, main), join(place, main))
  const code = `
    import { Ring } from 'uring-safe-cancel'
    const ring = new Ring()
    await ring.nop()
    await ring.close()
    console.log(Ring.isSupported())`
  t.like(await runProgram(code, { home: project }), { output: 'true\n', errors: '', status: 0 })
})

/** A package of the platform with a module in the place of its addon. */
function pretendAddon(project: string, text: string): void {
  const place = join(project, 'node_modules', PACKAGE)
  mkdirSync(place)
  writeFileSync(
    join(place, 'package.json'),
    JSON.stringify({ name: PACKAGE, version: VERSION, main: 'main.cjs' }),
  )
  writeFileSync(join(place, 'main.cjs'), text)
}

test('with an addon of another version: both are named', async (t) => {
  const project = installed(t)
  pretendAddon(project, `module.exports = { version: () => '0.0.9' }`)
  const reason = new RegExp(`is of version 0\\.0\\.9; version ${VERSION} is needed$`)
  saysSo(t, await find(project), reason, /^install uring-safe-cancel and its addon anew/)
})

test('with something else in the place of the addon: it says so', async (t) => {
  const project = installed(t)
  pretendAddon(project, `module.exports = { probe: 'of something else' }`)
  saysSo(t, await find(project), /is none of this package/, /anew/)
})

test('with the optional package, but not its file: it says so', async (t) => {
  const project = installed(t)
  const place = join(project, 'node_modules', PACKAGE)
  mkdirSync(place)
  const main = `uring-safe-cancel.linux-${process.arch}-gnu.node`
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name: PACKAGE, version: VERSION, main }))
  saysSo(
    t,
    await find(project),
    /is installed, but its file is missing$/,
    new RegExp(`^install ${PACKAGE} anew$`),
  )
})

function set(path: string): string {
  return `process.env.NAPI_RS_NATIVE_LIBRARY_PATH = ${JSON.stringify(path)}`
}

test('where NAPI_RS_NATIVE_LIBRARY_PATH names no addon of ours, the variable is named', async (t) => {
  const other = join(directoryFor(t), 'other.cjs')
  writeFileSync(other, 'module.exports = {}')
  const remedy = /^unset NAPI_RS_NATIVE_LIBRARY_PATH/
  saysSo(
    t,
    await find(HOME, set('/nowhere.node')),
    /PATH names \/nowhere\.node, which cannot be loaded/,
    remedy,
  )
  saysSo(t, await find(HOME, set(other)), /is none of this package/, remedy)
})

test('where Node may load no addons, how to let it', async (t) => {
  const { output, errors } = await runProgram(
    `import { Ring } from 'uring-safe-cancel'
     console.log(JSON.stringify(Ring.probe()))`,
    { env: { NODE_OPTIONS: '--no-addons' } },
  )
  const { reason, remedy } = JSON.parse(output || JSON.stringify({ reason: errors })) as Found['probe']
  t.regex(reason, /may not be loaded: .*--no-addons/)
  t.regex(remedy, /--allow-addons/)
})

test('where the module lies elsewhere, as bundlers lay it: what to tell them', async (t) => {
  const directory = directoryFor(t)
  cpSync(join(HOME, 'dist'), join(directory, 'dist'), { recursive: true })
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  mkdirSync(join(directory, 'node_modules'))
  symlinkSync(join(HOME, 'node_modules/typanion'), join(directory, 'node_modules/typanion'))
  const code = `
    const { Ring } = await import('./dist/index.js')
    console.log(JSON.stringify(Ring.probe()))`
  const { output, errors } = await runProgram(code, { home: directory })
  const { reason, remedy } = JSON.parse(output || JSON.stringify({ reason: errors })) as Found['probe']
  t.regex(reason, /is the program bundled\?$/)
  t.regex(remedy, /external/)
  // What esbuild makes of `import.meta.url` in CommonJS.
  const noPlace = Object.assign(new TypeError('The argument "filename" must be a file URL'), {
    code: 'ERR_INVALID_ARG_VALUE',
  })
  t.is(explainLoad(noPlace, 'linux-x64').message, reason.replace(process.arch, 'x64'))
})

function read(path: string): string {
  return readFileSync(join(HOME, path), 'utf8')
}

test('one version everywhere', (t) => {
  const manifests = [
    'package.json',
    ...readdirSync(join(HOME, 'npm')).map((name) => `npm/${name}/package.json`),
  ]
  for (const path of manifests) t.is((JSON.parse(read(path)) as { version: string }).version, VERSION, path)
  t.is(/^\[workspace\.package\]\nversion = "(.*)"$/m.exec(read('Cargo.toml'))?.[1], VERSION)
  t.true(read('CHANGELOG.md').includes(VERSION))
})

test('a glibc that is too old is named, as the loader names it', (t) => {
  const last = new Error("/lib64/libc.so.6: version `GLIBC_2.17' not found (required by x.node)")
  const first = new Error("Cannot find module './uring-safe-cancel.linux-x64-gnu.node'", { cause: last })
  const failure = explainLoad(
    new Error('Cannot find native binding. npm has a bug', { cause: first }),
    'linux-x64',
  )
  t.regex(failure.message, /cannot be loaded: .*GLIBC_2\.17' not found/)
  t.regex(failure.remedy, /glibc 2\.17/)
  t.is((failure.cause as Error).cause, first)
})
