/** What `uring-safe-cancel` takes. It loads what it needs when it needs it: help and version work anywhere. */
import { VERSION } from '../native/addon/version.js'
import { DOCTOR_HELP, parseDoctorArguments } from './doctor/arguments.js'
import { parseArguments, STRESS_HELP } from './stress/arguments.js'
import { UsageError } from './usage-error.js'

const HELP = `Usage: uring-safe-cancel <command> [options]

Commands:
  doctor      tell what this machine offers: kernel, io_uring or what forbids it, fallbacks, limits, known faults
  stress      replicate the report that a cancelled io_uring read may never complete, and show that it does here

Options:
  -h, --help  print this, or after a command what it takes, and its exit statuses
  --version   print the version

Exit status:
  0    all is well
  1    a check failed, or this program did
  2    no io_uring here
  3    the native addon cannot be loaded (doctor)
  64   wrong arguments
  130  interrupted by Ctrl-C (stress)
`

const USAGE_ERROR = 64

interface Common {
  help: boolean
  version: boolean
}

/** Answers `--help` and `--version`, or runs the command. */
async function answer(options: Common, help: string, run: () => number | Promise<number>): Promise<number> {
  if (options.help) process.stdout.write(help)
  else if (options.version) process.stdout.write(`${VERSION}\n`)
  else return run()
  return 0
}

async function stress(args: string[]): Promise<number> {
  const options = parseArguments(args)
  return answer(options, STRESS_HELP, async () => {
    const { runStress } = await import('./stress/command.js')
    return runStress(options, VERSION)
  })
}

async function doctor(args: string[]): Promise<number> {
  const options = parseDoctorArguments(args)
  return answer(options, DOCTOR_HELP, async () => {
    const { runDoctor } = await import('./doctor/command.js')
    return runDoctor(options, VERSION)
  })
}

const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<number>>> = { doctor, stress }

async function dispatch([command, ...args]: readonly string[]): Promise<number> {
  switch (command) {
    case '-h':
    case '--help':
      process.stdout.write(HELP)
      return 0
    case '--version':
      process.stdout.write(`${VERSION}\n`)
      return 0
    case undefined:
      throw new UsageError('a command is missing: doctor or stress')
    default: {
      const chosen = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined
      if (chosen === undefined)
        throw new UsageError(`'${command}' is no command: there are doctor and stress`)
      return chosen(args)
    }
  }
}

/** Runs the command, and gives back its exit status. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const command = args[0] !== undefined && Object.hasOwn(COMMANDS, args[0]) ? ` ${args[0]}` : ''
    process.stderr.write(`uring-safe-cancel: ${error.message}\nTry uring-safe-cancel${command} --help\n`)
    return USAGE_ERROR
  }
}
