//! What a descriptor leads to, as far as it decides how it may be touched. Asked without asking a server.
//!
//! fstat(2) asks the server of a network or FUSE filesystem once its last answer is too old, and waits: on the thread that
//! submits, where nothing can be cancelled. What is asked here never changes, or tells enough when it is old.

use super::mounts;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

/// The kinds of open files that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Nobody can say; what is done with it says what is wrong (EBADF).
    Unknown,
    /// A pipe or a FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// What has no name: an eventfd, timerfd, inotify, ...
    Anonymous,
    /// A directory.
    Directory,
    /// A block device.
    Block,
    /// A character device that never waits: /dev/null, zero, full, random, urandom, tun.
    PromptDevice,
    /// Any other character device: a terminal, a serial line, an input device. Its driver may wait whatever it was told,
    /// at every call and when it is released.
    Device,
    /// A regular file that lies on this machine, or in its memory.
    Local,
    /// A regular file of an overlay: its close has something to hand on, so that the kernel gives it to a worker.
    Layered,
    /// A regular file that the kernel makes up (/proc, /sys, tracefs): reading it runs somebody's code.
    Pseudo {
        /// Whether it has a size. Those that wait (kmsg, trace_pipe) seem to be empty.
        has_content: bool,
    },
    /// A regular file of a FUSE server, which is asked for everything, a poll included.
    Fuse,
    /// A regular file of another machine.
    Remote,
}

impl FileKind {
    /// What `number` leads to.
    pub fn of(number: RawFd) -> Self {
        look(number).kind
    }

    /// Whether it may have a position that reads and writes move.
    pub(crate) fn has_position(self) -> bool {
        self == Self::Block || self.is_regular()
    }

    pub(crate) fn is_regular(self) -> bool {
        matches!(
            self,
            Self::Local | Self::Layered | Self::Pseudo { .. } | Self::Fuse | Self::Remote
        )
    }

    /// Whether letting go of the last reference to the open file may wait: for output to drain, or for a server.
    pub(crate) fn waits_at_release(self) -> bool {
        matches!(self, Self::Device | Self::Fuse | Self::Remote)
    }
}

/// What a look at a descriptor tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// What it leads to.
    pub kind: FileKind,
    /// Which file it is, among all of its kind.
    pub identity: (u64, u64),
}

impl Look {
    /// A look that tells the kind alone.
    pub const fn at(kind: FileKind) -> Self {
        Self { kind, identity: (0, 0) }
    }
}

/// Looks: one system call, and more only for what is mounted where nobody has looked yet.
pub(crate) fn look(number: RawFd) -> Look {
    let mut status = MaybeUninit::uninit();
    let Ok(status) = self::status(number, &mut status) else {
        return Look::at(FileKind::Unknown);
    };
    let kind = match libc::mode_t::from(status.stx_mode) & libc::S_IFMT {
        libc::S_IFIFO => FileKind::Pipe,
        libc::S_IFSOCK => FileKind::Socket,
        libc::S_IFDIR => FileKind::Directory,
        libc::S_IFBLK => FileKind::Block,
        libc::S_IFCHR if is_prompt(status.stx_rdev_major, status.stx_rdev_minor) => {
            FileKind::PromptDevice
        }
        libc::S_IFCHR => FileKind::Device,
        libc::S_IFREG => mounts::kind_of(number, status),
        _ => FileKind::Anonymous,
    };
    let device = u64::from(status.stx_dev_major) << 32 | u64::from(status.stx_dev_minor);
    Look { kind, identity: (device, status.stx_ino) }
}

const MEMORY: u32 = 1;
const MISCELLANEOUS: u32 = 10;

/// By the numbers of Documentation/admin-guide/devices.txt, which never change.
fn is_prompt(major: u32, minor: u32) -> bool {
    match major {
        // null, zero, full, random (which never waits once the system has booted), urandom.
        MEMORY => matches!(minor, 3 | 5 | 7 | 8 | 9),
        // tun: it knows attempts without waiting.
        MISCELLANEOUS => minor == 200,
        _ => false,
    }
}

/// Whether a device is no part of the memory: of those that never wait tun alone.
pub(super) fn is_miscellaneous(number: RawFd) -> bool {
    status(number, &mut Status::uninit())
        .map_or(true, |status| status.stx_rdev_major == MISCELLANEOUS)
}

/// Where a look is put: 256 bytes, which are worth not moving about.
pub(super) type Status = MaybeUninit<libc::statx>;

#[inline]
pub(super) fn status(number: RawFd, place: &mut Status) -> io::Result<&libc::statx> {
    status_with(number, mounts::STATX_MNT_ID_UNIQUE, place)
}

#[inline]
pub(super) fn status_with(
    number: RawFd,
    mount: u32,
    place: &mut Status,
) -> io::Result<&libc::statx> {
    // glibc 2.17, which the addon runs on, has no function for it.
    // SAFETY: the path is an empty string, and the call fills the structure in, or fails.
    let result = unsafe {
        libc::syscall(
            libc::SYS_statx,
            number,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
            libc::STATX_TYPE | libc::STATX_INO | libc::STATX_SIZE | libc::STATX_BLOCKS | mount,
            place.as_mut_ptr(),
        )
    };
    if result == 0 {
        // SAFETY: it did not fail, and the kernel writes the whole structure.
        return Ok(unsafe { place.assume_init_ref() });
    }
    failed(number, place)
}

#[cold]
fn failed(number: RawFd, place: &mut Status) -> io::Result<&libc::statx> {
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Sandboxes that do not know the call forbid it.
        Some(libc::ENOSYS | libc::EPERM) => by_fstat(number, place),
        _ => Err(error),
    }
}

fn by_fstat(number: RawFd, place: &mut Status) -> io::Result<&libc::statx> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the call fills the structure in, or fails.
    if unsafe { libc::fstat(number, status.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it did not fail, and a statx of zeros is valid.
    let (status, mut same) =
        unsafe { (status.assume_init(), MaybeUninit::<libc::statx>::zeroed().assume_init()) };
    same.stx_mode = status.st_mode as u16;
    same.stx_ino = status.st_ino;
    same.stx_size = status.st_size as u64;
    same.stx_blocks = status.st_blocks as u64;
    (same.stx_dev_major, same.stx_dev_minor) =
        (libc::major(status.st_dev), libc::minor(status.st_dev));
    (same.stx_rdev_major, same.stx_rdev_minor) =
        (libc::major(status.st_rdev), libc::minor(status.st_rdev));
    Ok(place.write(same))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;

    #[test]
    fn both_calls_say_the_same() {
        for path in ["/proc/self/exe", "/proc/self/status", "/dev/null", "/"] {
            let file = File::open(path).unwrap();
            let (mut one, mut other) = (Status::uninit(), Status::uninit());
            let one = status(file.as_raw_fd(), &mut one).unwrap();
            let other = by_fstat(file.as_raw_fd(), &mut other).unwrap();
            let told = |s: &libc::statx| {
                (s.stx_mode, s.stx_ino, s.stx_size, s.stx_blocks, s.stx_dev_major, s.stx_rdev_minor)
            };
            assert_eq!(told(one), told(other), "{path}");
        }
        let (mut one, mut other) = (Status::uninit(), Status::uninit());
        for error in [status(-1, &mut one).err(), by_fstat(-1, &mut other).err()] {
            assert_eq!(error.unwrap().raw_os_error(), Some(libc::EBADF));
        }
    }

    #[test]
    fn kinds_are_told_apart() {
        let kind = |path: &str| FileKind::of(File::open(path).unwrap().as_raw_fd());
        assert_eq!(kind("/"), FileKind::Directory);
        assert_eq!(kind("/dev/null"), FileKind::PromptDevice);
        assert_eq!(kind("/dev/zero"), FileKind::PromptDevice);
        assert_eq!(kind("/dev/ptmx"), FileKind::Device);
        assert_eq!(kind("/proc/self/status"), FileKind::Pseudo { has_content: false });
        assert_eq!(kind("/sys/kernel/profiling"), FileKind::Pseudo { has_content: true });
        assert!(kind("/proc/self/exe").is_regular());
        let (reader, _writer) = io::pipe().unwrap();
        assert_eq!(FileKind::of(reader.as_raw_fd()), FileKind::Pipe);
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(FileKind::of(socket.as_raw_fd()), FileKind::Socket);
        // SAFETY: the call takes two integers.
        let eventfd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        assert_eq!(FileKind::of(eventfd), FileKind::Anonymous);
        // SAFETY: it was just made, for this test.
        unsafe { libc::close(eventfd) };
        // SAFETY: the name ends in NUL.
        let memory = unsafe { libc::memfd_create(c"kind".as_ptr(), libc::MFD_CLOEXEC) };
        assert_eq!(FileKind::of(memory), FileKind::Local, "although it is mounted nowhere");
        // SAFETY: as above.
        unsafe { libc::close(memory) };
        assert_eq!(FileKind::of(-1), FileKind::Unknown);
    }
}
