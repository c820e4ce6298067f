/** Compiles examples, each as a program of its own, against the package as it is installed. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Example } from './examples.js'
import { run } from './run.js'

const DIRECTORY = 'target/docs/examples'

/** What an example that imports nothing may use: the package, a ring, a descriptor and a signal. */
const HEAD = `
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

import {
  AbortError, CANCELLED, eventfd, InvalidStateError, pipe, PollEvents, Ring, RingError, TimeoutError,
} from 'uring-safe-cancel'
import type { PipeEnds, Settles } from 'uring-safe-cancel'

declare const ring: Ring
declare const fd: number
declare const signal: AbortSignal
`

const CONFIGURATION = {
  extends: '../../../tsconfig.json',
  // Examples declare what a reader would go on to use.
  compilerOptions: { noUnusedLocals: false, noUnusedParameters: false, rootDir: '../../..' },
  include: ['*.ts'],
}

/** Whether all compile; the compiler says what does not. */
export function checkExamples(examples: Example[]): boolean {
  rmSync(DIRECTORY, { recursive: true, force: true })
  mkdirSync(DIRECTORY, { recursive: true })
  for (const { name, code } of examples) {
    const file = join(DIRECTORY, `${name.replaceAll(/[^\w.]+/g, '-')}.ts`)
    writeFileSync(file, isProgram(code) ? code : program(code))
  }
  writeFileSync(join(DIRECTORY, 'tsconfig.json'), JSON.stringify(CONFIGURATION))
  return run('node_modules/.bin/tsc', ['-p', DIRECTORY])
}

function isProgram(code: string): boolean {
  return /^import /m.test(code)
}

/** In a function, in which it may declare what the head has declared. */
function program(code: string): string {
  return `${HEAD}\nexport async function example(): Promise<void> {\n${code}}\n`
}
