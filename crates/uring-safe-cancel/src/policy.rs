//! How persistent the cancellation protocol is.

use std::time::Duration;

/// When a cancel is issued again, and when an operation counts as stuck.
///
/// ```
/// use std::time::Duration;
/// use uring_safe_cancel::CancelPolicy;
///
/// let patient = CancelPolicy { max_delay: Duration::from_secs(1), ..CancelPolicy::default() };
/// assert_eq!(patient.delay(1), Duration::from_micros(200));
/// assert_eq!(patient.delay(2), Duration::from_micros(400));
/// assert_eq!(patient.delay(99), Duration::from_secs(1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CancelPolicy {
    /// Whether a cancel is issued again at all. `false` is the naive behaviour that loses
    /// operations; it exists to demonstrate and to measure that.
    pub reissue: bool,
    /// The time from the first cancel to the second. A cancel that works has its CQE within 0.02 ms,
    /// and a lost one never: 0.2 ms is ten times the one and hides the other from people.
    pub first_delay: Duration,
    /// The upper bound of the delay, which doubles with each attempt. 100 ms costs ten wake-ups a
    /// second for an operation that the kernel does not let go.
    pub max_delay: Duration,
    /// The time from the wish to cancel until an operation that still has no final CQE is reported.
    pub stuck_after: Duration,
}

impl Default for CancelPolicy {
    fn default() -> Self {
        Self {
            reissue: true,
            first_delay: Duration::from_micros(200),
            max_delay: Duration::from_millis(100),
            stuck_after: Duration::from_secs(5),
        }
    }
}

impl CancelPolicy {
    /// How long to wait after the `attempt`-th cancel (from 1) before the next one.
    pub fn delay(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.first_delay.saturating_mul(1 << doublings).min(self.max_delay)
    }
}
