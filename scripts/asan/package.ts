/**
 * Copies the package to where the ava tests run with AddressSanitizer, with the addon that was built for it. Programs
 * that the tests start find it there, too.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { BIN, COPY, GROUND, HOME, REPORTS, TARGET } from './places.js'

for (const directory of [COPY, REPORTS, BIN]) {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
}
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: HOME,
  encoding: 'utf8',
})
for (const name of [...files.trim().split('\n'), 'dist', 'binding.cjs', 'binding.d.cts']) {
  cpSync(join(HOME, name), join(COPY, name), { recursive: true })
}
symlinkSync(join(HOME, 'node_modules'), join(COPY, 'node_modules'))
const addon = `uring-safe-cancel.linux-${process.arch}-gnu.node`
cpSync(join(GROUND, TARGET, 'release/liburing_safe_cancel_node.so'), join(COPY, addon))

// The tests build launchers with cargo, and rustc crashes with the runtime in it.
const rustc = execFileSync('which', ['rustc'], { encoding: 'utf8' }).trim()
const wrapper = join(BIN, 'rustc')
writeFileSync(wrapper, `#!/bin/sh\nunset LD_PRELOAD\nexec '${rustc}' "$@"\n`)
chmodSync(wrapper, 0o755)
