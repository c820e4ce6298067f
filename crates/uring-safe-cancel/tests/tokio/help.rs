//! What the tests need beside the library.

use std::fs;
use std::future::Future;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};
use uring_safe_cancel::tokio::{File, Ring};
use uring_safe_cancel::Options;

/// Long enough for any machine, an emulated one too, and short enough to see that a test hangs.
pub const SOON: Duration = Duration::from_secs(300);

/// What a test repeats: so many times, or on an emulated machine as often as this time allows.
const WORK: Duration = Duration::from_secs(10);

/// Numbers from 0.
pub fn rounds(most: u64) -> impl Iterator<Item = u64> {
    let begun = Instant::now();
    (0..most).take_while(move |_| begun.elapsed() < WORK)
}

/// Runs a test on a runtime of its own. A hang is a failure.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = ::tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .unwrap();
    runtime.block_on(soon(test))
}

pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    ::tokio::time::timeout(SOON, what).await.expect("it hangs")
}

pub fn ring() -> Ring {
    Ring::new(Options::default()).unwrap()
}

/// An eventfd at zero, blocking as in the report of 2022.
pub fn eventfd() -> File {
    // SAFETY: the call takes two integers; the descriptor is new and ours.
    File::from(unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) })
}

/// Adds to an eventfd without a ring.
pub fn add(event: &File, value: u64) {
    std_file(event).write_all(&value.to_ne_bytes()).unwrap();
}

/// What an eventfd holds; zero if reading it would block.
pub fn left(event: &File) -> u64 {
    let mut poll = libc::pollfd { fd: event.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one pollfd of this frame.
    if unsafe { libc::poll(&mut poll, 1, 0) } == 0 {
        return 0;
    }
    let mut bytes = [0; 8];
    std_file(event).read_exact(&mut bytes).unwrap();
    u64::from_ne_bytes(bytes)
}

fn std_file(file: &File) -> fs::File {
    use std::os::fd::AsFd;
    file.as_fd().try_clone_to_owned().unwrap().into()
}

/// A descriptor's number, and what it stood for: tests beside this one use numbers again.
pub struct Number(i32, std::path::PathBuf);

impl Number {
    pub fn of(descriptor: &impl AsRawFd) -> Self {
        let number = descriptor.as_raw_fd();
        Self(number, link(number).unwrap())
    }

    pub fn is_open(&self) -> bool {
        link(self.0).is_ok_and(|link| link == self.1)
    }
}

fn link(number: i32) -> std::io::Result<std::path::PathBuf> {
    fs::read_link(format!("/proc/self/fd/{number}"))
}

/// The descriptors of this process that stand for `path`.
pub fn opened(path: &str) -> usize {
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter(|entry| {
            let link = entry.as_ref().map(|entry| fs::read_link(entry.path()));
            matches!(link, Ok(Ok(target)) if target.as_os_str() == path)
        })
        .count()
}

/// A path of this process's own in the temporary directory.
pub fn path(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("uring-safe-cancel-{}-{name}", std::process::id()))
}

/// Resident memory in bytes.
pub fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// How many descriptors this process has open.
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Runs the test of this name in a process of its own: what it measures belongs to the process, and the
/// tests beside it change that.
pub fn alone(name: &str, test: impl FnOnce()) {
    const ALONE: &str = "URING_SAFE_CANCEL_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let program = std::env::current_exe().unwrap();
    let output =
        std::process::Command::new(program).args(["--exact", name]).env(ALONE, "1").output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
