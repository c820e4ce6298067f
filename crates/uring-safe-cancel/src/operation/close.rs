use super::Request;
use crate::descriptor::closer::{self, Closing};
use crate::machine::is_interruption;
use io_uring::squeue::Entry;
use io_uring::{opcode, types::Fd};
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

/// Closes a descriptor. No cancel reaches it, and a ring that is destroyed before the kernel saw it
/// closes the descriptor itself. Where the release of the file may wait, a thread of its own closes it.
#[derive(Debug)]
pub struct Close {
    number: RawFd,
    /// The close, where a thread does it.
    elsewhere: Option<Arc<Closing>>,
}

impl Close {
    /// Closes `number`, which its owner gives away.
    pub fn new(number: RawFd) -> Self {
        Self { number, elsewhere: None }
    }

    /// The descriptor.
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// Whether a thread has been given the close.
    pub(crate) fn is_begun(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Gives the close to a thread. An error where there is no descriptor left to tell its end by.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.elsewhere = Some(closer::begin(self.number)?);
        Ok(())
    }

    /// Does it by close(2), for who has no kernel's queue to give it to: the errno if it fails. EINTR is no failure, because Linux
    /// has released the number by then. Where the release may wait, a thread does it, and nobody waits for that.
    pub fn at_once(self) -> Result<(), i32> {
        if self.is_begun() {
            return Ok(());
        }
        // SAFETY: the client gave the number away with the operation, which goes with this call.
        if unsafe { closer::close_number(self.number) } == 0 {
            return Ok(());
        }
        match io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) {
            libc::EINTR => Ok(()),
            errno => Err(errno),
        }
    }
}

impl Request for Close {
    const OPCODE: u8 = opcode::Close::CODE;
    const SINCE: (u32, u32) = (5, 6);
    const NAME: &'static str = "close";
    /// Once asked for, it always closes.
    const CANCELLABLE: bool = false;
    /// Whatever it said, Linux has released the number by then, and another file may have it.
    const REPEATABLE: bool = false;

    #[inline(always)]
    fn entry(&self) -> Entry {
        match &self.elsewhere {
            None => opcode::Close::new(Fd(self.number)).build(),
            Some(closing) => opcode::PollAdd::new(Fd(closing.event()), libc::POLLIN as u32).build(),
        }
    }

    /// What the CQE's result means.
    fn translate(&self, result: i32) -> i32 {
        match &self.elsewhere {
            // The descriptor is closed nonetheless, as for close(2).
            None if is_interruption(result) => 0,
            None => result,
            // The poll was interrupted before: it is asked for again.
            Some(closing) => closing.result().unwrap_or(-libc::EINTR),
        }
    }
}
