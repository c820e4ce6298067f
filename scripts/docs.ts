/**
 * `npm run docs`: the documentation of the public API (typedoc) and of the crates (rustdoc), into target/, where a
 * warning is an error. Every public symbol must be documented, with units, errors and an example; the examples of the
 * docstrings and of the README must compile; the links of the Markdown files must lead somewhere. It reads what
 * `npm run build` made.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'

import { checkExamples } from './docs/compile.js'
import { missingIn } from './docs/demands.js'
import { apiExamples, readmeExamples } from './docs/examples.js'
import { deadLinks } from './docs/links.js'
import type { Reflection } from './docs/reflections.js'
import { run } from './docs/run.js'

const TYPEDOC = 'docs/api'
const API = 'target/docs/api.json'

function age(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

/** Whether what npm installed is at least as new as what it should install. */
function isInstalled(): boolean {
  const [installed, wanted] = ['node_modules/.package-lock.json', 'package-lock.json'].map((name) =>
    age(`${TYPEDOC}/${name}`),
  )
  return installed !== undefined && wanted !== undefined && installed >= wanted
}

/** What went wrong, one sentence each. */
const findings: string[] = deadLinks()

if (!existsSync('binding.d.cts')) throw new Error('there is no binding.d.cts yet: npm run build')

if (!isInstalled() && !run('npm', ['ci', '--prefix', TYPEDOC, '--ignore-scripts', '--loglevel', 'error'])) {
  throw new Error('npm ci failed: without it there is no typedoc')
}
if (run(`${TYPEDOC}/node_modules/.bin/typedoc`, ['--options', `${TYPEDOC}/typedoc.json`])) {
  const api: Reflection = JSON.parse(readFileSync(API, 'utf8'))
  findings.push(...missingIn(api))
  const all = [...apiExamples(api), ...readmeExamples(readFileSync('README.md', 'utf8'))]
  if (checkExamples(all)) console.log(`${all.length} examples compile`)
  else findings.push('an example does not compile')
} else {
  findings.push('typedoc has findings')
}

const cargo = ['doc', '--no-deps', '--workspace', '--all-features', '--quiet']
if (!run('cargo', cargo, { RUSTDOCFLAGS: '-D warnings' })) findings.push('rustdoc has findings')

for (const finding of findings) console.error(`docs: ${finding}`)
if (findings.length > 0) process.exitCode = 1
else console.log('target/docs/api and target/doc: no findings')
