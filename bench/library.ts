/** The library as it was built. (This directory has a package.json of its own, so the name would not resolve.) */
import { pathToFileURL } from 'node:url'

import type * as Exports from '../dist/index.js'
import { LIBRARY } from './paths.js'
import type { Settings } from './protocol.js'

export type Library = typeof Exports
export type Ring = Exports.Ring

/** Loads it, or that of another build. */
export async function loadLibrary({ library = LIBRARY }: Pick<Settings, 'library'> = {}): Promise<Library> {
  return (await import(pathToFileURL(library).href)) as Library
}

/** A ring for a variant. Safe mode is the default. */
export function makeRing({ Ring }: Library, { reissue }: Settings): Ring {
  return reissue === false ? new Ring({ cancel: { reissue } }) : new Ring()
}
