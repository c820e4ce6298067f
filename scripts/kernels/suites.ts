/**
 * Which tests run in the guests: those that pin down what a kernel does. A new file is named here.
 *
 * Left out, because a kernel makes no difference to them, or because they measure time on a machine that is not
 * emulated: cli, hostile, leaks, stress and waker of `__test__/`, and all tests of the core that run
 * over a scripted kernel.
 */

/** Test programs of crates/uring-safe-cancel: its unit tests (`lib`), and files in its `tests/`. */
export const RUST_SUITES: readonly RegExp[] = [/^lib$/, /^ring$/, /^tokio$/, /^kinds$/, /table/]

/** More arguments of some of them. */
export const RUST_ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  // Of these, only those that concern the kernel.
  lib: ['real::', 'tokio::', 'memory::', 'descriptor::'],
  // Its rows are printed on the console.
  operation_table: ['--nocapture'],
}

/** Files of `__test__/`. */
export const AVA_SUITES: readonly RegExp[] = [
  /^contract\.test$/,
  /^operations\.test$/,
  /^ownership\.test$/,
  /^arguments\.test$/,
  /^sequences\.test$/,
  /table.*\.test$/,
  // For guests alone.
  /\.guest$/,
]

/** What those files run, and no compiler puts there. */
export const GUEST_FIXTURES: readonly string[] = ['__test__/fixtures/degrades.mjs']

/** What those files import from npm, beside what the library depends on. */
export const GUEST_PACKAGES: readonly string[] = ['ava', 'fast-check', 'typanion']
