//! What this machine's io_uring can do, or why it can do nothing.

use super::setup::Fallbacks;
use super::RealKernel;
use io_uring::{opcode, IoUring};
use std::io;

/// Why io_uring is not available here, each with its remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// ENOSYS: the kernel has none (older than 5.1, built without it, or an emulator).
    NoSuchCall,
    /// EPERM, and the sysctl `kernel.io_uring_disabled` says so.
    DisabledBySysctl(u8),
    /// EPERM (or EACCES) without that: a seccomp filter, as containers have it, or a security module.
    Forbidden,
    /// ENOMEM even for the smallest ring: the limit of locked memory, or of the control group.
    NoMemory,
    /// EMFILE or ENFILE: no descriptor left.
    NoDescriptor,
    /// Anything else, as an errno.
    Other(i32),
}

impl Unsupported {
    pub(super) fn from_setup(error: &io::Error) -> Self {
        match error.raw_os_error().unwrap_or(0) {
            libc::ENOSYS => Self::NoSuchCall,
            libc::EPERM | libc::EACCES => match disabled_by_sysctl() {
                Some(level @ 1..) => Self::DisabledBySysctl(level),
                _ => Self::Forbidden,
            },
            libc::ENOMEM => Self::NoMemory,
            libc::EMFILE | libc::ENFILE => Self::NoDescriptor,
            errno => Self::Other(errno),
        }
    }

    /// A word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoSuchCall => "ENOSYS",
            Self::DisabledBySysctl(_) | Self::Forbidden => "EPERM",
            Self::NoMemory => "ENOMEM",
            Self::NoDescriptor => "EMFILE",
            Self::Other(_) => "EOTHER",
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NoSuchCall => {
                "use Linux 5.10 or newer with CONFIG_IO_URING, outside of user-mode emulators such as \
                 qemu-user and gVisor"
            }
            Self::DisabledBySysctl(_) => {
                "as root: sysctl kernel.io_uring_disabled=0 (or 1, and be a member of the group that \
                 kernel.io_uring_group names)"
            }
            Self::Forbidden => {
                "a seccomp filter or a security module forbids it: allow io_uring_setup, \
                 io_uring_enter and io_uring_register (for Docker: --security-opt seccomp=PROFILE)"
            }
            Self::NoMemory => {
                "raise the limit of locked memory (ulimit -l, LimitMEMLOCK= in a systemd unit), for which \
                 all rings of this user count, and those just closed for a moment; or the control \
                 group's memory limit"
            }
            Self::NoDescriptor => "close descriptors, or raise their limit (ulimit -n)",
            Self::Other(_) => "see the errno",
        }
    }
}

/// The reason alone; [`Unsupported::remedy`] says what to do.
impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchCall => write!(f, "this kernel has no io_uring (ENOSYS)"),
            Self::DisabledBySysctl(level) => {
                write!(f, "kernel.io_uring_disabled is {level} (EPERM)")
            }
            Self::Forbidden => write!(f, "this process may not use it (EPERM)"),
            Self::NoMemory => write!(f, "there is no memory for even the smallest ring (ENOMEM)"),
            Self::NoDescriptor => write!(f, "no descriptor is left for a ring (EMFILE)"),
            Self::Other(errno) => {
                write!(f, "io_uring_setup: {}", io::Error::from_raw_os_error(*errno))
            }
        }
    }
}

fn disabled_by_sysctl() -> Option<u8> {
    std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok()
}

/// What this machine's io_uring can do.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The kernel's release, as uname(2) has it.
    pub kernel: String,
    /// Why there is no io_uring; `None` if there is.
    pub unsupported: Option<Unsupported>,
    /// Which of the operations that this crate uses the kernel knows.
    pub operations: Vec<(&'static str, bool)>,
    /// What a ring does without here.
    pub fallbacks: Fallbacks,
}

/// The operations that this crate submits.
const OPERATIONS: [(&str, u8); 12] = [
    ("nop", opcode::Nop::CODE),
    ("read", opcode::Read::CODE),
    ("write", opcode::Write::CODE),
    ("readv", opcode::Readv::CODE),
    ("writev", opcode::Writev::CODE),
    ("poll", opcode::PollAdd::CODE),
    ("timeout", opcode::Timeout::CODE),
    ("timeout_update", opcode::TimeoutUpdate::CODE),
    ("open", opcode::OpenAt::CODE),
    ("close", opcode::Close::CODE),
    ("fsync", opcode::Fsync::CODE),
    ("cancel", opcode::AsyncCancel::CODE),
];

/// Asks the kernel, with a small ring that is closed again.
pub fn probe() -> Probe {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| String::from("unknown"), |release| release.trim().to_owned());
    let none = Probe {
        kernel,
        unsupported: None,
        operations: Vec::new(),
        fallbacks: Fallbacks::default(),
    };
    match RealKernel::new(8, 16) {
        Ok(ring) => {
            Probe { operations: operations(&ring.ring.0), fallbacks: ring.fallbacks(), ..none }
        }
        Err(error) => Probe { unsupported: Some(error.reason), ..none },
    }
}

fn operations(ring: &IoUring) -> Vec<(&'static str, bool)> {
    let mut known = io_uring::Probe::new();
    // A kernel without the probe (before 5.6) has none of the operations that need asking for.
    let _ = ring.submitter().register_probe(&mut known);
    OPERATIONS.iter().map(|&(name, code)| (name, known.is_supported(code))).collect()
}
