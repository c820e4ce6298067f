use super::{descriptor, Request};
use crate::descriptor::Descriptor;
use crate::kernel::Access;
use io_uring::squeue::Entry;
use io_uring::{opcode, types::Fd};

/// Waits until one of `events` (as in poll(2)) holds. The result is the mask of those that do.
#[derive(Debug)]
pub struct Poll {
    /// The file.
    pub descriptor: Descriptor,
    /// The mask of events.
    pub events: u32,
}

impl Request for Poll {
    const OPCODE: u8 = opcode::PollAdd::CODE;
    const SINCE: (u32, u32) = (5, 1);
    const NAME: &'static str = "poll";
    const ACCESS: Access = Access::Poll;

    #[inline(always)]
    fn entry(&self) -> Entry {
        opcode::PollAdd::new(Fd(self.descriptor.number()), self.events).build()
    }

    /// As poll(2) has it: what was asked for, and what is always told. The kernel adds what woke it (POLLRDHUP).
    fn translate(&self, result: i32) -> i32 {
        const ALWAYS: i32 = (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) as i32;
        if result < 0 {
            return result;
        }
        result & (self.events as i32 | ALWAYS)
    }

    descriptor!();
}
