use crate::descriptor::Descriptor;
use crate::kernel::Work;

/// Waits until one of `events` (as in poll(2)) holds. The result is the mask of those that do.
#[derive(Debug)]
pub struct Poll {
    /// The file.
    pub descriptor: Descriptor,
    /// The mask of events.
    pub events: u32,
}

impl Poll {
    #[inline]
    pub(super) fn work(&self) -> Work {
        Work::Poll { descriptor: self.descriptor.number(), events: self.events }
    }

    /// As poll(2) has it: what was asked for, and what is always told. The kernel adds what woke it (POLLRDHUP).
    pub(super) fn translate(&self, result: i32) -> i32 {
        const ALWAYS: i32 = (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) as i32;
        if result < 0 {
            return result;
        }
        result & (self.events as i32 | ALWAYS)
    }
}
