#!/usr/bin/env node
/** The command `uring-safe-cancel`. It loads what it needs when it needs it: help and version work anywhere. */
import { readFileSync } from 'node:fs'

import { parseArguments, STRESS_HELP, UsageError } from './stress/arguments.js'

const HELP = `Usage: uring-safe-cancel <command> [options]

Commands:
  stress      replicate the report that a cancelled io_uring read may never complete, and show that it does here

Options:
  -h, --help  print this, or after a command what it takes
  --version   print the version
`

const FAILED = 1
const USAGE_ERROR = 64

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  return manifest.version
}

async function stress(args: string[]): Promise<number> {
  const options = parseArguments(args)
  if (options.help) {
    process.stdout.write(STRESS_HELP)
    return 0
  }
  if (options.version) {
    process.stdout.write(`${version()}\n`)
    return 0
  }
  const { runStress } = await import('./stress/command.js')
  return runStress(options, version())
}

async function main([command, ...args]: string[]): Promise<number> {
  switch (command) {
    case 'stress':
      return stress(args)
    case '-h':
    case '--help':
      process.stdout.write(HELP)
      return 0
    case '--version':
      process.stdout.write(`${version()}\n`)
      return 0
    case undefined:
      throw new UsageError('a command is missing: stress')
    default:
      throw new UsageError(`'${command}' is no command: there is stress`)
  }
}

// `uring-safe-cancel stress | head` ends without a complaint.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`uring-safe-cancel: ${error.message}\nTry uring-safe-cancel stress --help\n`)
    process.exitCode = USAGE_ERROR
  } else {
    console.error(error)
    process.exitCode = FAILED
  }
}
