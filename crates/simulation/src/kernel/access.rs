//! How the simulated kernel gets at memory and descriptors: both are real.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Calls back for each piece of `count` bytes from the `from`-th byte of `parts`.
pub fn each_piece(
    parts: &[(usize, u32)],
    mut from: usize,
    mut count: usize,
    mut piece: impl FnMut(usize, usize),
) {
    for &(address, length) in parts {
        let length = length as usize;
        if from >= length {
            from -= length;
            continue;
        }
        let taken = count.min(length - from);
        if taken == 0 {
            return;
        }
        piece(address + from, taken);
        count -= taken;
        from = 0;
    }
    assert_eq!(count, 0, "more bytes than the operation has");
}

/// An array of vectors.
pub fn vectors(address: usize, count: usize) -> Vec<(usize, usize)> {
    let first = address as *const libc::iovec;
    (0..count)
        .map(|index| {
            // SAFETY: the ring promised the array to the kernel until the final CQE.
            let vector = unsafe { first.add(index).read() };
            (vector.iov_base as usize, vector.iov_len)
        })
        .collect()
}

/// A `__kernel_timespec`.
pub fn timespec(address: usize) -> Duration {
    // SAFETY: as above; it is two numbers of 64 bits.
    let [seconds, nanoseconds] = unsafe { (address as *const [i64; 2]).read() };
    Duration::new(seconds as u64, nanoseconds as u32)
}

/// The path of a simulated open: the operation's serial number in decimal.
pub fn path(address: usize) -> u64 {
    // SAFETY: as above; it ends in NUL.
    let path = unsafe { std::ffi::CStr::from_ptr(address as *const libc::c_char) };
    path.to_str().ok().and_then(|path| path.parse().ok()).unwrap_or(0)
}

/// The inode behind a descriptor.
pub fn inode(number: RawFd) -> Option<u64> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the pointer is to a stat of this frame, which the call fills if it succeeds.
    if unsafe { libc::fstat(number, status.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call succeeded.
    Some(unsafe { status.assume_init() }.st_ino)
}

/// lseek(2).
pub fn seek(number: RawFd, by: i64, whence: libc::c_int) -> i64 {
    // SAFETY: the call takes integers.
    let position = unsafe { libc::lseek64(number, by, whence) };
    assert!(position >= 0, "lseek: {}", io::Error::last_os_error());
    position
}

/// Appends to a file in memory.
pub fn grow(number: RawFd, by: u32) {
    let end = seek_end(number) + i64::from(by);
    // SAFETY: the call takes integers.
    let grown = unsafe { libc::ftruncate64(number, end) };
    assert_eq!(grown, 0, "ftruncate: {}", io::Error::last_os_error());
}

/// How long a file is, without moving its position.
pub fn seek_end(number: RawFd) -> i64 {
    let mut status = std::mem::MaybeUninit::<libc::stat64>::uninit();
    // SAFETY: the pointer is to a stat of this frame, which the call fills if it succeeds.
    let result = unsafe { libc::fstat64(number, status.as_mut_ptr()) };
    assert_eq!(result, 0, "fstat: {}", io::Error::last_os_error());
    // SAFETY: the call succeeded.
    unsafe { status.assume_init() }.st_size
}

/// Waits until an eventfd is readable, in real time.
pub fn await_event(number: RawFd) {
    let mut poll = libc::pollfd { fd: number, events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to a pollfd of this frame.
    while unsafe { libc::poll(&mut poll, 1, -1) } != 1 {
        let error = io::Error::last_os_error();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted, "poll: {error}");
    }
}

/// A new descriptor of the same file.
pub fn duplicate(number: RawFd) -> RawFd {
    // SAFETY: the call takes integers; what it makes is the caller's.
    let duplicate = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) };
    assert!(duplicate >= 0, "no descriptor: {}", io::Error::last_os_error());
    duplicate
}

/// Closes a descriptor that was given to the kernel.
pub fn close(number: RawFd) {
    // SAFETY: its owner gave it away.
    let closed = unsafe { libc::close(number) };
    assert_eq!(closed, 0, "closed twice: {}", io::Error::last_os_error());
}

/// Reaches memory by way of the real kernel, which says so (EFAULT) where nothing is mapped.
#[derive(Debug)]
pub struct Probe {
    reader: OwnedFd,
    writer: OwnedFd,
}

/// Less than a pipe holds.
const STEP: usize = 4096;

impl Probe {
    /// One, with a pipe of its own.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader: reader.into(), writer: writer.into() })
    }

    /// What is at an address.
    pub fn read(&self, address: usize, bytes: &mut [u8]) -> io::Result<()> {
        for (index, step) in bytes.chunks_mut(STEP).enumerate() {
            self.pass(address + index * STEP, step.as_mut_ptr() as usize, step.len())?;
        }
        Ok(())
    }

    /// Overwrites what is at an address.
    pub fn write(&self, address: usize, bytes: &[u8]) -> io::Result<()> {
        for (index, step) in bytes.chunks(STEP).enumerate() {
            self.pass(step.as_ptr() as usize, address + index * STEP, step.len())?;
        }
        Ok(())
    }

    fn pass(&self, from: usize, to: usize, length: usize) -> io::Result<()> {
        // SAFETY: the kernel checks the range, and fails where there is no memory.
        let written = unsafe { libc::write(self.writer.as_raw_fd(), from as *const _, length) };
        if written < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: as above. The memory is the caller's, or was given to the simulated kernel.
        let read = unsafe { libc::read(self.reader.as_raw_fd(), to as *mut _, length) };
        if read < 0 {
            return Err(io::Error::last_os_error());
        }
        assert_eq!((written, read), (length as isize, length as isize), "the probe's pipe");
        Ok(())
    }
}
