/** What was downloaded, below a folder that git ignores; by version, so that nothing in it gets old. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export class Cache {
  readonly root: string
  #hasRun = false

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
    // Where the next run removes it if this one is killed.
    const unfinished = mkdtempSync(join(this.#run(), 'unfinished-'))
    try {
      await fill(unfinished)
      if (!existsSync(path)) renameSync(unfinished, path)
    } finally {
      rmSync(unfinished, { recursive: true, force: true })
    }
    return path
  }

  /** An empty directory of this process's own, as it had none of this name before. */
  scratch(name: string): string {
    const path = join(this.#run(), name)
    rmSync(path, { recursive: true, force: true })
    mkdirSync(path, { recursive: true })
    return path
  }

  /** Ends with the process. What others left that were killed is removed too. */
  #run(): string {
    const runs = join(this.root, 'runs')
    const own = join(runs, String(process.pid))
    if (this.#hasRun) return own
    this.#hasRun = true
    mkdirSync(own, { recursive: true })
    for (const pid of readdirSync(runs)) {
      if (!existsSync(join('/proc', pid))) rmSync(join(runs, pid), { recursive: true, force: true })
    }
    process.once('exit', () => rmSync(own, { recursive: true, force: true }))
    return own
  }
}
