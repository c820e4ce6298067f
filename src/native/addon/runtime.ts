/** On which runtime this is. */

export interface Runtime {
  name: 'Node' | 'Bun' | 'Deno'
  version: string
}

/** Bun and Deno also claim a version of Node. */
export function runtimeOf(): Runtime {
  const { bun, deno, node } = process.versions
  if (bun !== undefined) return { name: 'Bun', version: bun }
  if (deno !== undefined) return { name: 'Deno', version: deno }
  return { name: 'Node', version: node }
}
