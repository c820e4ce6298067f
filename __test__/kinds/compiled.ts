/** The program of the ring's process without its types: a Node that has to take them away starts at half the speed. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))

/** Where the program lies: below `root`, or here, where all was compiled before, as in a guest. */
export function compiledRingProcess(root: string): string {
  const beside = join(HERE, 'ring-process.js')
  if (existsSync(beside)) return beside
  // Below the package, so that it is a module; its types are another leg's matter.
  const directory = join(root, 'target/kinds')
  const options = [
    '--ignoreConfig',
    '--noCheck',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--types',
    'node',
  ]
  const where = ['--rootDir', HERE, '--outDir', directory, join(HERE, 'ring-process.ts')]
  execFileSync(join(root, 'node_modules/.bin/tsc'), [...options, ...where], { stdio: 'inherit' })
  return join(directory, 'ring-process.js')
}
