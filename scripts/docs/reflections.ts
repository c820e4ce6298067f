/** What typedoc writes of the API, as far as it is read here. */

/** Text in pieces: words, code, links. */
type Pieces = { text: string }[]

/** A docstring. */
export interface Comment {
  summary: Pieces
  blockTags?: { tag: string; content: Pieces }[]
}

/** A type: `number` is intrinsic, and a union has its members. */
export interface Type {
  type: string
  name?: string
  types?: Type[]
}

/** Where a member comes from: the number of a symbol of the API, or -1, and whose package that is of if typedoc knows. */
interface Inherited {
  target: number
  package?: string
}

/** A symbol, or one of a function's signatures, or a parameter. */
export interface Reflection {
  name: string
  kind: number
  comment?: Comment
  children?: Reflection[]
  signatures?: Reflection[]
  parameters?: Reflection[]
  getSignature?: Reflection
  type?: Type
  inheritedFrom?: Inherited
}

/** typedoc's numbers for the kinds of symbols that are asked for here. */
export const Kind = {
  VARIABLE: 32,
  FUNCTION: 64,
  CLASS: 128,
  INTERFACE: 256,
  CONSTRUCTOR: 512,
  PROPERTY: 1024,
  METHOD: 2048,
  ACCESSOR: 262_144,
  TYPE_ALIAS: 2_097_152,
} as const

/** A symbol of ours with its full name. */
export interface Named {
  name: string
  reflection: Reflection
}

/**
 * All symbols of the API that are ours, with those that they consist of. Not what another symbol of it, or another package,
 * hands on; but the methods of Ring, which it has from src/operations/, are documented nowhere else.
 */
export function symbolsOf(project: Reflection): Named[] {
  const isElsewhere = ({ target, package: home = project.name }: Inherited) =>
    target >= 0 || home !== project.name
  const visit = (reflection: Reflection, owner: string): Named[] => {
    if (reflection.inheritedFrom !== undefined && isElsewhere(reflection.inheritedFrom)) return []
    const name = owner === '' ? reflection.name : `${owner}.${reflection.name}`
    const parts = (reflection.children ?? []).flatMap((child) => visit(child, name))
    return [{ name, reflection }, ...parts]
  }
  return (project.children ?? []).flatMap((child) => visit(child, ''))
}

/** A function's comments are those of its signatures, an accessor's that of its getter. */
export function commentsOf({ comment, signatures = [], getSignature }: Reflection): Comment[] {
  const all = [comment, getSignature?.comment, ...signatures.map((signature) => signature.comment)]
  return all.filter((one) => one !== undefined)
}

/** The text of a symbol's comments before their tags. */
export function summaryOf(reflection: Reflection): string {
  return commentsOf(reflection)
    .map(({ summary }) => textOf(summary))
    .join('\n')
}

/** The texts of one tag. */
export function tagsOf(reflection: Reflection, wanted: string): string[] {
  return commentsOf(reflection)
    .flatMap(({ blockTags = [] }) => blockTags)
    .filter(({ tag }) => tag === wanted)
    .map(({ content }) => textOf(content))
}

function textOf(pieces: Pieces): string {
  return pieces.map(({ text }) => text).join('')
}
