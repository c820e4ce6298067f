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

export function isNode(): boolean {
  return runtimeOf().name === 'Node'
}

/** Whether to wake by the event loop of libuv, which Bun and Deno have not. */
export function hasLibuv(): boolean {
  return isNode() && process.env['URING_SAFE_CANCEL_WAKER'] !== 'thread'
}
