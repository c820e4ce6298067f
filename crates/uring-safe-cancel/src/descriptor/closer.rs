//! Closes what may wait to be closed, on threads of its own.
//!
//! A terminal waits at its last close until its output has drained (30 s by default), a socket as long as SO_LINGER says, a
//! file on a server until that has answered. `IORING_OP_CLOSE` does that inside io_uring_enter, on the ring's thread; with
//! `IOSQE_ASYNC` its CQE comes before the file is released, so that the next open waits instead, the end of the process
//! loses the output, and on 7.3 everything that the thread gives to a worker waits behind it. What has none of that is close(2).

use super::kind::is_miscellaneous;
use super::FileKind;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A close that was begun.
#[derive(Debug)]
pub struct Closing {
    /// Readable once it is done.
    event: OwnedFd,
    /// 0, a negative errno, or [`NOT_YET`].
    result: AtomicI32,
}

const NOT_YET: i32 = 1;

impl Closing {
    /// What to poll.
    pub(crate) fn event(&self) -> RawFd {
        self.event.as_raw_fd()
    }

    /// What close(2) said, once it has.
    pub(crate) fn result(&self) -> Option<i32> {
        let result = self.result.load(Ordering::Acquire);
        (result != NOT_YET).then_some(result)
    }

    fn end(&self, result: i32) {
        self.result.store(result, Ordering::Release);
        let one = 1u64.to_ne_bytes();
        // SAFETY: the bytes are this frame's. An eventfd that was never written to has room.
        unsafe { libc::write(self.event.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

/// Closes a number that its owner gave away. An error where there is no descriptor left to tell its end by.
pub(crate) fn begin(number: RawFd) -> io::Result<Arc<Closing>> {
    // SAFETY: the call takes two integers.
    let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if event < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    let event = unsafe { OwnedFd::from_raw_fd(event) };
    let closing = Arc::new(Closing { event, result: AtomicI32::new(NOT_YET) });
    give(Job { number, closing: Some(Arc::clone(&closing)) });
    Ok(closing)
}

/// Closes a descriptor that nobody waits for.
pub(crate) fn close(descriptor: OwnedFd) {
    give(Job { number: descriptor.into_raw_fd(), closing: None });
}

/// Whether a close of `number` may wait: for output that drains, for a server, for what a disk reads ahead. The kernel would
/// do it on the ring's thread, or (of an overlay's file) in a worker, behind all that waits there.
pub(crate) fn waits(kind: FileKind, number: RawFd) -> bool {
    match kind {
        FileKind::Device | FileKind::Fuse | FileKind::Remote => true,
        FileKind::Layered | FileKind::Block => true,
        FileKind::Socket => lingers(number),
        // fanotify and inotify wait until nobody looks at their marks any more (11 ms were seen).
        FileKind::Anonymous => !is_let_go_at_once(number),
        // tun takes its interface away, and waits until no packet of it is under way (18 ms were seen).
        FileKind::PromptDevice => is_miscellaneous(number),
        _ => false,
    }
}

/// By what `/proc/self/fd` says that it leads to. What is not known may wait.
fn is_let_go_at_once(number: RawFd) -> bool {
    const PROMPT: [&str; 5] = ["eventfd", "eventpoll", "pidfd", "signalfd", "timerfd"];
    let path = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap_or_default();
    let name = path.to_string_lossy();
    PROMPT.iter().any(|prompt| name.strip_prefix("anon_inode:").is_some_and(|name| name.contains(prompt)))
        // Since 6.9 pidfds lie on a filesystem of their own.
        || name.starts_with("pidfd:")
}

/// Whether a socket was told to wait at its close until its peer has got all (SO_LINGER).
fn lingers(number: RawFd) -> bool {
    let mut linger = libc::linger { l_onoff: 0, l_linger: 0 };
    let mut length = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: the option's value is this frame's, and of the length that is given.
    let result = unsafe {
        let value = std::ptr::from_mut(&mut linger).cast();
        libc::getsockopt(number, libc::SOL_SOCKET, libc::SO_LINGER, value, &mut length)
    };
    result == 0 && linger.l_onoff != 0 && linger.l_linger > 0
}

/// Closes a number as close(2) does; where that may wait, on a thread, and nobody is told of its end.
///
/// # Safety
///
/// The number's owner gives it away.
pub(crate) unsafe fn close_number(number: RawFd) -> libc::c_int {
    if waits(FileKind::of(number), number) {
        give(Job { number, closing: None });
        return 0;
    }
    // SAFETY: as the caller promises.
    unsafe { libc::close(number) }
}

#[derive(Debug)]
struct Job {
    number: RawFd,
    closing: Option<Arc<Closing>>,
}

impl Job {
    fn run(self) {
        // SAFETY: whoever gave the job gave the number away with it.
        let closed = unsafe { libc::close(self.number) } == 0;
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        // Interrupted or not, Linux has closed it.
        let result = if closed || errno == libc::EINTR { 0 } else { -errno };
        if let Some(closing) = self.closing {
            closing.end(result);
        }
    }
}

#[derive(Debug, Default)]
struct Pool {
    jobs: VecDeque<Job>,
    /// Threads that wait for a job.
    idle: usize,
    threads: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { jobs: VecDeque::new(), idle: 0, threads: 0 });
static NEWS: Condvar = Condvar::new();

/// Each may wait for half a minute, and others must not wait behind it. A program with more serial lines that drain at once
/// closes the rest one after the other.
const MAX_THREADS: usize = 256;
/// A thread that has nothing to do for so long ends: closes come in bursts.
const IDLE: Duration = Duration::from_secs(2);
/// close(2), and a condition variable.
const STACK_BYTES: usize = 64 << 10;

fn pool() -> MutexGuard<'static, Pool> {
    // Nothing in here panics; a pool that was poisoned all the same is as good as before.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn give(job: Job) {
    let mut pool = pool();
    pool.jobs.push_back(job);
    if pool.idle >= pool.jobs.len() {
        NEWS.notify_one();
        return;
    }
    if pool.threads < MAX_THREADS && spawn() {
        pool.threads += 1;
    } else if pool.threads == 0 {
        // No thread can be had: what waits, waits here, as in every program without a ring.
        let jobs = std::mem::take(&mut pool.jobs);
        drop(pool);
        jobs.into_iter().for_each(Job::run);
    }
}

fn spawn() -> bool {
    let everything = signals(libc::SIG_SETMASK, None);
    let builder = std::thread::Builder::new().name("close".into()).stack_size(STACK_BYTES);
    let is_spawned = builder.spawn(work).is_ok();
    if let Some(before) = everything {
        signals(libc::SIG_SETMASK, Some(&before));
    }
    is_spawned
}

/// Sets this thread's mask, to all signals where none is given: they are the program's, and none of its handlers is to run
/// on a thread that it does not know. Answers what it was before.
fn signals(how: libc::c_int, mask: Option<&libc::sigset_t>) -> Option<libc::sigset_t> {
    let mut before = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are this frame's; sigfillset fills its in before it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        let mask = mask.map_or(all.as_ptr(), std::ptr::from_ref);
        let set = libc::pthread_sigmask(how, mask, before.as_mut_ptr());
        (set == 0).then(|| before.assume_init())
    }
}

fn work() {
    let mut pool = pool();
    loop {
        while let Some(job) = pool.jobs.pop_front() {
            drop(pool);
            job.run();
            pool = self::pool();
        }
        pool.idle += 1;
        let (back, waited) = NEWS.wait_timeout(pool, IDLE).unwrap_or_else(PoisonError::into_inner);
        pool = back;
        pool.idle -= 1;
        if waited.timed_out() && pool.jobs.is_empty() {
            pool.threads -= 1;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// Waits as the ring does.
    fn wait(closing: &Closing) -> i32 {
        let mut poll = libc::pollfd { fd: closing.event(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to a pollfd of this frame.
        assert_eq!(unsafe { libc::poll(&mut poll, 1, -1) }, 1);
        closing.result().expect("it is done")
    }

    #[test]
    fn closes_are_done_and_told() {
        for _ in 0..100 {
            let (mut reader, writer) = io::pipe().unwrap();
            let closing = begin(OwnedFd::from(writer).into_raw_fd()).unwrap();
            assert_eq!(wait(&closing), 0);
            assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the end of the pipe");
        }
        assert_eq!(wait(&begin(-1).unwrap()), -libc::EBADF);
    }

    #[test]
    fn what_nobody_waits_for_is_closed_all_the_same() {
        let (mut reader, writer) = io::pipe().unwrap();
        close(writer.into());
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the end of the pipe");
    }

    #[test]
    fn a_close_that_waits_keeps_no_other_one_waiting() {
        use std::io::Write;
        use std::net::{TcpListener, TcpStream};
        // Twenty sockets whose peers read nothing, and whose close waits for 2 s.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peers = Vec::new();
        let mut waiting = Vec::new();
        for _ in 0..20 {
            let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            peers.push(listener.accept().unwrap().0);
            let linger = libc::linger { l_onoff: 1, l_linger: 2 };
            // SAFETY: the option's value is this frame's, of the length that is given.
            let set = unsafe {
                let length = size_of::<libc::linger>() as libc::socklen_t;
                let value = std::ptr::from_ref(&linger).cast();
                libc::setsockopt(
                    socket.as_raw_fd(),
                    libc::SOL_SOCKET,
                    libc::SO_LINGER,
                    value,
                    length,
                )
            };
            assert_eq!(set, 0);
            socket.set_nonblocking(true).unwrap();
            while socket.write(&[0; 1 << 16]).is_ok() {}
            waiting.push(begin(OwnedFd::from(socket).into_raw_fd()).unwrap());
        }
        let (_reader, writer) = io::pipe().unwrap();
        assert_eq!(wait(&begin(OwnedFd::from(writer).into_raw_fd()).unwrap()), 0);
        let still = waiting.iter().filter(|closing| closing.result().is_none()).count();
        assert!(still > 0, "no close waited");
        for closing in &waiting {
            assert_eq!(wait(closing), 0);
        }
    }
}
