/** Deliberate leaks, one for each quantity: they show that the soak can fail. */
import { eventfd, pipe, Ring } from 'uring-safe-cancel'

const kept: unknown[] = []

export const LEAKS: Record<string, (ring: Ring) => void> = {
  descriptors: () => void eventfd(),
  operations: (ring) => {
    const { readFd } = pipe()
    kept.push(ring.read(readFd, Buffer.alloc(1)))
  },
  core: (ring) => void kept.push(ring.alloc(1 << 20)),
  mapped: () => void kept.push(new Ring({ arenaBytes: 16 << 20 }).alloc(10 << 20).fill(1)),
  heap: () => void kept.push(Array.from({ length: 100_000 }, (_, index) => ({ index }))),
  external: () => void kept.push(new Uint8Array(1 << 20)),
  resident: () => void kept.push(new Uint8Array(4 << 20).fill(1)),
}
