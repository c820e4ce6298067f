/**
 * `exits.js WAY PATH BYTES`: opens a line with O_NONBLOCK, writes, and prints how much; then closes, waits for the close, prints what
 * came of it, and ends the process at once.
 */
import { constants, writeSync } from 'node:fs'
import process from 'node:process'

import { Ring } from 'uring-safe-cancel'

import { WAYS } from '../row.js'
import { pattern } from '../rows/values.js'
import { wayOf } from './ways.js'

const [, , wanted, path = '', bytes] = process.argv
const name = WAYS.find((way) => way === wanted)
if (name === undefined) throw new Error(`no way ${wanted}`)
// Blocking calls of the process itself, where that is asked for: node:fs's with one behind the other are the same.
const way = await wayOf(name === 'plain' ? 'fs' : name, new Ring())
const { O_NOCTTY, O_NONBLOCK, O_RDWR } = constants
const fd = await way.open(path, O_RDWR | O_NOCTTY | O_NONBLOCK)
const { count } = await way.write(fd, pattern(Number(bytes)), { timeout: 1000 })
writeSync(1, `${count}\n`)
writeSync(1, `${await way.close(fd)}\n`)
process.exit(0)
