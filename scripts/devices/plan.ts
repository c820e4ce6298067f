/** What runs in each guest, in order. */
import type { Step } from '../kernels/job.js'
import { probeStep } from '../kernels/plan.js'
import type { Device, Row } from './row.js'
import { titleOf } from './row.js'
import { DEVICES } from './rows/index.js'

/** A row, with the device that it is about. */
export interface Planned {
  device: Device
  row: Row
}

/** A device that a kernel does not have. */
export interface Absent {
  device: string
  why: string
}

export interface Plan {
  rows: readonly Planned[]
  absent: readonly Absent[]
  steps: readonly Step[]
}

/** A row waits for devices and for what rescues it: all its ways, thrice at most, take less. */
const ROW_SECONDS = 180
const START_SECONDS = 60
const STRESS_SECONDS = 10
const GRACE_SECONDS = 120
const SUITE_LIMIT_SECONDS = 900
/** Where node:fs waits, a thread does; the control channel needs one, too. */
const THREADS = '16'

/** The name of a device's step. */
export function stepName(device: string): string {
  return `device ${device}`
}

/** What is asked of a kernel of this series; `only` picks rows by their titles, and the other steps by their names. */
export function planFor(series: string, only: RegExp, devices: readonly Device[] = DEVICES): Plan {
  const isThere = ({ only: some }: Device) => some === undefined || some.series.includes(series)
  const rows = devices
    .filter(isThere)
    .flatMap((device) => device.rows.map((row) => ({ device, row })))
    .filter(({ device, row }) => only.test(titleOf(device, row)))
  const absent = devices
    .filter((device) => !isThere(device) && device.rows.some((row) => only.test(titleOf(device, row))))
    .map(({ name, only: some }) => ({ device: name, why: some?.why ?? '' }))
  const asked = [...new Set(rows.map(({ device }) => device))]
  const deviceSteps = asked.map((device) =>
    deviceStep(
      device,
      rows.filter((planned) => planned.device === device).map(({ row }) => row),
    ),
  )
  const others = [contractStep(), stressStep()].filter(({ name }) => only.test(name))
  return { rows, absent, steps: [probeStep(), ...deviceSteps, ...others] }
}

function deviceStep({ name, descriptors, prepare }: Device, rows: readonly Row[]): Step {
  const program = ['node', 'scripts/devices/guest/run.js', name, ...rows.map((row) => row.name)]
  const started = descriptors === undefined ? program : ['descriptors', ...descriptors, ...program]
  const whole =
    prepare === undefined ? started : ['/bin/sh', '-c', `${prepare}\nexec "$@"`, 'prepare', ...started]
  const [command = '', ...args] = whole
  return {
    name: stepName(name),
    command,
    args,
    env: { UV_THREADPOOL_SIZE: THREADS },
    reading: 'json lines',
    limitSeconds: START_SECONDS + ROW_SECONDS * rows.length,
  }
}

/** The contract's tests, on a machine with all these devices. */
function contractStep(): Step {
  return {
    name: 'ava contract',
    command: 'node',
    args: ['node_modules/ava/entrypoints/cli.mjs', '__test__/contract.test.js'],
    env: { URING_SAFE_CANCEL_PROGRAMS: '/app/programs', TMPDIR: '/disk' },
    reading: 'ava',
    limitSeconds: SUITE_LIMIT_SECONDS,
  }
}

function stressStep(): Step {
  const args = ['--async', '--add', '0', '--spin', '300', '--threads', '4', '--mode', 'safe', '--json']
  return {
    name: 'node stress safe',
    command: 'node',
    args: ['dist/src/commands/cli.js', 'stress', ...args, '--seconds', String(STRESS_SECONDS)],
    reading: 'json',
    limitSeconds: STRESS_SECONDS + GRACE_SECONDS,
  }
}
