//! Descriptors that Node cannot make.

use napi_derive::napi;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

/// A new eventfd, close-on-exec. Answers the descriptor, or a negative errno.
#[napi]
pub fn eventfd(initial: u32, flags: i32) -> i32 {
    // SAFETY: the call takes two integers.
    let descriptor = unsafe { libc::eventfd(initial, flags | libc::EFD_CLOEXEC) };
    if descriptor < 0 {
        -last_errno()
    } else {
        descriptor
    }
}

/// A new pipe, close-on-exec: both descriptors, or a negative errno alone.
#[napi]
pub fn pipe(flags: i32) -> Vec<i32> {
    let mut ends = [-1; 2];
    // SAFETY: the array has room for both descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), flags | libc::O_CLOEXEC) } != 0 {
        return vec![-last_errno()];
    }
    // SAFETY: the kernel just made them for us.
    let [reader, writer] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    vec![reader.into_raw_fd(), writer.into_raw_fd()]
}

fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}
