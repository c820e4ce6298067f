/** What `npm run docs` finds missing. (That the documentation as it is lacks nothing, it shows itself.) */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import test from 'ava'
import { Ring } from 'uring-safe-cancel'

import { missingIn } from '../scripts/docs/demands.js'
import { apiExamples } from '../scripts/docs/examples.js'
import { deadLinks } from '../scripts/docs/links.js'
import { type Comment, Kind, type Reflection, type Type } from '../scripts/docs/reflections.js'
import { HOME } from './fixtures/programs.js'
import { directoryFor } from './helpers.js'

const NUMBER = { type: 'intrinsic', name: 'number' }
const EXAMPLE = '```ts\nawait ring.nop()\n```'

/** A docstring: its text, and its tags. */
function comment(text: string, tags: Record<string, string> = {}): Comment {
  const blockTags = Object.entries(tags).map(([tag, content]) => ({ tag, content: [{ text: content }] }))
  return { summary: [{ text }], blockTags }
}

/** A class with one member. */
function missing(member: Reflection): string[] {
  const owner = { name: 'Ring', kind: Kind.CLASS, comment: comment('A ring.', { '@example': EXAMPLE }) }
  return missingIn({ name: 'package', kind: 1, children: [{ ...owner, children: [member] }] })
}

test('constructors, methods and the rest need an example', (t) => {
  for (const [name, kind] of [
    ['constructor', Kind.CONSTRUCTOR],
    ['nop', Kind.METHOD],
  ] as const) {
    const of = (tags: Record<string, string>) =>
      missing({ name, kind, signatures: [{ name, kind, comment: comment('Does it.', tags) }] })
    t.deepEqual(of({ '@throws': 'EBADF', '@example': EXAMPLE }), [])
    t.deepEqual(of({ '@throws': 'EBADF' }), [`Ring.${name} has no example`])
    t.deepEqual(of({ '@throws': 'EBADF', '@example': 'nothing in TypeScript' }), [
      `Ring.${name} has no example`,
    ])
  }
  const getSignature = { name: 'closed', kind: 524_288, comment: comment('Whether it is closed.') }
  t.deepEqual(missing({ name: 'closed', kind: Kind.ACCESSOR, getSignature }), ['Ring.closed has no example'])
})

/** What a method lacks that has an example. */
function method(text: string, tags: Record<string, string> = {}): number {
  const signature = { name: 'nop', kind: 4096, comment: comment(text, { '@example': EXAMPLE, ...tags }) }
  return missing({ name: 'nop', kind: Kind.METHOD, signatures: [signature] }).length
}

test('whatever is called names its errors, or says that it has none', (t) => {
  t.is(method('Does it.'), 1)
  t.is(method('It never throws up its hands.'), 1)
  t.is(method('Does it.', { '@throws': 'EBADF' }), 0)
  t.is(method('Does it. Never throws.'), 0)
  t.is(method('Does it. Never rejects. It waits.'), 0)
})

test('a number names its unit: bytes, milliseconds, or what it counts', (t) => {
  const of = (text: string, type: Type = NUMBER) =>
    missing({ name: 'timeout', kind: Kind.PROPERTY, comment: comment(text), type }).length
  t.is(of('How long it waits, in milliseconds.'), 0)
  t.is(of('How many operations it had.'), 0)
  t.is(of('Operations that settled.'), 0)
  t.is(of('How long it waits. 20 ms are enough.'), 1)
  t.is(of('Cancels the operations after so many things.'), 1)
  t.is(of('Whether it waits.', { type: 'intrinsic', name: 'boolean' }), 0)
  t.is(of('Where.', { type: 'union', types: [NUMBER, { type: 'literal' }] }), 1)

  const takes = (text: string, name: string) => {
    const tags = { '@throws': 'EBADF', '@example': EXAMPLE }
    const parameters = [{ name, kind: 32_768, type: NUMBER }]
    const signature = { name: 'read', kind: 4096, comment: comment(text, tags), parameters }
    return missing({ name: 'read', kind: Kind.METHOD, signatures: [signature] }).length
  }
  t.is(takes('Begins at `position`.', 'position'), 1)
  t.is(takes('Begins at `position`. It is fast with many bytes.', 'position'), 1)
  t.is(takes('Begins at `position`, in bytes.', 'position'), 0)
  t.is(takes('Waits.', 'milliseconds'), 0)
})

test('what is inherited is documented elsewhere, unless it is of a symbol that is not in the API', (t) => {
  const on = { name: 'on', kind: Kind.METHOD }
  t.deepEqual(missing({ ...on, inheritedFrom: { target: 7 } }), [])
  t.deepEqual(missing({ ...on, inheritedFrom: { target: -1, package: '@types/node' } }), [])
  for (const inheritedFrom of [{ target: -1 }, { target: -1, package: 'package' }]) {
    t.is(missing({ ...on, inheritedFrom }).length, 2, 'its example, and its errors')
  }
})

test('examples are found once, with the name of their symbol', (t) => {
  const both = comment('Does it.', { '@example': EXAMPLE })
  const signatures = [1, 2].map(() => ({ name: 'nop', kind: 4096, comment: both }))
  const children = [{ name: 'nop', kind: Kind.FUNCTION, signatures }]
  t.deepEqual(apiExamples({ name: 'package', kind: 1, children }), [
    { name: 'nop', code: 'await ring.nop()\n' },
  ])
})

test('dead links: files and headings that are not there', (t) => {
  const directory = directoryFor(t)
  const git = (...args: string[]) => execFileSync('git', args, { cwd: directory, stdio: 'ignore' })
  mkdirSync(join(directory, 'docs'))
  writeFileSync(join(directory, 'LICENSE'), '')
  writeFileSync(join(directory, '.gitignore'), 'ignored.md\n')
  writeFileSync(join(directory, 'ignored.md'), '[dead](nowhere.md)\n')
  writeFileSync(
    join(directory, 'docs/contract.md'),
    '# The `contract`, in full\n## Once\n## Once\n[up](../LICENSE) [self](#once) [second](#once-1)\n',
  )
  const alive =
    '[a](docs/contract.md) [b](docs/contract.md#the-contract-in-full) [c](https://x.test/y) [d](docs/)\n'
  writeFileSync(join(directory, 'README.md'), `${alive}\`\`\`js\nlist[0](nothing.md)\n\`\`\`\n[e]: LICENSE\n`)
  git('init')
  t.deepEqual(deadLinks(directory), [])

  writeFileSync(
    join(directory, 'README.md'),
    '[a](docs/kontract.md)\n[b](docs/contract.md#twice)\n[c][d]\n\n[d]: nowhere.md\n',
  )
  t.deepEqual(deadLinks(directory), [
    'README.md links to docs/kontract.md, and there is no docs/kontract.md',
    'README.md links to docs/contract.md#twice, and there is no such heading',
    'README.md links to nowhere.md, and there is no nowhere.md',
  ])
})

test('the ranges that the docstrings of the options name are those that are checked', async (t) => {
  const DAY = 86_400_000
  const text = readFileSync(join(HOME, 'src/arguments/ring-options.ts'), 'utf8')
  const documented = [...text.matchAll(/\/\*\*((?:(?!\*\/)[^])*?)\*\/\s+(\w+)\?: number$/gm)]
  t.is(documented.length, 8)
  for (const [, docstring = '', name = ''] of documented) {
    const range = /\b([\d.]+) to (a day|2 \*\* 46|\d+)/.exec(docstring.replaceAll(/\n\s*\* /g, ' '))
    const [, least = '', most = ''] = range ?? []
    const end = most === 'a day' ? DAY : most === '2 ** 46' ? 2 ** 46 : Number(most)
    t.true(Number(least) >= 0 && end > 0, `${name}: ${docstring}`)
    for (const value of [Number(least), end]) await optionsWith(name, value).destroy()
    for (const value of [Number(least) - 0.001, Number(least) - 1, end + 1]) {
      t.throws(() => optionsWith(name, value), { code: 'ERR_OUT_OF_RANGE' }, `${name}: ${value}`)
    }
  }
})

/** A ring with one option, and what has to fit to it. */
function optionsWith(name: string, value: number): Ring {
  if (name === 'completionEntries') return new Ring({ entries: 1, completionEntries: value })
  if (name === 'firstDelay') return new Ring({ cancel: { firstDelay: value, maxDelay: 86_400_000 } })
  if (name === 'maxDelay') return new Ring({ cancel: { firstDelay: 0.01, maxDelay: value } })
  return new Ring(name === 'stuckAfter' ? { cancel: { [name]: value } } : { [name]: value })
}

test('CONTRIBUTING.md: the table of the rooms of src/ is the listing of the folder', (t) => {
  const text = readFileSync(join(HOME, 'CONTRIBUTING.md'), 'utf8')
  const [, table = ''] = /^\| `src\/` \|.*\n.*\n((?:\|.*\n)+)/m.exec(text) ?? []
  const named = [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, name = '']) => name)
  const found = readdirSync(join(HOME, 'src'), { withFileTypes: true })
  const names = found.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
  t.deepEqual(
    names.filter((name) => !named.includes(name)),
    [],
    'in the folder alone',
  )
  t.is(named.length, names.length)
})
