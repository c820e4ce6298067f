/** What a public symbol's docstring must have beyond being there: an example, its errors, its units. */
import { examplesOf } from './examples.js'
import { Kind, type Reflection, summaryOf, symbolsOf, tagsOf, type Type } from './reflections.js'

const NEED_EXAMPLES: ReadonlySet<number> = new Set([
  Kind.VARIABLE,
  Kind.FUNCTION,
  Kind.CLASS,
  Kind.INTERFACE,
  Kind.CONSTRUCTOR,
  Kind.METHOD,
  Kind.ACCESSOR,
  Kind.TYPE_ALIAS,
])
const CALLED: ReadonlySet<number> = new Set([Kind.FUNCTION, Kind.CONSTRUCTOR, Kind.METHOD])

/** The one form in which a docstring says that there are no errors. */
const NO_ERRORS = /\bNever (?:throws|rejects)\./

/**
 * What a number may be. A count begins with what is counted: the name of a thing anywhere in the text says nothing of
 * the number, nor does `ms` in an explanation.
 */
const UNITS: readonly RegExp[] = [
  /\bmilliseconds\b/i,
  /\bbytes\b/i,
  /^(?:How many|How often|The most|Entries|Operations)\b/,
  /\b(?:bits|mask|count)\b/,
  /\b(?:descriptor|number)\b/i,
  /\berrno\b/,
]

/** What is missing, a sentence each. */
export function missingIn(project: Reflection): string[] {
  return symbolsOf(project).flatMap(({ name, reflection }) =>
    [exampleOf(reflection), errorsOf(reflection), ...unitsOf(reflection)]
      .filter((missing) => missing !== undefined)
      .map((missing) => `${name} ${missing}`),
  )
}

function exampleOf(reflection: Reflection): string | undefined {
  const isThere = !NEED_EXAMPLES.has(reflection.kind) || examplesOf(reflection).length > 0
  return isThere ? undefined : 'has no example'
}

function errorsOf(reflection: Reflection): string | undefined {
  if (!CALLED.has(reflection.kind)) return undefined
  const isThere = tagsOf(reflection, '@throws').length > 0 || NO_ERRORS.test(summaryOf(reflection))
  return isThere ? undefined : "has no @throws, and does not say 'Never throws.' or 'Never rejects.'"
}

/** A property says its unit itself; a parameter by its name, or in a sentence that has the name. */
function unitsOf(reflection: Reflection): string[] {
  if (reflection.kind === Kind.PROPERTY) {
    const isSaid = !isNumber(reflection.type) || hasUnit(summaryOf(reflection))
    return isSaid ? [] : ['is a number, and does not say its unit']
  }
  const parameters = (reflection.signatures ?? []).flatMap((signature) => signature.parameters ?? [])
  const names = parameters.filter(({ type }) => isNumber(type)).map(({ name }) => name)
  const sentences = summaryOf(reflection).split(/[.;](?=\s)/)
  return [...new Set(names)]
    .filter((name) => !hasUnit(name))
    .filter((name) => !sentences.some((one) => one.includes(`\`${name}\``) && hasUnit(one)))
    .map((name) => `takes the number ${name}, and does not say its unit`)
}

function hasUnit(text: string): boolean {
  return UNITS.some((unit) => unit.test(text))
}

function isNumber(type: Type | undefined): boolean {
  if (type === undefined) return false
  if (type.type === 'intrinsic') return type.name === 'number' || type.name === 'bigint'
  return type.type === 'union' && (type.types ?? []).some(isNumber)
}
