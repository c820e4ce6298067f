/** What two builds are compared in: one work each, whose variants differ by the library alone. */
import { BLOCK } from '../files.js'
import type { Settings } from '../protocol.js'
import type { Work } from '../work.js'
import { node } from '../works/variants.js'

/** The variants of every row: the other build, the same once more in a process of its own, and this build. */
export const BASE = 'base'
export const AGAIN = 'base-again'
export const THIS = 'this'

interface Row {
  id: string
  title: string
  settings: Settings
}

const CONCURRENCY = [1, 32]

function rows(path: string): Row[] {
  const pipe = { work: 'pipe', api: 'ring' } as const
  return [
    { id: 'nop', title: 'nop', settings: { work: 'nop', api: 'ring' } },
    {
      id: 'pipe',
      title: '1-byte reads of one pipe, bytes there',
      settings: { ...pipe, there: true },
    },
    {
      id: 'pipe-waits',
      title: '1-byte reads of one pipe, bytes not there yet',
      settings: { ...pipe, there: false },
    },
    {
      id: 'read',
      title: '4 KiB cached reads at a position',
      settings: { work: 'read', api: 'ring', memory: 'core', path, length: BLOCK },
    },
    {
      id: 'current',
      title: '4 KiB cached reads at the current position',
      settings: { work: 'current', api: 'ring', path },
    },
  ]
}

/**
 * What it costs to ask first what a number leads to, by this build alone: of a pipe that the ring opened it knows, and asks
 * nothing.
 */
export function worksOfLooks(): Work[] {
  const settings = { work: 'pipe', api: 'ring', there: true } as const
  const known = node(BASE, 'opened by the ring', { ...settings, opened: true })
  return [
    {
      id: 'looks',
      title: '1-byte reads of one pipe, bytes there',
      description: '',
      unit: 'in flight',
      concurrency: CONCURRENCY,
      peer: BASE,
      details: [],
      variants: [
        known,
        { ...known, id: AGAIN, name: 'the same again' },
        node(THIS, 'opened elsewhere', settings),
      ],
    },
  ]
}

/** The rows as works. `path` is a file of blocks; the libraries are those of the two builds. */
export function worksAgainst(path: string, library: { base: string; here: string }): Work[] {
  return rows(path).map(({ id, title, settings }) => {
    const base = node(BASE, 'the other build', { ...settings, library: library.base })
    return {
      id,
      title,
      description: '',
      unit: 'in flight',
      concurrency: CONCURRENCY,
      peer: BASE,
      details: [],
      variants: [
        base,
        { ...base, id: AGAIN, name: 'the other build again' },
        node(THIS, 'this build', { ...settings, library: library.here }),
      ],
    }
  })
}
