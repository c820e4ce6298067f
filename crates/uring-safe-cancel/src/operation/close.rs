use crate::kernel::Work;
use std::os::fd::RawFd;

/// Closes a descriptor. No cancel reaches it, and a ring that is destroyed before the kernel saw it
/// closes the descriptor itself.
#[derive(Debug)]
pub struct Close {
    /// The descriptor.
    pub number: RawFd,
}

impl Close {
    #[inline]
    pub(super) fn work(&self) -> Work {
        Work::Close { descriptor: self.number }
    }
}
