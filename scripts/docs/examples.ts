/** The examples of the docstrings, out of typedoc's JSON, and those of the README. */
import { type Reflection, symbolsOf, tagsOf } from './reflections.js'

/** A piece of TypeScript, and where it stands. */
export interface Example {
  name: string
  code: string
}

const TYPESCRIPT = /^```ts\n([\s\S]*?)^```/gm

/** The examples of the API. */
export function apiExamples(project: Reflection): Example[] {
  return symbolsOf(project).flatMap(({ name, reflection }) =>
    examplesOf(reflection).map((code, index) => ({
      name: index === 0 ? name : `${name} (${index + 1})`,
      code,
    })),
  )
}

/** A symbol's examples, each once. */
export function examplesOf(reflection: Reflection): string[] {
  return [...new Set(tagsOf(reflection, '@example').flatMap((text) => blocks(text, TYPESCRIPT)))]
}

function blocks(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, code = '']) => code)
}

/** The README's code. What is JavaScript there must be TypeScript too. */
export function readmeExamples(text: string): Example[] {
  return blocks(text, /^```(?:ts|js)\n([\s\S]*?)^```/gm).map((code, index) => ({
    name: `README ${index + 1}`,
    code,
  }))
}
