/** docs/kinds.md. */
import type { Run } from './run.js'
import type { Excluded } from './select.js'

export function pageOf(_run: Run, _excluded: Excluded[]): string {
  return ''
}
