/** Which build of the native addon this process has loaded. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { loadBinding } from '../../native/addon/binding.js'
import { OVERRIDE } from '../../native/addon/load-failure.js'
import { loadedObjects } from './host.js'

export interface Addon {
  loaded: boolean
  /** Its file. */
  path?: string
  /** `prebuilt` comes with a package of its own, `built here` lies in the package itself. */
  origin?: 'prebuilt' | 'built here'
  /** The package that it lies in, and its version. */
  package?: string
  /** Why it could not be loaded. */
  reason?: string
  /** What to do about that. */
  remedy?: string
  /** What the loader tried, and what came of it. */
  tried?: string[]
}

export function examineAddon(): Addon {
  const loaded = loadBinding()
  if ('error' in loaded) {
    const { message: reason, remedy, cause } = loaded.error
    return { loaded: false, reason, remedy, tried: messages(cause) }
  }
  // What the loader tried is its own affair: what it found is mapped.
  const path = process.env[OVERRIDE] ?? loadedObjects(/uring-safe-cancel[^/]*\.node$/)[0]
  return path === undefined ? { loaded: true } : { loaded: true, path, ...ownerOf(path) }
}

/** The first lines of an error's message and those of its causes, each once. */
function messages(error: unknown): string[] {
  const found: string[] = []
  for (let at = error; at instanceof Error; at = at.cause) found.push(at.message.split('\n')[0] ?? '')
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
