/** What is checked on each runtime. */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { lostIn, stressRuns } from '../kernels/stress-result.js'
import type { Checks } from './checks.js'
import { exceptionsOf } from './exceptions.js'
import { environment, makePath, mustRunIn, type Place, runIn } from './project.js'
import type { Runtime } from './runtimes.js'
import { RESOLUTIONS } from './typescript.js'

const COMMAND = 'node_modules/uring-safe-cancel/dist/src/cli.js'
/** Long enough for thousands of cancels. The contract itself is shown elsewhere. */
const STRESS_SECONDS = 2

/** Runs all checks of one runtime in the project. */
export async function checkRuntime(
  checks: Checks,
  project: string,
  runtime: Runtime,
  program: string,
): Promise<void> {
  const { name, kind, libc, args } = runtime
  const home = join(project, '..', `home-${name}`)
  mkdirSync(home)
  const path = makePath(join(project, '..', `bin-${name}`), program)
  const place: Place = { directory: project, env: environment(path, home) }
  const command = (...more: string[]) => [program, ...args, ...more]
  const output = (...more: string[]) => mustRunIn(place, command(...more))
  const check = (what: string, body: () => unknown) => checks.check(`${name}: ${what}`, body)

  await check('import', async () => {
    lines(await output('import.mjs'), ['true'])
  })
  await check('require', async () => {
    lines(await output('require.cjs'), ['true'])
  })
  await check("the README's example", async () => {
    const printed = await output('example.mjs')
    assert.match(printed, /^ring\.read: AbortError: The operation was aborted, after \d+ ms\n/)
    // What node:fs does with the same read is its own affair, but for Node the README says it.
    if (kind === 'node') assert.match(printed, /\nFileHandle\.read: still blocked after 1000 ms\n$/)
  })
  await check('the addon is the one of the package of this platform', async () => {
    const found = JSON.parse(await output(COMMAND, 'doctor', '--json')) as {
      ok: boolean
      addon: { origin?: string; package?: string }
    }
    assert.equal(found.ok, true)
    assert.equal(found.addon.origin, 'prebuilt')
    assert.match(found.addon.package ?? '', new RegExp(`^uring-safe-cancel-linux-${process.arch}-${libc} `))
    return found.addon.package
  })
  await checkFeatures(checks, runtime, place)
  for (const { name: resolution } of RESOLUTIONS) {
    await check(`programs that TypeScript compiled with ${resolution} run`, async () => {
      assert.equal(await output(`out-${resolution}/programs/features.js`, 'read, write'), 'true\n')
      if (resolution === 'nodenext') {
        lines(await output('out-nodenext/commonjs/required.cjs'), ['required'])
      }
    })
  }
  await check('a process ends when nothing is pending', async () => {
    const ends = 'out-node16/programs/ends.js'
    lines(await output(ends, 'by itself'), ['begun', 'slept'])
    lines(await output(ends, 'unref'), ['begun'])
    const { status, stdout } = await runIn(place, command(ends, 'exit'))
    assert.deepEqual({ status, stdout }, { status: 7, stdout: 'begun\n' })
  })
  await check('the stress test', async () => {
    const options = ['--seconds', String(STRESS_SECONDS), '--mode', 'safe', '--json']
    const document: unknown = JSON.parse(await output(COMMAND, 'stress', ...options))
    const runs = stressRuns(document)
    assert.ok(runs.length > 0)
    for (const { rounds, problems } of runs) {
      assert.ok(rounds > 0)
      assert.deepEqual(problems, [])
    }
    assert.equal(lostIn(document), 0)
    return `${runs.map(({ rounds }) => rounds.toLocaleString('en')).join(' and ')} rounds, none lost`
  })
}

/** Each in a process of its own: one that crashes fails alone. */
async function checkFeatures(checks: Checks, runtime: Runtime, place: Place): Promise<void> {
  const file = 'out-node16/programs/features.js'
  const command = [join(place.env['PATH'] ?? '', 'node'), ...runtime.args, file]
  const names: string[] = []
  await checks.check(`${runtime.name}: the features are listed`, async () => {
    names.push(...(JSON.parse(await mustRunIn(place, command)) as string[]))
    assert.ok(names.length > 10)
  })
  const exceptions = exceptionsOf(runtime)
  for (const name of names) {
    const exception = exceptions[name]
    if (exception !== undefined) {
      const { status, stdout } = await runIn(place, [...command, name])
      const outcome = `this time it printed ${stdout.trim() || 'nothing'}, and ended with ${status}`
      console.log(`note  ${runtime.name}: not judged: ${name}: ${exception.why}; ${outcome}`)
      continue
    }
    await checks.check(`${runtime.name}: holds: ${name}`, async () => {
      assert.equal((await mustRunIn(place, [...command, name])).trim(), 'true')
    })
  }
}

function lines(output: string, expected: readonly string[]): void {
  assert.deepEqual(output.trimEnd().split('\n'), expected)
}
