/** Before packing: removes the declarations that no program of a user can reach. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { reachable } from './common/declarations.js'

const DIST = fileURLToPath(new URL('../dist', import.meta.url))

const needed = reachable(join(DIST, 'index.d.ts'))
for (const name of readdirSync(DIST, { recursive: true, encoding: 'utf8' })) {
  const path = join(DIST, name)
  if (name.endsWith('.d.ts') && !needed.has(path)) rmSync(path)
}
