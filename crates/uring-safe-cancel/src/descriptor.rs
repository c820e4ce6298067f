//! Which file an operation works on, and who keeps it open.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// The file of an operation.
#[derive(Clone, Debug)]
pub enum Descriptor {
    /// A number that its owner promises to keep open until the SQE has been submitted. From then on
    /// the kernel holds the file itself.
    Borrowed(RawFd),
    /// An open descriptor that the operation holds until its final CQE.
    Held(Arc<OwnedFd>),
}

impl Descriptor {
    /// The number.
    #[inline]
    pub fn number(&self) -> RawFd {
        match self {
            Self::Borrowed(number) => *number,
            Self::Held(descriptor) => descriptor.as_raw_fd(),
        }
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(descriptor: OwnedFd) -> Self {
        Self::Held(Arc::new(descriptor))
    }
}

impl From<Arc<OwnedFd>> for Descriptor {
    fn from(descriptor: Arc<OwnedFd>) -> Self {
        Self::Held(descriptor)
    }
}

/// Duplicates for operations whose SQE the kernel sees late (those that wait, and `IOSQE_ASYNC`, which
/// looks the number up in a worker): by then the number may mean another file.
///
/// A hundred thousand waiting reads of one file would need as many descriptors, so the last duplicate
/// is shared as long as the kernel confirms that the number still means the same open file.
#[derive(Debug, Default)]
pub struct Duplicates {
    last: Option<(RawFd, Arc<OwnedFd>)>,
}

impl Duplicates {
    /// A duplicate of `number`, close-on-exec.
    pub fn get(&mut self, number: RawFd) -> io::Result<Descriptor> {
        if let Some((of, duplicate)) = &self.last {
            if *of == number && is_same_file(number, duplicate.as_raw_fd()) {
                return Ok(Descriptor::Held(Arc::clone(duplicate)));
            }
        }
        // SAFETY: the call takes two integers; a bad number is an error of its own.
        let duplicate = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) };
        if duplicate < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made this descriptor for us, and nobody else knows it.
        let duplicate = Arc::new(unsafe { OwnedFd::from_raw_fd(duplicate) });
        self.last = Some((number, Arc::clone(&duplicate)));
        Ok(Descriptor::Held(duplicate))
    }

    /// Closes the shared duplicate, unless an operation holds it: a pipe must be seen to close when
    /// its user closes it.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Whether a duplicate is kept.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }
}

/// Whether two numbers mean the same open file description. Where the kernel cannot tell (no
/// F_DUPFD_QUERY before 6.10, and kcmp forbidden), the answer is no.
fn is_same_file(one: RawFd, other: RawFd) -> bool {
    const F_DUPFD_QUERY: libc::c_int = 1024 + 3;
    const KCMP_FILE: libc::c_int = 0;
    // SAFETY: the call takes three integers and touches no memory.
    match unsafe { libc::fcntl(one, F_DUPFD_QUERY, other) } {
        1 => return true,
        0 => return false,
        _ => {}
    }
    // SAFETY: as above.
    let pid = unsafe { libc::getpid() };
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_kcmp, pid, pid, KCMP_FILE, one, other) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn clause_6_a_duplicate_is_shared_only_while_the_number_means_the_same_file() {
        let mut duplicates = Duplicates::default();
        let file = File::open("/dev/null").unwrap();
        let number = file.as_raw_fd();
        let first = duplicates.get(number).unwrap();
        let second = duplicates.get(number).unwrap();
        assert_eq!(first.number(), second.number(), "shared");

        let other = File::open("/dev/zero").unwrap();
        // SAFETY: both descriptors are this test's own.
        assert!(unsafe { libc::dup2(other.as_raw_fd(), number) } >= 0);
        let third = duplicates.get(number).unwrap();
        assert_ne!(third.number(), first.number(), "the number means /dev/zero now");
        assert!(is_same_file(third.number(), other.as_raw_fd()));
        assert!(!is_same_file(third.number(), first.number()));
    }

    #[test]
    fn a_closed_number_is_an_error() {
        assert_eq!(Duplicates::default().get(-1).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
