//! Which descriptors the kernel's workers must not be given.
//!
//! Before 6.9 a read with `IOSQE_ASYNC` of a file that can be polled, but knows no attempt without waiting (a FIFO before
//! 6.4, a terminal, inotify), may spin for ever inside the kernel, on the thread that made the ring: nothing can kill
//! the process then. It takes two such reads at once. What comes wakes both, each is tried 128 times in vain and
//! then given to a worker; the one that finds nothing there waits once more, with a counter of tries that has wrapped around
//! (`io_req_alloc_apoll` in io_uring/poll.c). Without `IOSQE_ASYNC` the worker waits by itself, and all is well.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

/// The first kernel that looks whether there is something before it tries.
const FIRST_SOUND: (u32, u32) = (6, 9);

/// Where `/proc/self/fd` says that an eventfd leads to.
const EVENTFD: &[u8] = b"anon_inode:[eventfd]";

/// Whether this kernel's workers can be given every file.
pub(super) fn take_everything() -> bool {
    let mut names = MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: the call fills the structure in, or fails.
    if unsafe { libc::uname(names.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: it did not fail, and its strings end with a zero.
    let release = unsafe { CStr::from_ptr((*names.as_ptr()).release.as_ptr()) };
    is_sound(&release.to_string_lossy())
}

/// By the release, as uname(2) has it. What cannot be read counts as old.
fn is_sound(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= FIRST_SOUND,
        _ => false,
    }
}

/// Whether the workers of any kernel can be given this file: it cannot be polled, or knows attempts without waiting.
pub(super) fn take(number: RawFd) -> bool {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the call fills the structure in, or fails.
    if unsafe { libc::fstat(number, status.as_mut_ptr()) } != 0 {
        // The operation itself says what is wrong.
        return true;
    }
    // SAFETY: it did not fail.
    match unsafe { status.assume_init() }.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK | libc::S_IFSOCK => true,
        libc::S_IFIFO | libc::S_IFCHR => false,
        // Without a name.
        _ => leads_to(number).is_ok_and(|path| path == EVENTFD),
    }
}

fn leads_to(number: RawFd) -> io::Result<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    let path = std::fs::read_link(format!("/proc/self/fd/{number}"))?;
    Ok(path.into_os_string().into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    #[test]
    fn clause_2_live_old_kernels_are_told_from_sound_ones() {
        for release in ["6.9.0", "6.9", "6.12.117+deb13-amd64", "7.0.0-rc1", "10.1.2"] {
            assert!(is_sound(release), "{release}");
        }
        for release in ["5.10.0-30-amd64", "6.1.0-56-cloud-arm64", "6.8.12", "4.19", "", "x", "6"] {
            assert!(!is_sound(release), "{release}");
        }
    }

    #[test]
    fn clause_2_live_workers_of_old_kernels_get_no_pipes_and_no_devices() {
        let mut ends = [0; 2];
        // SAFETY: the call fills the two numbers in.
        assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
        // SAFETY: both were just made, for us; so is what the next two calls make, which take integers.
        let [reader, _writer] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        // SAFETY: as above.
        let eventfd = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) };
        // SAFETY: as above.
        let inotify = unsafe { OwnedFd::from_raw_fd(libc::inotify_init1(libc::IN_CLOEXEC)) };
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let device = std::fs::File::open("/dev/null").unwrap();
        assert!(take(file.as_raw_fd()) && take(eventfd.as_raw_fd()));
        for other in [reader.as_raw_fd(), device.as_raw_fd(), inotify.as_raw_fd()] {
            assert!(!take(other));
        }
        assert!(take(-1), "the operation says EBADF");
    }
}
