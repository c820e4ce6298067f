/** What is checked on each runtime. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { lostIn, stressRuns } from '../kernels/stress-result.js'
import { exceptionsOf } from './exceptions.js'
import { mustRunIn } from './project.js'
import type { Runtime } from './runtimes.js'
import { COMMAND, lines, type Surroundings } from './surroundings.js'
import { RESOLUTIONS } from './typescript.js'

/** Long enough for thousands of cancels. The contract itself is shown elsewhere. */
const STRESS_SECONDS = 2

/** Runs all checks of one runtime in the project. */
export async function checkRuntime(runtime: Runtime, surroundings: Surroundings): Promise<void> {
  const { check, output, status } = surroundings
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
    if (runtime.kind === 'node') assert.match(printed, /\nFileHandle\.read: still blocked after 1000 ms\n$/)
  })
  await check('the addon is the one of the package of this platform', async () => {
    const found = JSON.parse(await output(COMMAND, 'doctor', '--json')) as {
      ok: boolean
      addon: { origin?: string; package?: string }
    }
    assert.equal(found.ok, true)
    assert.equal(found.addon.origin, 'prebuilt')
    assert.match(found.addon.package ?? '', new RegExp(`^uring-safe-cancel-${surroundings.platform} `))
    return found.addon.package
  })
  if (runtime.kind === 'deno') {
    await check('without leave to load it, no ring is supported, and it says why', async () => {
      const probe = `import { Ring } from 'uring-safe-cancel'; console.log(JSON.stringify(Ring.probe()))`
      const path = join(surroundings.place.directory, 'probe.mjs')
      writeFileSync(path, probe)
      const [program = ''] = surroundings.command()
      const { supported, remedy } = JSON.parse(
        await mustRunIn(surroundings.place, [program, 'run', '--no-prompt', path]),
      ) as { supported: boolean; remedy: string }
      assert.equal(supported, false)
      assert.match(remedy, /--allow-ffi/)
    })
  }
  await checkFeatures(runtime, surroundings)
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
    const { code, stdout } = await status(ends, 'exit')
    assert.deepEqual({ code, stdout }, { code: 7, stdout: 'begun\n' })
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
async function checkFeatures(runtime: Runtime, { check, output, status }: Surroundings): Promise<void> {
  const file = 'out-node16/programs/features.js'
  const names: string[] = []
  await check('the features are listed', async () => {
    names.push(...(JSON.parse(await output(file)) as string[]))
    assert.ok(names.length > 10)
  })
  const exceptions = exceptionsOf(runtime)
  for (const name of names) {
    const exception = exceptions[name]
    if (exception !== undefined) {
      const { code, stdout } = await status(file, name)
      const outcome = `this time it printed ${stdout.trim() || 'nothing'}, and ended with ${code}`
      console.log(`note  ${runtime.name}: not judged: ${name}: ${exception.why}; ${outcome}`)
      continue
    }
    await check(`holds: ${name}`, async () => {
      assert.equal((await output(file, name)).trim(), 'true')
    })
  }
}
