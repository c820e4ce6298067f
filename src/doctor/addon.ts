/** Which build of the native addon this process has loaded. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { loadBinding } from '../binding.js'
import { loadedObjects } from './host.js'

export interface Addon {
  loaded: boolean
  /** Its file. */
  path?: string
  /** `prebuilt` comes with a package of its own, `built here` lies in the package itself. */
  origin?: 'prebuilt' | 'built here'
  /** The package that it lies in, and its version. */
  package?: string
  /** Why it could not be loaded, with the reasons behind. */
  errors?: string[]
}

export function examineAddon(): Addon {
  const loaded = loadBinding()
  if ('error' in loaded) return { loaded: false, errors: reasons(loaded.error) }
  // What the loader tried is its own affair: what it found is mapped.
  const path = loadedObjects(/uring-safe-cancel[^/]*\.node$/)[0]
  return path === undefined ? { loaded: true } : { loaded: true, path, ...ownerOf(path) }
}

/** An error's message and those of its causes, each once. */
function reasons(error: unknown): string[] {
  const found: string[] = []
  for (let at = error; at instanceof Error; at = at.cause) found.push(at.message)
  return [...new Set(found)]
}

/** The nearest package.json above a file. */
function ownerOf(path: string): Pick<Addon, 'origin' | 'package'> {
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    const manifest = readManifest(join(directory, 'package.json'))
    if (manifest !== undefined) {
      const { name, version } = manifest
      const origin = name === 'uring-safe-cancel' ? 'built here' : 'prebuilt'
      return { origin, package: `${name} ${version}` }
    }
    if (directory === dirname(directory)) return {}
  }
}

function readManifest(path: string): { name: string; version: string } | undefined {
  try {
    const manifest: { name: string; version: string } = JSON.parse(readFileSync(path, 'utf8'))
    return manifest
  } catch {
    return undefined
  }
}
