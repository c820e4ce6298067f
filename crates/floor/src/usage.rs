//! Processor time of all threads.

/// Microseconds in user and in system mode.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User mode.
    pub user: i64,
    /// System mode.
    pub system: i64,
}

impl Usage {
    /// What this process has used so far.
    pub fn now() -> Self {
        // SAFETY: all zeros is a rusage, and the pointer is to this frame.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(libc::RUSAGE_SELF, &mut usage);
            usage
        };
        let microseconds = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
        Self { user: microseconds(usage.ru_utime), system: microseconds(usage.ru_stime) }
    }

    /// What was used since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}
