//! Whether an open may wait, as far as that can be told without waiting.

use crate::descriptor::{look, FileKind};
use crate::kernel::OpenKind;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `struct open_how` of openat2(2).
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Only what the kernel has in its cache of names is looked at: nobody is asked (5.12).
const RESOLVE_CACHED: u64 = 0x20;

/// What `path` names, opened with `flags`.
pub(super) fn kind_of(path: &CStr, flags: i32) -> OpenKind {
    let how = OpenHow {
        flags: (libc::O_PATH | libc::O_CLOEXEC | flags & libc::O_NOFOLLOW) as u64,
        mode: 0,
        resolve: RESOLVE_CACHED,
    };
    // SAFETY: the path ends in NUL, the structure is this frame's, and its size is given.
    let number = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            path.as_ptr(),
            std::ptr::from_ref(&how),
            size_of::<OpenHow>(),
        )
    };
    if number < 0 {
        return match std::io::Error::last_os_error().raw_os_error() {
            // It will be made, or the open says the same.
            Some(
                libc::ENOENT | libc::EACCES | libc::ENOTDIR | libc::ELOOP | libc::ENAMETOOLONG,
            ) => OpenKind::Prompt,
            _ => OpenKind::Unknown,
        };
    }
    // SAFETY: the kernel just made this descriptor for us.
    let place = unsafe { OwnedFd::from_raw_fd(number as i32) };
    match look(place.as_raw_fd()).kind {
        // With both ends of it, or for a try, nobody waits for the other end.
        FileKind::Pipe
            if flags & libc::O_NONBLOCK != 0 || flags & libc::O_ACCMODE == libc::O_RDWR =>
        {
            OpenKind::Prompt
        }
        // A device's driver may wait whatever it was told: for a carrier, for a medium, for whoever closes it.
        FileKind::Pipe | FileKind::Device | FileKind::Block => OpenKind::Waits,
        FileKind::Fuse | FileKind::Remote => OpenKind::Unknown,
        _ => OpenKind::Prompt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_that_may_wait_is_told_from_one_that_does_not() {
        let directory = std::env::temp_dir().join(format!("path-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let fifo = directory.join("fifo");
        let fifo = std::ffi::CString::new(fifo.to_str().unwrap()).unwrap();
        // SAFETY: the path ends in NUL.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
        let kind = kind_of(&fifo, libc::O_RDONLY);
        // Before 5.12 nobody can say.
        if kind != OpenKind::Unknown {
            assert_eq!(kind, OpenKind::Waits);
            assert_eq!(kind_of(&fifo, libc::O_RDONLY | libc::O_NONBLOCK), OpenKind::Prompt);
            assert_eq!(kind_of(&fifo, libc::O_RDWR), OpenKind::Prompt);
            assert_eq!(kind_of(c"/dev/ptmx", libc::O_RDWR | libc::O_NONBLOCK), OpenKind::Waits);
            assert_eq!(kind_of(c"/dev/null", libc::O_RDWR), OpenKind::Prompt);
            assert_eq!(kind_of(c"/", libc::O_RDONLY), OpenKind::Prompt);
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
