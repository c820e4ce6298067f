use crate::kernel::Work;
use crate::memory::{Arena, ArenaError, Memory};
use crate::real::timespec;
use io_uring::types::Timespec;
use std::time::Duration;

/// Completes with 0 after a time.
#[derive(Debug)]
pub struct Sleep {
    timespec: Memory,
}

/// Longer than any machine runs, and far from what overflows in the kernel.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl Sleep {
    /// Sleeps for `time`; the kernel's form of it comes from `arena`.
    pub fn new(arena: &Arena, time: Duration) -> Result<Self, ArenaError> {
        let memory = arena.allocate_small(size_of::<Timespec>())?;
        let time = timespec(time.min(LONGEST).as_nanos() as u64);
        // SAFETY: the memory was just allocated with room for it, is aligned for it, and nobody
        // else knows it.
        unsafe { memory.as_mut_ptr().cast::<Timespec>().write(time) };
        Ok(Self { timespec: memory })
    }

    pub(super) fn work(&self) -> Work {
        Work::Sleep { timespec: self.timespec.address() }
    }
}
