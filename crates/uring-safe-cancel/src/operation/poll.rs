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
}
