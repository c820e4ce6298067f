//! Blocking eventfds, as the report used them.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use uring_safe_cancel::tokio::File;

/// A new one, at zero.
///
/// # Errors
///
/// EMFILE and the like.
pub fn new() -> io::Result<File> {
    // SAFETY: the call takes two integers.
    let number = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us, and nobody else knows it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(number) }))
}

/// Takes what is in it. Polled first: reading a blocking eventfd at zero would hang.
///
/// # Errors
///
/// The kernel's.
pub fn take(event: &File) -> io::Result<u64> {
    let mut poll = libc::pollfd { fd: event.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one pollfd of this frame.
    match unsafe { libc::poll(&mut poll, 1, 0) } {
        0 => return Ok(0),
        1 => {}
        _ => return Err(io::Error::last_os_error()),
    }
    let mut bytes = [0; 8];
    std::fs::File::from(event.as_fd().try_clone_to_owned()?).read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
