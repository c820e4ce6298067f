/** The command line of `uring-safe-cancel doctor`. */
import { parseArgs } from 'node:util'

import { UsageError } from '../usage-error.js'

export const DOCTOR_HELP = `Usage: uring-safe-cancel doctor [options]

Tells what this machine offers: the kernel, whether io_uring may be used and what forbids it, what rings do without,
the limit of locked memory, which build of the addon is loaded, and what is known of this kernel's faults. Then it
tries: a ring is filled, a read is cancelled, and bytes go through a pipe.

Options:
  --json      print one JSON document instead of text
  -h, --help  print this
  --version   print the version

Exit status:
  0    io_uring works here
  1    there is io_uring, but the trial of it failed; or this program did, for want of descriptors, say
  2    no io_uring here: the kernel has none, or it is forbidden
  3    the native addon cannot be loaded (another system than Linux, no build for this processor, ...)
  64   wrong arguments
`

/** What the command line asked for. */
export interface DoctorArguments {
  help: boolean
  version: boolean
  json: boolean
}

/** @throws UsageError */
export function parseDoctorArguments(args: readonly string[]): DoctorArguments {
  const { help = false, version = false, json = false } = parse(args)
  return { help, version, json }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}
