/**
 * A system with musl and nothing of glibc: musl, busybox and Node. It is entered by chroot in a mount namespace of its
 * own, with this machine's kernel.
 */
import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { demand } from '../common/commands.js'
import { fetchFile, fetchMuslNode } from '../common/musl-node.js'

/** What programs of users call. */
const APPLETS = ['sh', 'mkfifo', 'uname', 'env']
const PROJECT = '/project'
const NODE = '/node'

/** Lays the system out, and gives the path of a program that runs its Node in a project. */
export async function makeMuslNode(cache: Cache, ground: string, project: string): Promise<string> {
  for (const [program, name] of Object.entries({ unshare: 'util-linux', chroot: 'coreutils' })) {
    demand(program, name)
  }
  const root = join(ground, 'musl-root')
  for (const name of ['bin', 'lib', 'proc', 'dev', 'tmp', PROJECT]) {
    mkdirSync(join(root, name), { recursive: true })
  }
  const { directory, program, libc, loader } = await fetchMuslNode(cache, 'x64')
  cpSync(directory, join(root, NODE), { recursive: true })
  cpSync(libc, join(root, 'lib', loader))
  cpSync(await fetchFile(cache, 'amd64', 'busybox-static', 'busybox'), join(root, 'bin/busybox'))
  for (const applet of APPLETS) symlinkSync('busybox', join(root, 'bin', applet))
  const launcher = join(ground, 'node-musl')
  writeFileSync(launcher, launcherOf(root, project, join(NODE, program)))
  chmodSync(launcher, 0o755)
  return launcher
}

/** Whoever is not root gets a user namespace in which they are. */
function launcherOf(root: string, project: string, node: string): string {
  return `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ "$(id -u)" = 0 ] && user= || user=--map-root-user
exec unshare $user --mount /bin/sh -c '
  for name in proc dev tmp; do mount --rbind "/$name" "$0/$name" || exit 70; done
  mount --bind "$1" "$0${PROJECT}" || exit 70
  root=$0
  shift
  export PATH=/bin
  exec /usr/sbin/chroot "$root" /bin/sh -c "cd ${PROJECT} && exec ${node} \\"\\$@\\"" node "$@"
' '${root}' '${project}' "$@"
`
}
