//! Setting a ring up on whatever kernel this is.

use super::locked::could_fit;
use super::patience::try_patiently;
use super::unsupported::Unsupported;
use io_uring::{Builder, IoUring};
use std::io;

/// What the kernel lacks, and the ring does without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fallbacks {
    /// No `SINGLE_ISSUER` (before 6.0).
    pub single_issuer: bool,
    /// No `COOP_TASKRUN` with `TASKRUN_FLAG` (before 5.19): the kernel interrupts the thread.
    pub coop_taskrun: bool,
    /// No `SUBMIT_ALL` (before 5.18): an SQE that fails early ends the batch, and the rest follows with
    /// another system call.
    pub submit_all: bool,
    /// The queues are smaller than asked for, because the limit of locked memory allows no more.
    pub fewer_entries: bool,
}

/// Why there is no ring.
#[derive(Debug)]
pub struct SetupError {
    /// What the kernel answered.
    pub error: io::Error,
    /// What that means, and what to do.
    pub reason: Unsupported,
}

impl SetupError {
    /// Of a ring that was made, and of which the kernel takes nothing any more: it answers with this errno.
    pub fn forbidden(errno: i32) -> Self {
        let error = io::Error::from_raw_os_error(errno);
        let reason = Unsupported::from_setup(&error);
        Self { error, reason }
    }
}

impl std::fmt::Display for SetupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "io_uring is not available: {}; {}", self.reason, self.reason.remedy())
    }
}

impl std::error::Error for SetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// The smallest queues worth having: below them a ring could hold no operation beside its reserves.
const FEWEST_ENTRIES: u32 = 8;

/// Flags that only make the ring faster, dropped from the end until the kernel accepts the rest.
const FLAG_SETS: [Fallbacks; 4] = [
    Fallbacks {
        single_issuer: false,
        coop_taskrun: false,
        submit_all: false,
        fewer_entries: false,
    },
    Fallbacks { single_issuer: true, coop_taskrun: false, submit_all: false, fewer_entries: false },
    Fallbacks { single_issuer: true, coop_taskrun: true, submit_all: false, fewer_entries: false },
    Fallbacks { single_issuer: true, coop_taskrun: true, submit_all: true, fewer_entries: false },
];

pub(super) fn set_up(entries: u32, completions: u32) -> Result<(IoUring, Fallbacks), SetupError> {
    let mut completions = completions.max(FEWEST_ENTRIES);
    // More SQEs than CQEs would be EINVAL, and be of no use.
    let mut entries = entries.clamp(1, completions);
    let mut fewer_entries = false;
    loop {
        let is_smallest = completions <= FEWEST_ENTRIES;
        let made = if could_fit(entries, completions) {
            try_patiently(is_smallest, || with_flags(entries, completions))
        } else {
            with_flags(entries, completions)
        };
        match made {
            Ok((ring, fallbacks)) => return Ok((ring, Fallbacks { fewer_entries, ..fallbacks })),
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && !is_smallest => {
                // The rings count against RLIMIT_MEMLOCK (before 5.12, and again since 6.14).
                fewer_entries = true;
                completions = (completions / 2).max(FEWEST_ENTRIES);
                entries = (entries / 2).clamp(1, completions);
            }
            Err(error) => {
                let reason = Unsupported::from_setup(&error);
                return Err(SetupError { error, reason });
            }
        }
    }
}

fn with_flags(entries: u32, completions: u32) -> io::Result<(IoUring, Fallbacks)> {
    let mut last = None;
    for fallbacks in FLAG_SETS {
        let mut builder: Builder = IoUring::builder();
        builder.dontfork().setup_cqsize(completions);
        if !fallbacks.single_issuer {
            builder.setup_single_issuer();
        }
        if !fallbacks.coop_taskrun {
            builder.setup_coop_taskrun().setup_taskrun_flag();
        }
        if !fallbacks.submit_all {
            builder.setup_submit_all();
        }
        match builder.build(entries) {
            Ok(ring) => return check_enter(&ring).map(|()| (ring, fallbacks)),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::from_raw_os_error(libc::EINVAL)))
}

/// A filter may let a ring be made, and forbid to use it: then nothing would ever complete.
fn check_enter(ring: &IoUring) -> io::Result<()> {
    match ring.submit() {
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES | libc::ENOSYS)) =>
        {
            Err(error)
        }
        // Whatever else it says will pass.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::RealKernel;
    use super::FEWEST_ENTRIES;

    #[test]
    fn clause_7_bounded_no_ring_is_too_small_for_an_operation_and_its_cancel() {
        for (entries, completions) in [(0, 0), (1, 1), (1, 4), (4, 1), (1024, 16), (8, 100)] {
            let kernel = RealKernel::new(entries, completions).expect("a ring");
            assert!(kernel.completions() >= completions.max(FEWEST_ENTRIES));
            assert!((1..=kernel.completions()).contains(&kernel.entries()));
        }
    }
}
