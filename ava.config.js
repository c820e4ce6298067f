export default {
  files: ['__test__/**/*.test.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--expose-gc', '--import=./scripts/register.mjs'],
  // A native addon is tested in a process of its own for each file: a crash costs that file alone.
  workerThreads: false,
  // Races and memory are measured on a quiet machine: one file at a time (`concurrency: 1`), and one test in it.
  serial: true,
  timeout: '2m',
}
