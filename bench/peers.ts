/** What runs the variants, and what of it there is on this machine. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { output, spawnForOutput } from './command.js'
import { PACKAGES, PROGRAMS, ROOT } from './paths.js'
import type { Settings } from './protocol.js'
import type { Runtime, Variant } from './work.js'

export interface Peer {
  version: string
  /** The command line of a variant's process. */
  command: (settings: Settings) => string[]
}

export type Peers = Record<Runtime, Peer | { missing: string }>

const PROGRAM = join(PROGRAMS, 'main.js')

/** Where cargo builds. */
function targetDirectory(): string {
  return process.env['CARGO_TARGET_DIR'] ?? join(ROOT, 'target')
}

/** A program of the workspace, built for release. */
export function built(name: string): string {
  return join(targetDirectory(), 'release', name)
}

/** This Node. */
export const NODE: Peer = {
  version: process.versions.node,
  command: (settings) => [process.execPath, PROGRAM, JSON.stringify(settings)],
}

export async function findPeers(): Promise<Peers> {
  const floor = built('floor')
  return {
    floor: {
      version: await floorVersion(),
      command: (settings) => [floor, 'serve', JSON.stringify(settings)],
    },
    node: NODE,
    bun: await findRuntime('bun', { scope: '@oven', binary: ['bin', 'bun'] }, ['bin', 'bun.exe'], []),
    // Without `manual`, Deno would look for packages in a cache of its own.
    deno: await findRuntime(
      'deno',
      { scope: '@deno', binary: ['deno'] },
      ['deno'],
      ['run', '-A', '--node-modules-dir=manual'],
    ),
  }
}

async function floorVersion(): Promise<string> {
  const lock = await output('cargo', ['tree', '--package', 'uring-safe-cancel-floor', '--depth', '1'])
  return `io-uring ${/io-uring v(\S+)/.exec(lock)?.[1] ?? 'of an unknown version'}`
}

/**
 * A runtime of bench/'s development dependencies. Its binary is in a package for each platform, of which npm installs
 * those that may fit, until an install script moves it to where `moved` says.
 */
async function findRuntime(
  name: 'bun' | 'deno',
  platforms: { scope: string; binary: string[] },
  moved: string[],
  args: string[],
): Promise<Peers['bun']> {
  const packages = join(PACKAGES, 'node_modules')
  const scope = join(packages, platforms.scope)
  const found = existsSync(scope) ? readdirSync(scope) : []
  const paths = found.map((platform) => join(scope, platform, ...platforms.binary))
  for (const path of [...paths, join(packages, name, ...moved)]) {
    // A small file is a script that stands where the binary will be.
    if (!existsSync(path) || statSync(path).size < FEWEST_BYTES) continue
    const { stdout, error } = await spawnForOutput(path, ['--version'])
    // That of another libc does not run.
    if (error !== '') continue
    const version = /\d+\.\d+\.\d+\S*/.exec(stdout)?.[0] ?? 'unknown'
    return { version, command: (settings) => [path, ...args, PROGRAM, JSON.stringify(settings)] }
  }
  return { missing: `no ${name} that runs here is among the packages of bench/` }
}

/** A runtime is larger. */
const FEWEST_BYTES = 1 << 20

/** The command line of a variant; a text that says why there is none. */
export function commandOf(variant: Variant, peers: Peers): string[] | string {
  const peer = peers[variant.runtime]
  if ('missing' in peer) return peer.missing
  const command = peer.command(variant.settings)
  if (variant.pairs === undefined) return command
  const { kind, isEchoed } = variant.pairs
  return [built('floor'), 'pairs', kind, String(PAIRS), ...(isEchoed ? ['--echo'] : []), '--', ...command]
}

/** As many as the largest concurrency of a ping-pong. */
const PAIRS = 32
