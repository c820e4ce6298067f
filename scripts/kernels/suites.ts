/**
 * Which tests run in the guests: those that pin down what a kernel does. A new file is named here.
 *
 * Left out, because a kernel makes no difference to them, or because they measure time on a machine that is not
 * emulated: cli, hostile, leaks, stress and waker of `__test__/`, and all tests of the core that run
 * over a scripted kernel.
 */

/** Test programs of crates/uring-safe-cancel: its unit tests (`lib`), and files in its `tests/`. */
export const RUST_SUITES: readonly RegExp[] = [/^lib$/, /^ring$/, /^tokio$/, /table/]

/** Where not all tests of a program concern the kernel: beginnings of the names of those that do. */
export const RUST_FILTERS: Readonly<Record<string, readonly string[]>> = {
  lib: ['real::', 'tokio::', 'memory::', 'descriptor::'],
}

/** Files of `__test__/`. */
export const AVA_SUITES: readonly RegExp[] = [
  /^contract\.test$/,
  /^operations\.test$/,
  /^ownership\.test$/,
  /^arguments\.test$/,
  /table.*\.test$/,
]

/** What those files import from npm, beside what the library depends on. */
export const GUEST_PACKAGES: readonly string[] = ['ava', 'typanion']
