/** The examples of the docstrings, out of typedoc's JSON, and those of the README. */

/** A piece of TypeScript, and where it stands. */
export interface Example {
  name: string
  code: string
}

/** The name of a symbol. */
export type Undocumented = string

/** What typedoc writes of a symbol: the little of it that is read here. */
interface Reflection {
  name: string
  kind: number
  comment?: { blockTags?: { tag: string; content: { text: string }[] }[]; modifierTags?: string[] }
  children?: Reflection[]
  signatures?: Reflection[]
  getSignature?: Reflection
  inheritedFrom?: unknown
}

/** typedoc's numbers for the kinds of symbols that must have an example. */
const Kind = {
  VARIABLE: 32,
  FUNCTION: 64,
  CLASS: 128,
  INTERFACE: 256,
  METHOD: 2048,
  ACCESSOR: 262_144,
  TYPE_ALIAS: 2_097_152,
} as const
const NEED_EXAMPLES: readonly number[] = Object.values(Kind)

const TYPESCRIPT = /^```ts\n([\s\S]*?)^```/gm

/** The examples of the API, and the symbols that should have one and have none. */
export function apiExamples(project: Reflection): { examples: Example[]; missing: Undocumented[] } {
  const examples: Example[] = []
  const missing: Undocumented[] = []
  const visit = (reflection: Reflection, owner: string) => {
    const name = owner === '' ? reflection.name : `${owner}.${reflection.name}`
    const found = examplesOf(reflection)
    found.forEach((code, index) =>
      examples.push({ name: index === 0 ? name : `${name} (${index + 1})`, code }),
    )
    const isOurs = reflection.inheritedFrom === undefined
    if (isOurs && NEED_EXAMPLES.includes(reflection.kind) && found.length === 0) missing.push(name)
    for (const child of reflection.children ?? []) visit(child, name)
  }
  for (const child of project.children ?? []) visit(child, '')
  return { examples, missing }
}

/** A function's comments are those of its signatures, an accessor's that of its getter. */
function examplesOf({ comment, signatures = [], getSignature }: Reflection): string[] {
  const all = [comment, getSignature?.comment, ...signatures.map((signature) => signature.comment)]
  const texts = all
    .flatMap((one) => one?.blockTags ?? [])
    .filter(({ tag }) => tag === '@example')
    .flatMap(({ content }) => content.map(({ text }) => text))
  return [...new Set(texts.flatMap((text) => blocks(text, TYPESCRIPT)))]
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
