use super::Request;
use crate::kernel::timespec;
use crate::memory::{Arena, ArenaError, Memory};
use io_uring::opcode;
use io_uring::squeue::Entry;
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
}

impl Request for Sleep {
    const OPCODE: u8 = opcode::Timeout::CODE;
    const SINCE: (u32, u32) = (5, 4);
    const NAME: &'static str = "sleep";
    const PROBED: &'static str = "timeout";

    #[inline(always)]
    fn entry(&self) -> Entry {
        opcode::Timeout::new(self.timespec.address() as *const Timespec).build()
    }

    fn translate(&self, result: i32) -> i32 {
        // A timeout that ran its time says so by an error.
        if result == -libc::ETIME {
            return 0;
        }
        result
    }
}
