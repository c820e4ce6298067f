//! Which descriptors the kernel's workers must not be given.
//!
//! Operations with `IOSQE_ASYNC` on one file that can be polled, but knows no attempt without waiting (a FIFO, a terminal,
//! inotify, a log in /proc), may spin for ever inside the kernel, on the thread that made the ring: nothing can kill the
//! process then. It takes two at once. What comes wakes both, each is tried 128 times in vain and then given to a
//! worker; the one that finds nothing there waits once more, with a counter of tries that has wrapped around
//! (`io_req_alloc_apoll` in io_uring/poll.c). Without `IOSQE_ASYNC` the worker waits by itself, and all is well.

use crate::file_status::{file_status, FileStatus};
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

/// Seen on 6.1, and neither on 5.10 nor on 6.12. By their source 6.3 may be sound, too, but no kernel between was to be had,
/// and what is lost is a hint only.
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
pub(super) fn take(number: RawFd, is_write: bool) -> bool {
    // The operation itself says what is wrong.
    let Ok(FileStatus { kind, has_content }) = file_status(number) else { return true };
    match kind {
        libc::S_IFDIR | libc::S_IFBLK | libc::S_IFSOCK => true,
        // The files of /proc and tracefs that wait (kmsg, trace_pipe) seem to be empty.
        libc::S_IFREG => has_content,
        libc::S_IFIFO | libc::S_IFCHR => false,
        // Without a name. An eventfd knows such attempts for reads.
        _ => !is_write && leads_to(number).is_ok_and(|path| path == EVENTFD),
    }
}

fn leads_to(number: RawFd) -> io::Result<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    let path = std::fs::read_link(format!("/proc/self/fd/{number}"))?;
    Ok(path.into_os_string().into_vec())
}

#[cfg(test)]
mod tests {
    use super::super::RealKernel;
    use super::*;
    use crate::kernel::Kernel;
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
        let log = std::fs::File::open("/proc/self/status").unwrap();
        let device = std::fs::File::open("/dev/null").unwrap();
        let mut kernel = RealKernel::new(8, 8).expect("a ring");
        kernel.workers_take_everything = false;
        let may_use =
            |number: RawFd| [false, true].map(|write| kernel.may_use_worker(number, write));
        assert_eq!(may_use(file.as_raw_fd()), [true, true]);
        assert_eq!(may_use(eventfd.as_raw_fd()), [true, false]);
        let others: [&dyn AsRawFd; 4] = [&reader, &device, &inotify, &log];
        for other in others {
            assert_eq!(may_use(other.as_raw_fd()), [false, false]);
        }
        assert_eq!(may_use(-1), [true, true], "the operation says EBADF");
        kernel.workers_take_everything = true;
        assert!(kernel.may_use_worker(reader.as_raw_fd(), true));
    }
}
