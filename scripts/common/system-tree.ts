/** A system's directories with the files of Debian packages in them. */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Lays unpacked packages into an empty directory, merged as Debian merges /usr, without what programs do not need. */
export function laySystem(packages: readonly string[], tree: string): void {
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) {
    mkdirSync(join(tree, 'usr', name), { recursive: true })
    symlinkSync(`usr/${name}`, join(tree, name))
  }
  for (const directory of packages) copyTree(directory, tree)
  // Fonts of the console, documentation, conversions between encodings that nobody here uses.
  rmSync(join(tree, 'usr/share'), { recursive: true, force: true })
}

/** Merges a directory into another, in which some of its directories are links. */
function copyTree(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) {
      mkdirSync(target, { recursive: true })
      copyTree(source, target)
    } else if (!existsSync(target)) {
      cpSync(source, target, { verbatimSymlinks: true })
    }
  }
}
