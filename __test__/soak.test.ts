/** The soak's verdict, and that leaks fail it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

import test from 'ava'

import { LEAKS } from '../scripts/soak/leak.js'
import { emptySeries } from '../scripts/soak/sample.js'
import { judge, median, slope } from '../scripts/soak/verdict.js'
import { HOME } from './fixtures/programs.js'

function isFlat(values: number[], bound = 10): boolean {
  return judge({ name: 'a quantity', unit: 'MiB', bound, values }).isFlat
}

function noise(index: number): number {
  return (index * 7919) % 13
}

function numbers(count: number, at: (index: number) => number): number[] {
  return Array.from({ length: count }, (_, index) => at(index))
}

test('medians and slopes', (t) => {
  t.is(median([3, 1, 2]), 2)
  t.is(median([4, 1, 2, 3]), 2.5)
  t.is(slope([5, 5, 5]), 0)
  t.is(slope([1, 3, 5, 7]), 2)
  t.is(slope([1, 3, 500, 7, 9]), 2)
})

test('what is flat, noisy, has peaks, falls, or grows in its first quarter only is flat', (t) => {
  t.true(isFlat(numbers(60, () => 100)))
  t.true(isFlat(numbers(60, (index) => 100 + noise(index))))
  t.true(isFlat(numbers(60, (index) => (index % 5 === 0 ? 500 : 100))))
  t.true(isFlat(numbers(60, (index) => 500 - index)))
  t.true(isFlat(numbers(60, (index) => Math.min(100 * index, 1500))))
})

test('what grows is not flat, however slowly and with whatever noise, if it passes the bound', (t) => {
  t.false(isFlat(numbers(60, (index) => index)))
  t.false(isFlat(numbers(60, (index) => index / 2 + noise(index))))
  t.false(isFlat(numbers(60, (index) => 100 * Math.floor(index / 12))))
  t.false(isFlat(numbers(60, (index) => index - (index % 5 === 0 ? 300 : 0))))
  t.false(isFlat(numbers(8, (index) => 3 * index)))
})

/** A run of few and short spells, by its output. */
async function soak(...args: string[]): Promise<{ status: number | null; output: string }> {
  const command = ['--expose-gc', '--import=./scripts/register.mjs', 'scripts/soak.ts', '--spells', '12']
  const child = spawn(process.execPath, [...command, ...args], {
    cwd: HOME,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, output }
}

test('a leak of each quantity fails the soak', async (t) => {
  const { status, output } = await soak(...Object.keys(LEAKS).flatMap((leak) => ['--leak', leak]))
  t.is(status, 1, output)
  const quantities = Object.values(emptySeries()).map(({ name }) => name)
  t.is(quantities.length, Object.keys(LEAKS).length)
  for (const name of quantities) t.regex(output, new RegExp(`^FAIL  ${name} `, 'm'))
  t.regex(output, /\n8 passed, 7 failed\n$/, 'the load itself went well')
})
