/** One boot of a kernel in QEMU. Its exit status says nothing: what came of it is on the console. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

import type { Architecture } from './architecture.js'
import { mustRun } from '../common/commands.js'
import { isBroken } from './console.js'

export interface Boot {
  console: string
  /** It did not end in time, and was killed. */
  timedOut: boolean
  seconds: number
}

export interface BootFiles {
  image: string
  initrd: string
  /** Whose contents do not matter. */
  disk: string
}

export interface BootOptions {
  processor: string
  limitSeconds: number
  /** What else the machine has. */
  devices?: readonly string[]
  /** Called with what the console prints. */
  onOutput?: (text: string) => void
}

/**
 * `oops=panic`: a kernel that is broken ends at once. `quiet` leaves its warnings. `panic=-1`: it would start again at once,
 * which QEMU takes for the end. `maxcpus=1`: a kernel patches its own code most while it boots, and QEMU
 * makes mistakes there with more than one processor (console.ts); the guest brings up the others.
 */
const KERNEL_ARGUMENTS = 'quiet oops=panic panic=-1 maxcpus=1'

/**
 * Bytes a second that the disk delivers. Without a bound they come from this machine's memory, in the guest's eyes at once:
 * a read of 16 MiB shall still be on its way when its cancel comes.
 */
const DISK_READS = 64 << 20

/** Longer than the line that tells of a trap. */
const LINE_CHARACTERS = 200
/** For the traces of both processors. */
const PANIC_MILLISECONDS = 10_000

/** Boots until the guest turns itself off. */
export async function boot(
  { qemu }: Architecture,
  { image, initrd, disk }: BootFiles,
  { processor, limitSeconds, devices = [], onOutput }: BootOptions,
): Promise<Boot> {
  const append = `${qemu.kernelArguments} ${KERNEL_ARGUMENTS}`
  const drive = ['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe,throttling.bps-read=${DISK_READS}`]
  const files = ['-kernel', image, '-initrd', initrd, '-append', append, ...drive]
  const rest = ['-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot', '-nic', 'none']
  const start = performance.now()
  const child = spawn(qemu.program, [...qemu.args, '-cpu', processor, ...files, ...rest, ...devices], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = () => child.kill('SIGKILL')
  let console = ''
  let panic: NodeJS.Timeout | undefined
  const take = (text: string) => {
    console += text
    // A line may come in pieces. A kernel that traps while it panics never ends by itself.
    if (isBroken(console.slice(-text.length - LINE_CHARACTERS)))
      panic ??= setTimeout(kill, PANIC_MILLISECONDS)
    onOutput?.(text)
  }
  child.stdout.setEncoding('utf8').on('data', take)
  // What QEMU itself complains about belongs to the console's tail.
  child.stderr.setEncoding('utf8').on('data', take)
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    kill()
  }, limitSeconds * 1000)
  process.once('exit', kill)
  await once(child, 'close')
  process.off('exit', kill)
  clearTimeout(timer)
  clearTimeout(panic)
  return { console, timedOut, seconds: (performance.now() - start) / 1000 }
}

/** `QEMU emulator version …`, without the rest. */
export async function qemuVersion({ qemu }: Architecture): Promise<string> {
  const [line = ''] = (await mustRun(qemu.program, ['--version'])).split('\n')
  return line.replace('QEMU emulator version ', '')
}
