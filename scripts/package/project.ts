/** An empty project with the tarballs in it, on a PATH without a compiler. */
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'

import { type Output, run } from '../common/commands.js'
import { Missing } from '../common/failure.js'

/** What programs of users call, and npm. No cargo, no rustc, no gcc. */
const PROGRAMS = ['sh', 'mkfifo', 'uname', 'getconf', 'ldd', 'env']
const FORBIDDEN = ['cargo', 'rustc', 'gcc', 'cc', 'make', 'python3'] as const

/** Where programs run, and all that they find in their environment. */
export interface Place {
  directory: string
  env: NodeJS.ProcessEnv
}

function find(program: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** A directory for PATH that holds what is needed, and `node`. */
export function makePath(directory: string, node: string): string {
  mkdirSync(directory, { recursive: true })
  for (const program of PROGRAMS) {
    const path = find(program)
    if (path !== undefined) symlinkSync(path, join(directory, program))
  }
  symlinkSync(node, join(directory, 'node'))
  const wrong = FORBIDDEN.find((program) => existsSync(join(directory, program)))
  if (wrong !== undefined) throw new Error(`${wrong} is in ${directory}`)
  return directory
}

/** An environment with nothing of this process's own but where it is. */
export function environment(path: string, home: string): NodeJS.ProcessEnv {
  return { PATH: path, HOME: home, TMPDIR: process.env['TMPDIR'] ?? '/tmp', LC_ALL: 'C' }
}

/** Installs as a user does, and says what of ours came. */
export async function install(project: string, registry: string, more: readonly string[]): Promise<string[]> {
  const manifest = { name: 'project-of-a-user', private: true, type: 'module' }
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest, undefined, 2))
  const npm = find('npm')
  if (npm === undefined) throw new Missing('npm is missing: apt-get install npm')
  const path = makePath(`${project}-install-bin`, process.execPath)
  const place = { directory: project, env: { ...process.env, PATH: path } }
  const options = ['--no-audit', '--no-fund', '--foreground-scripts', '--noproxy=127.0.0.1', ...more]
  // What npm remembers of another run was of another registry.
  const own = [`--registry=${registry}`, `--cache=${project}-npm-cache`]
  await mustRunIn(place, ['node', npm, 'install', 'uring-safe-cancel', ...own, ...options])
  return readdirSync(join(project, 'node_modules')).filter((name) => name.startsWith('uring-safe-cancel'))
}

/** Whether a package of the project has a script that npm runs when it is installed. */
export function installScripts(project: string, name: string): string[] {
  const path = join(project, 'node_modules', name, 'package.json')
  const { scripts = {} } = JSON.parse(readFileSync(path, 'utf8')) as { scripts?: Record<string, string> }
  return Object.keys(scripts).filter((script) => /^(pre|post)?install$/.test(script))
}

/** Runs a program in the project. */
export async function runIn(
  { directory, env }: Place,
  [program = '', ...args]: readonly string[],
  limitSeconds = 300,
): Promise<Output> {
  return run(program, args, { cwd: directory, env, onlyEnv: true, limitSeconds })
}

/** The same, for what must succeed: its stdout. */
export async function mustRunIn(
  place: Place,
  command: readonly string[],
  limitSeconds = 300,
): Promise<string> {
  const { status, stdout, stderr } = await runIn(place, command, limitSeconds)
  if (status !== 0) {
    throw new Error(`${command.join(' ')}: ended with ${status}\n${(stdout + stderr).trim().slice(-3000)}`)
  }
  return stdout
}

/** Lays a file of this repository, or a text, into the project. */
export function lay(project: string, name: string, from: { path: string } | { text: string }): void {
  if ('path' in from) cpSync(from.path, join(project, name), { recursive: true })
  else writeFileSync(join(project, name), from.text)
}
