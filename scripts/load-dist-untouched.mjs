import { readFile } from 'node:fs/promises'

const dist = new URL('../dist/', import.meta.url).href

/**
 * Takes the modules of dist/ from @oxc-node/core, which would transform them once more.
 * @type {import('node:module').LoadHook}
 */
export async function load(url, context, nextLoad) {
  if (!url.startsWith(dist) || !url.endsWith('.js')) return nextLoad(url, context)
  return { format: 'module', shortCircuit: true, source: await readFile(new URL(url)) }
}
