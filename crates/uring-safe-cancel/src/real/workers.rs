//! What the kernel's workers can be given, by release.
//!
//! Operations with `IOSQE_ASYNC` on one file that can be polled, but knows no attempt without waiting (a FIFO, a terminal,
//! inotify, a log in /proc), may spin for ever inside the kernel, on the thread that made the ring: nothing can kill the
//! process then. It takes two at once. What comes wakes both, each is tried 128 times in vain and then given to a
//! worker; the one that finds nothing there waits once more, with a counter of tries that has wrapped around
//! (`io_req_alloc_apoll` in io_uring/poll.c). Without `IOSQE_ASYNC` the worker waits by itself, and all is well.

use crate::descriptor::FileKind;
use crate::kernel::{Access, Way};
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

/// How much of a kernel's workers is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Workers {
    /// Before 5.15. Whatever cannot be asked without waiting is a worker's by itself: nothing was seen to hold the thread
    /// but FUSE. `IOSQE_ASYNC` on a device with O_NONBLOCK is answered -EAGAIN at once.
    Old,
    /// Before 6.9 (seen on 6.1): they spin. Devices without O_NONBLOCK are a worker's by themselves; a driver that is
    /// called because of O_NONBLOCK, and waits all the same, holds the thread.
    Spinning,
    /// From 6.9 (seen on 6.12, 6.18 and 7.3): they take everything, and what can be polled keeps none of them. But a
    /// terminal that is plain holds the thread, whenever a poll of it was wrong.
    Sound,
}

/// By their source 6.3 may be sound, too, but no kernel between 6.1 and 6.8 was to be had.
const FIRST_SOUND: (u32, u32) = (6, 9);
/// Nothing between 5.10 and 6.1 was to be had. io-wq as it is now came with 5.12, its limits of workers with this.
const FIRST_NEW: (u32, u32) = (5, 15);

/// Where `/proc/self/fd` says that an eventfd leads to.
const EVENTFD: &[u8] = b"anon_inode:[eventfd]";
/// The same of a signalfd.
const SIGNALFD: &[u8] = b"anon_inode:[signalfd]";

impl Workers {
    /// Those of this kernel.
    pub(super) fn here() -> Self {
        let mut names = MaybeUninit::<libc::utsname>::uninit();
        // SAFETY: the call fills the structure in, or fails.
        if unsafe { libc::uname(names.as_mut_ptr()) } != 0 {
            return Self::Old;
        }
        // SAFETY: it did not fail, and its strings end with a zero.
        let release = unsafe { CStr::from_ptr((*names.as_ptr()).release.as_ptr()) };
        Self::of(&release.to_string_lossy())
    }

    /// By the release, as uname(2) has it. What cannot be read counts as old.
    fn of(release: &str) -> Self {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= FIRST_SOUND => Self::Sound,
            (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= FIRST_NEW => Self::Spinning,
            _ => Self::Old,
        }
    }

    /// How an operation must be handed over.
    pub(super) fn way(self, number: RawFd, kind: FileKind, access: Access, is_wanted: bool) -> Way {
        let is_sound = self == Self::Sound;
        match (kind, access) {
            (_, Access::Sync) => hinted(is_wanted && (is_sound || self.take(number, kind, access))),
            // Even a poll asks the server, and its files can be polled.
            (FileKind::Fuse, _) if is_sound => Way::Worker,
            (FileKind::Fuse, _) => Way::InTurn,
            (FileKind::Remote, Access::Read | Access::Write) => Way::Worker,
            (FileKind::Device | FileKind::Pseudo { .. }, Access::Read | Access::Write)
                if is_sound =>
            {
                Way::Worker
            }
            (FileKind::Device, Access::Read | Access::Write)
                if self == Self::Spinning && is_called_inline(number) =>
            {
                Way::InTurn
            }
            // A worker would look at the signals that wait for itself.
            (FileKind::Anonymous, _)
                if is_wanted && leads_to(number).is_ok_and(|path| path == SIGNALFD) =>
            {
                Way::Plain
            }
            _ => hinted(is_wanted && (is_sound || self.take(number, kind, access))),
        }
    }

    /// Whether workers that spin can be given this file: it cannot be polled, or knows attempts without waiting.
    fn take(self, number: RawFd, kind: FileKind, access: Access) -> bool {
        match kind {
            FileKind::Unknown | FileKind::Directory | FileKind::Block | FileKind::Socket => true,
            FileKind::Local | FileKind::Layered | FileKind::Remote => true,
            FileKind::Pseudo { has_content } => has_content,
            FileKind::Pipe | FileKind::Device | FileKind::PromptDevice | FileKind::Fuse => false,
            // An eventfd knows such attempts for reads.
            FileKind::Anonymous => {
                access != Access::Write && leads_to(number).is_ok_and(|path| path == EVENTFD)
            }
        }
    }
}

fn hinted(is_hinted: bool) -> Way {
    if is_hinted {
        Way::Hinted
    } else {
        Way::Plain
    }
}

/// Whether the kernel calls a device's driver on the ring's thread because of O_NONBLOCK. It does so for terminals, too, whose
/// drivers obey.
fn is_called_inline(number: RawFd) -> bool {
    // SAFETY: the calls take integers; isatty answers 0 for what is none.
    unsafe {
        let flags = libc::fcntl(number, libc::F_GETFL);
        flags >= 0 && flags & libc::O_NONBLOCK != 0 && libc::isatty(number) == 0
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

    #[test]
    fn clause_2_live_old_kernels_are_told_from_sound_ones() {
        for release in ["6.9.0", "6.9", "6.12.117+deb13-amd64", "7.0.0-rc1", "10.1.2"] {
            assert_eq!(Workers::of(release), Workers::Sound, "{release}");
        }
        for release in ["5.15.0-91-generic", "6.1.0-56-cloud-arm64", "6.8.12"] {
            assert_eq!(Workers::of(release), Workers::Spinning, "{release}");
        }
        for release in ["5.10.0-30-amd64", "5.14.21", "4.19", "", "x", "6"] {
            assert_eq!(Workers::of(release), Workers::Old, "{release}");
        }
    }

    const ACCESSES: [Access; 4] = [Access::Read, Access::Write, Access::Poll, Access::Sync];

    #[test]
    fn clause_2_live_workers_that_spin_get_no_pipes_and_no_devices_that_can_do_without() {
        let spared = [FileKind::Pipe, FileKind::Device, FileKind::PromptDevice];
        for kind in spared.into_iter().chain([FileKind::Pseudo { has_content: false }]) {
            for access in ACCESSES {
                for workers in [Workers::Old, Workers::Spinning] {
                    assert_eq!(
                        workers.way(-1, kind, access, true),
                        Way::Plain,
                        "{kind:?} {access:?}"
                    );
                }
            }
        }
        for kind in [FileKind::Local, FileKind::Socket, FileKind::Directory, FileKind::Block] {
            for access in ACCESSES {
                assert_eq!(Workers::Spinning.way(-1, kind, access, true), Way::Hinted, "{kind:?}");
                assert_eq!(Workers::Spinning.way(-1, kind, access, false), Way::Plain, "{kind:?}");
            }
        }
    }

    #[test]
    fn clause_2_live_an_eventfd_is_a_worker_s_for_reads_alone() {
        // SAFETY: the call takes two integers.
        let number = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        let way = |access| Workers::Spinning.way(number, FileKind::Anonymous, access, true);
        assert_eq!([way(Access::Read), way(Access::Write)], [Way::Hinted, Way::Plain]);
        // SAFETY: it was just made, for this test.
        unsafe { libc::close(number) };
    }

    #[test]
    fn what_may_wait_is_a_workers_or_goes_one_at_a_time() {
        let device =
            |workers: Workers, number| workers.way(number, FileKind::Device, Access::Read, false);
        // A terminal with O_NONBLOCK, and a device that is none.
        let open = |path: &std::ffi::CStr| {
            // SAFETY: the path ends in NUL.
            unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC) }
        };
        let (terminal, other) = (open(c"/dev/ptmx"), open(c"/dev/null"));
        assert!(terminal >= 0 && other >= 0);
        assert_eq!(device(Workers::Sound, terminal), Way::Worker);
        assert_eq!(device(Workers::Sound, other), Way::Worker);
        assert_eq!(device(Workers::Spinning, terminal), Way::Plain);
        assert_eq!(device(Workers::Spinning, other), Way::InTurn);
        assert_eq!(device(Workers::Old, other), Way::Plain);
        // SAFETY: both were just opened, for this test.
        unsafe { (libc::close(terminal), libc::close(other)) };
        for access in ACCESSES {
            let is_sync = access == Access::Sync;
            let ways = [Workers::Old, Workers::Spinning, Workers::Sound]
                .map(|workers| workers.way(-1, FileKind::Fuse, access, false));
            let expected = [Way::InTurn, Way::InTurn, Way::Worker];
            assert_eq!(ways, if is_sync { [Way::Plain; 3] } else { expected }, "{access:?}");
        }
    }
}
