//! What a descriptor leads to, without asking a server.
//!
//! fstat(2) asks the server of a network or FUSE filesystem once its last answer is too old, and waits: on the thread that
//! submits, where nothing can be cancelled. What is asked here never changes, or tells enough when it is old.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileStatus {
    /// The bits of `S_IFMT`; zero for what has no name, such as an eventfd.
    pub(crate) kind: libc::mode_t,
    /// Whether it has a size, or takes room.
    pub(crate) has_content: bool,
}

pub(crate) fn file_status(number: RawFd) -> io::Result<FileStatus> {
    let mut status = MaybeUninit::<libc::statx>::uninit();
    // glibc 2.17, which the addon runs on, has no function for it.
    // SAFETY: the path is an empty string, and the call fills the structure in, or fails.
    let result = unsafe {
        libc::syscall(
            libc::SYS_statx,
            number,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
            libc::STATX_TYPE | libc::STATX_SIZE | libc::STATX_BLOCKS,
            status.as_mut_ptr(),
        )
    };
    if result == 0 {
        // SAFETY: it did not fail.
        let status = unsafe { status.assume_init() };
        return Ok(FileStatus {
            kind: libc::mode_t::from(status.stx_mode) & libc::S_IFMT,
            has_content: status.stx_size > 0 || status.stx_blocks > 0,
        });
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Sandboxes that do not know the call forbid it.
        Some(libc::ENOSYS | libc::EPERM) => by_fstat(number),
        _ => Err(error),
    }
}

fn by_fstat(number: RawFd) -> io::Result<FileStatus> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the call fills the structure in, or fails.
    if unsafe { libc::fstat(number, status.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it did not fail.
    let status = unsafe { status.assume_init() };
    Ok(FileStatus {
        kind: status.st_mode & libc::S_IFMT,
        has_content: status.st_size > 0 || status.st_blocks > 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn both_calls_say_the_same() {
        let paths = ["/proc/self/exe", "/proc/self/status", "/dev/null", "/"];
        let files = paths.map(|path| std::fs::File::open(path).unwrap());
        let found = files.each_ref().map(|file| file_status(file.as_raw_fd()).unwrap());
        let kinds = [libc::S_IFREG, libc::S_IFREG, libc::S_IFCHR, libc::S_IFDIR];
        assert_eq!(found.map(|status| status.kind), kinds);
        assert_eq!([found[0].has_content, found[1].has_content], [true, false]);
        for (file, status) in files.iter().zip(found) {
            assert_eq!(by_fstat(file.as_raw_fd()).unwrap(), status);
        }
        for error in [file_status(-1).unwrap_err(), by_fstat(-1).unwrap_err()] {
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        }
    }
}
