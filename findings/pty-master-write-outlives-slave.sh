#!/usr/bin/env bash
# Linux 6.18: a write to a pty's master that waits for room is not ended when the last slave closes; a read is.
#
# Expected: what the other end of a pipe or a socket does: once nobody can read any more, a write that waits ends with an error
# (EPIPE there). A read of the master that waits does end then, with EIO, and poll(2) says POLLHUP.
# What happens: the write goes on waiting, though the program of the terminal has ended and nobody is left who could read. Only a
# signal ends it; this script sends one of its own after a second.
# Whom it hurts: terminal servers that paste a long text with blocking writes, a thread each: the shell ends, the thread stays.
# Instead: O_NONBLOCK, and give up at POLLHUP; poll says POLLHUP without POLLOUT then, and write says EAGAIN, not EIO.
# Needs python3.
set -euo pipefail
echo "Linux $(uname -r), $(python3 --version)"
python3 - <<'PY'
import errno, os, pty, select, signal, time, tty

class Ended(Exception):
    pass

def end(*_):
    raise Ended

signal.signal(signal.SIGALRM, end)

def waits(do):
    """What `do` on a master answers whose last slave is closed after 0.4 s, and after how long; ended after 1.4 s."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    closed = os.fork()
    if closed == 0:
        os.close(master)
        time.sleep(0.4)
        os._exit(0)  # the last slave
    os.close(slave)
    start = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 1.4)
    try:
        answer = do(master)
    except Ended:
        answer = 'still waiting, ended by a signal'
    except OSError as error:
        answer = errno.errorcode[error.errno]
    signal.setitimer(signal.ITIMER_REAL, 0)
    os.waitpid(closed, 0)
    print(f'{do.__name__}: {answer} after {time.monotonic() - start:.1f} s')
    return answer, master

def read(master):
    return os.read(master, 1)

def write(master):
    # A write that has written a part returns it when a signal comes: fill the buffer first, so that this one has none.
    # The kernel moves bytes from one buffer to the next in the background: several times.
    os.set_blocking(master, False)
    for _ in range(7):
        try:
            while True:
                os.write(master, b'x')
        except BlockingIOError:
            time.sleep(0.02)
    os.set_blocking(master, True)
    return os.write(master, b'x')

first, _ = waits(read)
second, master = waits(write)
poll = select.poll()
poll.register(master, select.POLLIN | select.POLLOUT)
events = poll.poll(0)[0][1]
os.set_blocking(master, False)
try:
    again = os.write(master, b'x')
except OSError as error:
    again = errno.errorcode[error.errno]
print(f'afterwards: POLLHUP {bool(events & select.POLLHUP)}, POLLOUT {bool(events & select.POLLOUT)}; a write with O_NONBLOCK: {again}')
good = first == 'EIO' and 'still waiting' in str(second) and events & select.POLLHUP and not events & select.POLLOUT and again == 'EAGAIN'
raise SystemExit(0 if good else 1)
PY
