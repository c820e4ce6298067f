//! What the process of the ring cannot do or see by itself, as a Node-API addon: it takes descriptors that another process
//! hands over, blocks a signal, and watches the event loop's thread from another thread.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::OnceLock;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use napi::{Error, Result};
use napi_derive::napi;

/// How often the thread is looked at. What it does in between is not seen: less than what is looked for by far.
const LOOK_EVERY: Duration = Duration::from_millis(1);

static SOCKET: OnceLock<i32> = OnceLock::new();
static HELD_MICROSECONDS: AtomicU64 = AtomicU64::new(0);
static IS_WATCHED: AtomicBool = AtomicBool::new(false);
static WATCHER: OnceLock<Thread> = OnceLock::new();

fn failed() -> Error {
    Error::from_reason(std::io::Error::last_os_error().to_string())
}

/// Binds the abstract name at which `receive` receives.
#[napi]
pub fn listen(name: String) -> Result<()> {
    // SAFETY: all of it is plain numbers, for which zero is a value.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (place, byte) in address.sun_path[1..].iter_mut().zip(name.as_bytes()) {
        *place = *byte as libc::c_char;
    }
    let length = (2 + 1 + name.len()) as libc::socklen_t;
    // SAFETY: the address lives in this function and is as long as said.
    unsafe {
        let socket = libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 || libc::bind(socket, (&raw const address).cast(), length) < 0 {
            return Err(failed());
        }
        SOCKET.set(socket).map_err(|_| Error::from_reason("it listens already"))
    }
}

/// The descriptor that was sent, close-on-exec. It has to have been sent: the call does not wait.
#[napi]
pub fn receive() -> Result<i32> {
    let socket = *SOCKET.get().ok_or_else(|| Error::from_reason("nobody listens"))?;
    let mut byte = [0_u8; 1];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let mut control = [0_u64; 8];
    // SAFETY: all of it is plain numbers and null pointers.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = std::mem::size_of_val(&control) as _;
    // SAFETY: the message's pointers are to what lives in this function; the header is looked at only where the kernel says
    // that there is one, and begins where it is aligned.
    unsafe {
        let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        if libc::recvmsg(socket, &raw mut message, flags) < 0 {
            return Err(failed());
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Err(Error::from_reason("no descriptor came"));
        }
        Ok(libc::CMSG_DATA(header).cast::<i32>().read_unaligned())
    }
}

/// The file offset, or -1 where there is none.
#[napi]
pub fn position(fd: i32) -> i64 {
    // SAFETY: the call takes numbers.
    unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) }
}

/// close(2), whoever may have opened it.
#[napi]
pub fn close(fd: i32) {
    // SAFETY: the call takes a number; it was received here, or is that of nobody.
    unsafe { libc::close(fd) };
}

/// Blocks a signal for the calling thread: what signalfd reads has to stay pending.
#[napi]
pub fn block_signal(signal: i32) -> Result<()> {
    // SAFETY: the set lives in this function, and is made before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        match libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) {
            0 => Ok(()),
            _ => Err(failed()),
        }
    }
}

/// Ignores a signal. Node, as it starts, gives all signals the disposition that they have by themselves.
#[napi]
pub fn ignore_signal(signal: i32) {
    // SAFETY: the call takes numbers.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Takes what is pending of a blocked signal, so that the next reader finds none.
#[napi]
pub fn forget_signal(signal: i32) {
    // SAFETY: the set and the time live in this function; nobody wants to know more of the signal.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        while libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const now) > 0 {}
    }
}

/// Sets RLIMIT_FSIZE of this process: what is written beyond fails with EFBIG, as SIGXFSZ is ignored.
#[napi]
pub fn limit_file_size(bytes: Option<i64>) -> Result<()> {
    // SAFETY: the calls take numbers and a pointer to what lives in this function.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit);
        limit.rlim_cur = bytes.map_or(limit.rlim_max, |bytes| bytes as libc::rlim_t);
        if libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) < 0 {
            return Err(failed());
        }
    }
    Ok(())
}

/// Watches the calling thread from another one, until `end_watch`. It is always the same thread that calls.
#[napi]
pub fn watch() -> Result<()> {
    HELD_MICROSECONDS.store(0, Ordering::Relaxed);
    IS_WATCHED.store(true, Ordering::Release);
    if let Some(watcher) = WATCHER.get() {
        watcher.unpark();
        return Ok(());
    }
    // SAFETY: the call takes nothing.
    let thread = unsafe { libc::gettid() };
    let path = format!("/proc/self/task/{thread}/syscall");
    let file = File::open(&path).map_err(|error| Error::from_reason(format!("{path}: {error}")))?;
    let watcher = thread::spawn(move || look(&file));
    WATCHER
        .set(watcher.thread().clone())
        .map_err(|_| Error::from_reason("somebody watches already"))
}

/// For how many milliseconds at most the thread has slept in one system call, other than where an event loop waits, since
/// `watch`.
#[napi]
pub fn end_watch() -> f64 {
    IS_WATCHED.store(false, Ordering::Release);
    HELD_MICROSECONDS.load(Ordering::Relaxed) as f64 / 1000.0
}

fn look(file: &File) {
    // Where the thread slept when it was last looked at, and since when.
    let mut asleep: Option<(Vec<u8>, Instant)> = None;
    let mut line = [0_u8; 256];
    loop {
        // Nobody is watched for most of the time, and others need the processor.
        while !IS_WATCHED.load(Ordering::Acquire) {
            asleep = None;
            thread::park();
        }
        let length = file.read_at(&mut line, 0).unwrap_or(0);
        let line = &line[..length];
        asleep = match asleep {
            _ if !is_held(line) => None,
            Some((place, since)) if place == line => {
                HELD_MICROSECONDS.fetch_max(since.elapsed().as_micros() as u64, Ordering::Relaxed);
                Some((place, since))
            }
            _ => Some((line.to_vec(), Instant::now())),
        };
        thread::sleep(LOOK_EVERY);
    }
}

/// Whether a line of /proc/self/task/TID/syscall says that the thread sleeps where an event loop should not: it begins with
/// the call's number, or says `running`.
fn is_held(line: &[u8]) -> bool {
    let number = line.split(|byte| *byte == b' ').next();
    let number =
        number.and_then(|word| std::str::from_utf8(word).ok()).and_then(|word| word.parse().ok());
    number.is_some_and(|number: i64| {
        // On a futex a thread of Node's waits for the others: at a collection of garbage, say.
        number >= 0
            && ![libc::SYS_epoll_pwait, libc::SYS_futex].contains(&number)
            && !is_epoll_wait(number)
    })
}

#[cfg(target_arch = "x86_64")]
fn is_epoll_wait(number: i64) -> bool {
    number == libc::SYS_epoll_wait
}

#[cfg(not(target_arch = "x86_64"))]
fn is_epoll_wait(_number: i64) -> bool {
    false
}
