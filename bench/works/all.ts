/** All works, in the report's order. */
import type { Work } from '../work.js'
import { cancels } from './cancels.js'
import { nops } from './nop.js'
import { pingPongs } from './ping-pongs.js'
import { directReads, largeReads, sequentialReads, smallReads } from './reads.js'
import { workerReads } from './workers.js'
import { durableWrites } from './writes.js'

/** What the works need to know of this machine. */
export interface Ground {
  /** Paths of the files. */
  random: string
  sequential: string
  sequentialBytes: number
  written: string
  fileSystem: string
  processors: number
}

export function allWorks({
  random,
  sequential,
  sequentialBytes,
  written,
  fileSystem,
  processors,
}: Ground): Work[] {
  return [
    nops(),
    smallReads(random),
    directReads(random, fileSystem),
    durableWrites(written, fileSystem),
    ...[64, 256, 1024].map((kib) => largeReads(random, kib)),
    sequentialReads(sequential, sequentialBytes),
    ...pingPongs(),
    cancels(),
    workerReads(random, processors),
  ]
}
