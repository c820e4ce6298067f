/** What was downloaded, below a folder that git ignores; by version, so that nothing in it gets old. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export class Cache {
  readonly root: string

  constructor(root: string) {
    this.root = root
    mkdirSync(root, { recursive: true })
  }

  /**
   * A directory of this name, filled by `fill` unless it is there already. It appears under its name only when it is
   * whole: an interrupted run leaves nothing that the next would trust.
   */
  async directory(name: string, fill: (directory: string) => Promise<void>): Promise<string> {
    const path = join(this.root, name)
    if (existsSync(path)) return path
    const unfinished = mkdtempSync(join(this.root, 'unfinished-'))
    try {
      await fill(unfinished)
      if (!existsSync(path)) renameSync(unfinished, path)
    } finally {
      rmSync(unfinished, { recursive: true, force: true })
    }
    return path
  }

  /** A directory that is the run's own: empty. */
  scratch(name: string): string {
    const path = join(this.root, name)
    rmSync(path, { recursive: true, force: true })
    mkdirSync(path, { recursive: true })
    return path
  }
}
