export default {
  files: ['__test__/**/*.test.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--expose-gc', '--import=./scripts/register.mjs'],
  // A native addon is tested in a process of its own for each file: a crash costs that file alone.
  workerThreads: false,
  // One file at a time, and one test in it; scripts/ava-files.ts says which of them have a second run of ava beside them.
  serial: true,
  timeout: '2m',
}
