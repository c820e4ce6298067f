/** Modules of Go, pinned: fetched by go, which knows the proxy of this machine, and checked here. */
import type { Cache } from './cache.js'
import { demand, run } from './commands.js'
import { Missing } from './failure.js'

export interface GoModule {
  module: string
  version: string
  /** What go.sum would hold of it. */
  sum: string
}

/** What `go mod download -json` prints. */
interface Download {
  Dir?: string
  Sum?: string
  Error?: string
}

/** The module's directory, in Go's own cache. */
export async function fetchGoModule(cache: Cache, wanted: GoModule): Promise<string> {
  const name = `${wanted.module}@${wanted.version}`
  demand('go', `golang-go (it fetches ${wanted.module})`)
  const { status, stdout, stderr } = await run('go', ['mod', 'download', '-json', name], {
    // Beside no go.mod and no go.work, which would have a say in it.
    cwd: cache.scratch('go'),
    env: { GOFLAGS: '', GOWORK: 'off', GOTOOLCHAIN: 'local' },
  })
  const { Dir: directory, Sum: sum, Error: error } = parse(stdout)
  if (status !== 0 || directory === undefined) {
    const why = (error ?? stderr).trim() || `it ended with ${status}`
    throw new Missing(`go does not give ${name}: ${why.replaceAll(/\s+/g, ' ')}`)
  }
  if (sum !== wanted.sum) throw new Missing(`${name} has the wrong contents: ${sum}`)
  return directory
}

function parse(text: string): Download {
  try {
    return JSON.parse(text) as Download
  } catch {
    return {}
  }
}
