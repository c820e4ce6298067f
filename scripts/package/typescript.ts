/** Compiling programs of users, as strictly as TypeScript can. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { mustRun } from '../common/commands.js'
import { lay } from './project.js'

/** How users configure it. Node16 is the oldest that follows `exports`; bundlers follow them too. */
export const RESOLUTIONS = [
  { name: 'node16', module: 'node16', moduleResolution: 'node16' },
  { name: 'nodenext', module: 'nodenext', moduleResolution: 'nodenext' },
  { name: 'bundler', module: 'esnext', moduleResolution: 'bundler' },
] as const

export type Resolution = (typeof RESOLUTIONS)[number]

/** Copies the programs into the project; `examples` are texts by name. */
export function layPrograms(root: string, project: string, examples: ReadonlyMap<string, string>): void {
  const programs = join(root, 'scripts/package/consumer')
  mkdirSync(join(project, 'programs'))
  for (const name of ['features.ts', 'worker.ts', 'ends.ts']) {
    lay(project, `programs/${name}`, { path: join(programs, name) })
  }
  mkdirSync(join(project, 'commonjs'))
  lay(project, 'commonjs/required.cts', { path: join(programs, 'required.cts') })
  for (const [name, text] of examples) lay(project, `programs/${name}`, { text })
}

/** Compiles them, and with them the declarations of the package. */
export async function compile(root: string, project: string, resolution: Resolution): Promise<void> {
  const { name, module, moduleResolution } = resolution
  const out = `out-${name}`
  rmSync(join(project, out), { recursive: true, force: true })
  const config = {
    compilerOptions: {
      target: 'es2022',
      lib: ['es2022'],
      module,
      moduleResolution,
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      // What is wrong in the declarations of the package is an error of the user's.
      skipLibCheck: false,
      types: ['node'],
      rootDir: '.',
      outDir: out,
    },
    // TypeScript lets CommonJS import ES modules only from nodenext on.
    include: name === 'nodenext' ? ['programs', 'commonjs'] : ['programs'],
  }
  const file = join(project, `tsconfig.${name}.json`)
  writeFileSync(file, JSON.stringify(config))
  await mustRun(join(root, 'node_modules/.bin/tsc'), ['-p', file], { cwd: project })
}
