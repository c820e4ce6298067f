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
    /// Does it by close(2), for who has no kernel's queue to give it to: the errno if it fails. EINTR is no failure, because Linux
    /// has released the number by then.
    pub fn at_once(self) -> Result<(), i32> {
        // SAFETY: the client gave the number away with the operation, which goes with this call.
        if unsafe { libc::close(self.number) } == 0 {
            return Ok(());
        }
        match std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) {
            libc::EINTR => Ok(()),
            errno => Err(errno),
        }
    }

    #[inline]
    pub(super) fn work(&self) -> Work {
        Work::Close { descriptor: self.number }
    }
}
