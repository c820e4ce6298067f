/** The native addon: loaded at the first use, so that importing the package never throws. */
import { createRequire } from 'node:module'

import type * as Binding from '#binding'

export type NativeBinding = typeof Binding

type Loaded = { binding: NativeBinding } | { error: Error }

const require = createRequire(import.meta.url)
let binding: NativeBinding | undefined

/** Loads the addon once. A failure is not kept: it may have been for want of a descriptor. */
export function loadBinding(): Loaded {
  if (binding !== undefined) return { binding }
  const loaded = tryLoad()
  if ('binding' in loaded) binding = loaded.binding
  return loaded
}

function tryLoad(): Loaded {
  if (process.platform !== 'linux') {
    return { error: new Error(`io_uring is a part of Linux; this is ${process.platform}`) }
  }
  try {
    const found: NativeBinding = require('#binding')
    return { binding: found }
  } catch (error) {
    const built = `${process.platform}-${process.arch}`
    return { error: new Error(`the native addon for ${built} could not be loaded`, { cause: error }) }
  }
}

/** Whether the event loop is libuv's. Bun and Deno also claim a version of it, and have none. */
export function hasLibuv(): boolean {
  const forced = process.env['URING_SAFE_CANCEL_WAKER'] === 'thread'
  return !forced && !('bun' in process.versions) && !('deno' in process.versions)
}
