/** `uring-safe-cancel doctor`: examines the machine, and prints what it found. */
import type { DoctorArguments } from './arguments.js'
import { examine } from './examination.js'
import { formatExamination } from './report.js'

/** Runs the command, and gives back the exit status. */
export async function runDoctor({ json }: DoctorArguments, version: string): Promise<number> {
  const examination = await examine(version)
  process.stdout.write(
    json ? `${JSON.stringify(examination, undefined, 2)}\n` : formatExamination(examination),
  )
  return examination.status
}
