//! Why a machine has no io_uring, as far as the kernel and its files say so.

use std::io;

/// Why io_uring is not available here, each with its remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// ENOSYS: the kernel has none (older than 5.1, built without it, or an emulator).
    NoSuchCall,
    /// ENOSYS on a kernel that is new enough, while a seccomp filter is on this process.
    Hidden,
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
            libc::ENOSYS if is_filtered() && !is_older(&release(), FIRST) => Self::Hidden,
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
            Self::NoSuchCall | Self::Hidden => "ENOSYS",
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
            Self::Hidden => {
                "allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp filter \
                 (for Docker: --security-opt seccomp=PROFILE); if it allows them, the kernel lacks \
                 CONFIG_IO_URING"
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
            Self::Hidden => {
                write!(f, "io_uring_setup answers ENOSYS, and a seccomp filter is on this process")
            }
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

/// The kernel that brought io_uring.
const FIRST: Release = (5, 1);

/// A kernel's major and minor number.
pub(super) type Release = (u32, u32);

/// `6.18.44-fc` is 6.18; `None` for what is no release.
pub(super) fn parse_release(text: &str) -> Option<Release> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Whether this is certain.
fn is_older(release: &str, than: Release) -> bool {
    parse_release(release).is_some_and(|found| found < than)
}

/// The kernel's release, as uname(2) has it.
pub(super) fn release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| String::from("unknown"), |release| release.trim().to_owned())
}

/// Whether a seccomp filter is on this process (SECCOMP_MODE_FILTER is 2).
fn is_filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() == "2")
}

fn disabled_by_sysctl() -> Option<u8> {
    std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_whatever_follows_the_numbers() {
        assert_eq!(parse_release("6.18.44-fc-v595"), Some((6, 18)));
        assert_eq!(parse_release("7.3-rc1"), Some((7, 3)));
        assert_eq!(parse_release("unknown"), None);
        assert!(is_older("4.4.0", FIRST) && is_older("5.0.21", FIRST));
        assert!(
            !is_older("5.1.0", FIRST) && !is_older("5.10.0", (5, 2)) && !is_older("unknown", FIRST)
        );
    }
}
