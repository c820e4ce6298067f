//! Room among the kernel's workers for operations that may keep one for long: opens of FIFOs, everything on a server that
//! does not answer.
//!
//! A thread's rings share its bounded workers, which do its opens, fsyncs and extending writes; there are four for each
//! processor, or as few as its first ring has entries. So for each operation that may wait there is one worker more
//! (`IORING_REGISTER_IOWQ_MAX_WORKERS`, 5.15), and those that were there stay free for all the others.

use crate::kernel::{Ticket, Waiter, WorkerLimit};
use io_uring::IoUring;
use std::cell::Cell;
use std::sync::mpsc;

/// Opens that wait, of a thread. Each takes a worker thread: more of them than a program has FIFOs and serial lines.
pub(super) const MOST_OPENS: u32 = 256;
/// What may wait besides, of a thread, with workers of its own: operations on servers, and opens of what is not in the kernel's
/// cache of names, FIFOs among them. Twice as many, so that it is not these that bound the ones above.
const MOST_OTHERS: u32 = 512;
/// Workers are asked for in steps, because asking is a system call, and finding out whether there can be so many takes threads.
const STEP: u32 = 16;
/// The kernel's own measure.
const WORKERS_OF_A_PROCESSOR: u32 = 4;

thread_local! {
    static ROOM: Room = const { Room {
        base: Cell::new(0),
        granted: Cell::new(0),
        opens: Cell::new(0),
        others: Cell::new(0),
        threads: Cell::new(0),
    } };
}

#[derive(Debug)]
struct Room {
    /// Bounded workers for all that does not wait; 0 before this thread's first ring, and where they cannot be set.
    base: Cell<u32>,
    /// Workers above those.
    granted: Cell<u32>,
    opens: Cell<u32>,
    others: Cell<u32>,
    /// Threads of this process before there were any workers for those.
    threads: Cell<u32>,
}

/// Says how many bounded workers a thread has, if its first ring did not: one with few entries would leave few.
pub(super) fn prepare(ring: &IoUring) {
    ROOM.with(|room| {
        if room.base.get() != 0 {
            return;
        }
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
        let mut limits = [0, 0];
        if ring.submitter().register_iowq_max_workers(&mut limits).is_ok() {
            let base = limits[0].max(WORKERS_OF_A_PROCESSOR * processors);
            if base == limits[0] || set(ring, base) {
                room.base.set(base);
            }
        }
    });
}

fn set(ring: &IoUring, bounded: u32) -> bool {
    ring.submitter().register_iowq_max_workers(&mut [bounded, 0]).is_ok()
}

/// How many operations that may wait, and of which nobody knows whether they will, may be in flight at once.
pub(super) fn most_unknown(ring: &IoUring) -> u32 {
    ROOM.with(|room| match room.base.get() {
        // Before 5.15 half of the bounded workers stays free, and two are used in any case.
        0 => {
            let processors =
                std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
            let bounded = (WORKERS_OF_A_PROCESSOR * processors).min(ring.params().sq_entries());
            (bounded / 2).max(2)
        }
        _ => MOST_OTHERS,
    })
}

/// Makes room for an operation that may wait, until its ticket is dropped.
pub(super) fn admit(ring: &IoUring, waiter: Waiter) -> Result<Ticket, WorkerLimit> {
    ROOM.with(|room| {
        let (opens, others) = (room.opens.get(), room.others.get());
        if waiter == Waiter::Open && opens >= MOST_OPENS {
            return Err(WorkerLimit::Opens(MOST_OPENS));
        }
        let needed = opens + others.min(MOST_OTHERS) + 1;
        if room.base.get() != 0 && needed > room.granted.get() {
            let granted = room.granted.get() + STEP;
            let threads = threads();
            if room.granted.get() == 0 {
                room.threads.set(threads);
            }
            // Of those that were granted before, some may not be born yet.
            let born = threads.saturating_sub(room.threads.get());
            let missing = granted.saturating_sub(born).max(STEP);
            let is_granted = rehearse(missing) && set(ring, room.base.get() + granted);
            if is_granted {
                room.granted.set(granted);
            } else if waiter == Waiter::Open {
                return Err(limit());
            }
        }
        let (count, release): (_, fn()) = match waiter {
            Waiter::Open => (&room.opens, || leave(|room| &room.opens)),
            Waiter::Other => (&room.others, || leave(|room| &room.others)),
        };
        count.set(count.get() + 1);
        Ok(Ticket::new(release))
    })
}

fn leave(which: fn(&Room) -> &Cell<u32>) {
    // The thread may be ending, and its count with it.
    let _ = ROOM.try_with(|room| {
        let count = which(room);
        count.set(count.get().saturating_sub(1));
    });
}

/// How many threads this process has, the kernel's workers among them: the links of its directory of threads.
fn threads() -> u32 {
    use std::os::unix::fs::MetadataExt;
    const ITSELF_AND_ITS_PARENT: u64 = 2;
    std::fs::metadata("/proc/self/task")
        .map_or(0, |status| status.nlink().saturating_sub(ITSELF_AND_ITS_PARENT) as u32)
}

/// Whether so many threads more can be had. The kernel does not say when it finds no thread for a worker: what waits for one
/// would wait behind all that waits.
fn rehearse(count: u32) -> bool {
    /// They only wait to be let go.
    const STACK_BYTES: usize = 16 << 10;
    let mut threads = Vec::new();
    for _ in 0..count {
        let (keep, wait) = mpsc::channel::<()>();
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        let until_let_go = move || {
            let _ = wait.recv();
        };
        match builder.spawn(until_let_go) {
            Ok(thread) => threads.push((keep, thread)),
            Err(_) => break,
        }
    }
    let are_all = threads.len() == count as usize;
    for (keep, thread) in threads {
        drop(keep);
        let _ = thread.join();
    }
    are_all
}

/// Which limit leaves no thread.
fn limit() -> WorkerLimit {
    if is_control_group_full() {
        WorkerLimit::ControlGroup
    } else {
        WorkerLimit::Processes
    }
}

/// By the second hierarchy of control groups, from this process's own upwards.
fn is_control_group_full() -> bool {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(own) = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        (controllers.is_empty() || controllers.split(',').any(|name| name == "pids"))
            .then_some(path)
    }) else {
        return false;
    };
    ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"].into_iter().any(|root| {
        std::path::Path::new(own).ancestors().any(|group| {
            let place = format!("{root}{}", group.display());
            let number = |name: &str| -> Option<u64> {
                std::fs::read_to_string(format!("{place}/{name}")).ok()?.trim().parse().ok()
            };
            matches!((number("pids.max"), number("pids.current")), (Some(max), Some(now)) if now + u64::from(STEP) > max)
        })
    })
}
