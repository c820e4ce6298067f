/** The native addon: loaded at the first use, so that importing the package never throws. */
import { createRequire } from 'node:module'

import type * as Binding from '#binding'

import { explainLoad, type LoadFailure, otherVersion, OVERRIDE, unsupportedSystem } from './load-failure.js'
import { VERSION } from './version.js'

export type NativeBinding = typeof Binding

type Loaded = { binding: NativeBinding } | { error: LoadFailure }

let binding: NativeBinding | undefined

/** Loads the addon once. A failure is not kept: it may have been for want of a descriptor. */
export function loadBinding(): Loaded {
  if (binding !== undefined) return { binding }
  const loaded = tryLoad()
  if ('binding' in loaded) binding = loaded.binding
  return loaded
}

function tryLoad(): Loaded {
  const { platform, arch } = process
  const unsupported = unsupportedSystem(platform, arch)
  if (unsupported !== undefined) return { error: unsupported }
  let override: string | undefined
  try {
    // Here too Deno may ask for leave.
    override = process.env[OVERRIDE]
    const found: Partial<NativeBinding> = createRequire(import.meta.url)('#binding')
    const version = found.version?.()
    return isOurs(found, version) ? { binding: found } : { error: otherVersion(version, override) }
  } catch (error) {
    return { error: explainLoad(error, `${platform}-${arch}`, override) }
  }
}

function isOurs(_found: Partial<NativeBinding>, version: string | undefined): _found is NativeBinding {
  return version === VERSION
}
