/** Which declarations a program can reach that imports the package. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What a declaration imports of its own package: `from './x.js'`, `import('./x.js')`. */
const IMPORT = /(?:from|import\()\s*'(\.[^']+)\.js'/g

/** From one declaration on, with it: their paths. */
export function reachable(declaration: string, found = new Set<string>()): Set<string> {
  if (found.has(declaration) || !existsSync(declaration)) return found
  found.add(declaration)
  for (const [, path = ''] of readFileSync(declaration, 'utf8').matchAll(IMPORT)) {
    reachable(join(dirname(declaration), `${path}.d.ts`), found)
  }
  return found
}
