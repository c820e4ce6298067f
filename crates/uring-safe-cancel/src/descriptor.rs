//! Which file an operation works on, who keeps it open, and who closes it.

pub(crate) mod closer;
mod kind;
mod mounts;

pub(crate) use kind::look;
pub use kind::{FileKind, Look};

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, OnceLock};

/// The file of an operation.
#[derive(Clone, Debug)]
pub enum Descriptor {
    /// A number that its owner promises to keep open until the SQE has been submitted. From then on
    /// the kernel holds the file itself.
    Borrowed(RawFd),
    /// An open file that the operation holds until its final CQE.
    Held(Arc<OpenFile>),
}

impl Descriptor {
    /// The number.
    #[inline]
    pub fn number(&self) -> RawFd {
        match self {
            Self::Borrowed(number) => *number,
            Self::Held(file) => file.as_raw_fd(),
        }
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(descriptor: OwnedFd) -> Self {
        Self::Held(Arc::new(descriptor.into()))
    }
}

impl From<Arc<OpenFile>> for Descriptor {
    fn from(file: Arc<OpenFile>) -> Self {
        Self::Held(file)
    }
}

/// A descriptor that knows what it leads to once a ring has looked, and is closed elsewhere if that may wait: a terminal with
/// output that nobody takes, a file on a server that does not answer.
///
/// ```
/// use std::os::fd::OwnedFd;
/// use uring_safe_cancel::descriptor::OpenFile;
///
/// let (reader, _writer) = std::io::pipe()?;
/// let file = OpenFile::from(OwnedFd::from(reader));
/// let _again: OwnedFd = file.into();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct OpenFile {
    descriptor: ManuallyDrop<OwnedFd>,
    look: OnceLock<Look>,
}

impl OpenFile {
    /// What it leads to, if a ring has looked.
    #[inline]
    pub(crate) fn known(&self) -> Option<Look> {
        self.look.get().copied()
    }

    /// What it leads to was found out.
    pub(crate) fn know(&self, look: Look) {
        let _ = self.look.set(look);
    }
}

impl From<OwnedFd> for OpenFile {
    fn from(descriptor: OwnedFd) -> Self {
        Self { descriptor: ManuallyDrop::new(descriptor), look: OnceLock::new() }
    }
}

impl From<OpenFile> for OwnedFd {
    fn from(file: OpenFile) -> Self {
        let mut file = ManuallyDrop::new(file);
        // SAFETY: the file is not used again, not even by its drop.
        unsafe { ManuallyDrop::take(&mut file.descriptor) }
    }
}

impl AsRawFd for OpenFile {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl AsFd for OpenFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // SAFETY: nobody uses it after the drop.
        let descriptor = unsafe { ManuallyDrop::take(&mut self.descriptor) };
        if self.look.get().is_some_and(|look| look.kind.waits_at_release()) {
            closer::close(descriptor);
        }
    }
}

/// Duplicates for operations whose SQE the kernel sees late (those that wait, and `IOSQE_ASYNC`, which
/// looks the number up in a worker): by then the number may mean another file.
///
/// A hundred thousand waiting reads of one file would need as many descriptors, so the last duplicate
/// is shared as long as the kernel confirms that the number still means the same open file.
#[derive(Debug, Default)]
pub struct Duplicates {
    last: Option<(RawFd, Arc<OpenFile>)>,
}

impl Duplicates {
    /// A duplicate of `number`, close-on-exec. What is known of the number is known of the duplicate.
    pub fn get(&mut self, number: RawFd, look: Option<Look>) -> io::Result<Descriptor> {
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
        let duplicate = Arc::new(OpenFile::from(unsafe { OwnedFd::from_raw_fd(duplicate) }));
        if let Some(look) = look {
            duplicate.know(look);
        }
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
        let first = duplicates.get(number, None).unwrap();
        let second = duplicates.get(number, None).unwrap();
        assert_eq!(first.number(), second.number(), "shared");

        let other = File::open("/dev/zero").unwrap();
        // SAFETY: both descriptors are this test's own.
        assert!(unsafe { libc::dup2(other.as_raw_fd(), number) } >= 0);
        let third = duplicates.get(number, None).unwrap();
        assert_ne!(third.number(), first.number(), "the number means /dev/zero now");
        assert!(is_same_file(third.number(), other.as_raw_fd()));
        assert!(!is_same_file(third.number(), first.number()));
    }

    #[test]
    fn a_closed_number_is_an_error() {
        assert_eq!(
            Duplicates::default().get(-1, None).unwrap_err().raw_os_error(),
            Some(libc::EBADF)
        );
    }
}
