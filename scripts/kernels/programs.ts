/** Building what runs in the guest. It is built as `npm test` builds it, so that mostly nothing is left to do. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { mustRun } from '../common/commands.js'
import { Missing } from '../common/failure.js'
import { RUST_SUITES } from './suites.js'

export interface Programs {
  /** The test programs of the core, by name. */
  rustSuites: Map<string, string>
  /** Without optimisation the window of the race would be another. */
  stress: string
  /** Launchers and servers that tests use, by name. */
  helpers: Map<string, string>
}

interface Artifact {
  target: { name: string; kind: string[] }
  profile: { test: boolean }
  executable: string | null
}

async function cargo(root: string, args: readonly string[]): Promise<Artifact[]> {
  const output = await mustRun('cargo', [...args, '--message-format=json-render-diagnostics'], { cwd: root })
  return output.split('\n').flatMap((line) => {
    const message = line === '' ? {} : (JSON.parse(line) as Partial<Artifact>)
    return message.executable ? [message as Artifact] : []
  })
}

/** Builds, and gives the paths. */
export async function buildPrograms(root: string): Promise<Programs> {
  if (!existsSync(join(root, 'dist/index.js')) || !existsSync(join(root, 'binding.cjs'))) {
    throw new Missing('there is no addon: npm run build')
  }
  const tests = await cargo(root, ['test', '--workspace', '--all-features', '--no-run'])
  const core = tests.filter(
    ({ profile, executable }) => profile.test && executable?.includes('/deps/') === true,
  )
  const rustSuites = new Map<string, string>()
  for (const { target, executable } of core) {
    const name = target.kind.includes('lib') && target.name === 'uring_safe_cancel' ? 'lib' : target.name
    const isTest = name === 'lib' || target.kind.includes('test')
    if (isTest && executable !== null && RUST_SUITES.some((suite) => suite.test(name))) {
      rustSuites.set(name, executable)
    }
  }
  const helpers = new Map<string, string>()
  for (const { target, executable } of await cargo(root, [
    'build',
    '--package',
    'uring-safe-cancel-sandbox',
  ])) {
    if (executable !== null) helpers.set(target.name, executable)
  }
  const release = await cargo(root, ['build', '--release', '--package', 'uring-safe-cancel-stress'])
  const stress = release.find(({ target }) => target.name === 'uring-safe-cancel-stress')?.executable
  if (!stress) throw new Error('cargo built no uring-safe-cancel-stress')
  return { rustSuites, stress, helpers }
}
