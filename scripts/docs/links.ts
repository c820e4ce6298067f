/** The links between the repository's Markdown files: each leads to a file that is there, and to a heading that it has. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

/** Inline links, and definitions of references. */
const LINKS = /\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm
const CODE = /^```[^]*?^```$/gm

/** The links that lead nowhere, a sentence each; in the files that git knows of or would. */
export function deadLinks(directory = '.'): string[] {
  const listing = ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '*.md']
  const files = execFileSync('git', listing, { cwd: directory, encoding: 'utf8' }).split('\0')
  return files
    .filter((file) => file !== '' && existsSync(join(directory, file)))
    .flatMap((file) => deadLinksOf(directory, file))
}

function deadLinksOf(directory: string, file: string): string[] {
  const text = readFileSync(join(directory, file), 'utf8').replaceAll(CODE, '')
  const targets = [...text.matchAll(LINKS)].map(([, inline = '', defined = '']) => inline || defined)
  return targets.flatMap((target) => {
    // What another site has today is no business of a check that must not fail tomorrow.
    if (/^\w+:\/\//.test(target) || target.startsWith('mailto:')) return []
    const [path = '', heading] = target.split('#')
    const to = path === '' ? file : normalize(join(dirname(file), path))
    if (!existsSync(join(directory, to))) return [`${file} links to ${target}, and there is no ${to}`]
    if (heading === undefined || !isMarkdown(join(directory, to))) return []
    const isThere = headingsOf(readFileSync(join(directory, to), 'utf8')).has(heading)
    return isThere ? [] : [`${file} links to ${target}, and there is no such heading`]
  })
}

function isMarkdown(path: string): boolean {
  return path.endsWith('.md') && statSync(path).isFile()
}

/** The headings as GitHub names them in links. */
function headingsOf(text: string): Set<string> {
  const names = new Set<string>()
  const taken = new Map<string, number>()
  for (const [, words = ''] of text.replaceAll(CODE, '').matchAll(/^#{1,6} +(.+?)\s*$/gm)) {
    const plain = words.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const name = plain.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-')
    // The second of a name is `name-1`.
    const times = taken.get(name) ?? 0
    taken.set(name, times + 1)
    names.add(times === 0 ? name : `${name}-${times}`)
  }
  return names
}
