/**
 * Some cells of the kinds matrix, on a kernel in a guest: those in which kernels differ. All of them take minutes on a machine
 * that is not emulated.
 */
import test from 'ava'

import { cellsHold } from './fixtures/kinds.js'

/** Of each way to wait one, and of what a kernel was seen to do otherwise than its neighbours. */
const CELLS = [
  'pipe * read * none',
  'pipe * read * cancelled by cancel',
  'pipe, O_NONBLOCK * read * none',
  'FIFO * open * none',
  'FIFO * open * cancelled by cancel',
  'eventfd * read * cancelled as it completes',
  'eventfd * write * none',
  'pty slave, raw * read * bytes there',
  'pty slave, raw * read * cancelled by cancel',
  'pty slave, raw * read * another reader',
  'pty slave, raw * read * hang-up',
  'pty slave, raw * write * none',
  'pty slave, raw * write * cancelled by timeout',
  'pty slave, raw, O_NONBLOCK * read * none',
  'pty slave, raw, O_NONBLOCK * write * more than fits',
  'pty slave, VMIN 4 * read * fewer than it waits for',
  'pty master, raw * write * none',
  'pty master, raw * write * cancelled by closeFd',
  'file on ext4, O_DIRECT * read * 64 at once',
  'file on ext4, O_DIRECT * write * 64 at once',
  'file on ext4, O_APPEND * write * partly done, then again',
  'file on a full tmpfs * write * partly done, then again',
  '/proc/version * read * bytes there',
  '/dev/kmsg * read * none',
  'inotify * read * cancelled by cancel',
  'TCP, SO_LINGER * close * none',
  'tun * read * none',
  'tun * close * bytes there',
  'file of a slow FUSE server * read * bytes there',
  'file of a silent FUSE server * read * cancelled by destroy',
]

/** As much slower is an emulated processor, with another guest beside it. */
const PATIENCE = '8'

test('clauses 1, 2, 4 and 7, the kinds matrix on this kernel: the ring does what the system call does', async (t) => {
  const cells = CELLS.flatMap((name) => ['--cell', name])
  await cellsHold(t, ['--lanes', '2', ...cells], { KINDS_PATIENCE: PATIENCE })
})
