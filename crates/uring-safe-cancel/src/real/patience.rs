//! Waiting for locked memory that the kernel still counts for rings which are closed.
//!
//! Rings count against the user's RLIMIT_MEMLOCK (before 5.12, and again since 6.14). The kernel takes a closed one apart
//! later, in a worker of its own and after an RCU grace period, and until then it counts: who makes and closes one ring
//! after the other meets ENOMEM though he never has two.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So long after this process closed a ring it is waited for, before a smaller one is tried. Seen with two processors and
/// twenty busy programs: 0.35 s.
const LONGEST_COUNTED: Duration = Duration::from_secs(2);
/// And so long where nothing smaller is left to try. On that machine one ring of some thousands counted for more than 2 s.
const LONGEST_COUNTED_AT_LAST: Duration = Duration::from_secs(10);
/// Rings of this user's other processes, of which nobody here knows when they were closed. Waited for only where there would be
/// no ring at all, and not for long: a machine that has no memory for one is to say so soon.
const OTHERS_COUNTED: Duration = Duration::from_millis(300);
/// A grace period takes some milliseconds.
const FIRST_DELAY: Duration = Duration::from_micros(500);
/// Long enough to cost nothing, and short beside what was waited before.
const LONGEST_DELAY: Duration = Duration::from_millis(50);

/// When this process last closed a ring, on whatever thread.
static LAST_CLOSED: Mutex<Option<Instant>> = Mutex::new(None);

/// A ring is about to be closed.
pub(super) fn note_closed() {
    *LAST_CLOSED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Until when closed rings may count.
fn counted_until(is_last_resort: bool) -> Option<Instant> {
    let last = *LAST_CLOSED.lock().unwrap_or_else(PoisonError::into_inner);
    let longest = if is_last_resort { LONGEST_COUNTED_AT_LAST } else { LONGEST_COUNTED };
    let ours = last.map(|closed| closed + longest);
    let others = is_last_resort.then(|| Instant::now() + OTHERS_COUNTED);
    ours.max(others)
}

/// Tries again, where the answer is ENOMEM, for as long as rings that were closed may be what is in the way.
/// `is_last_resort`: nothing smaller is left to try.
pub(super) fn try_patiently<T>(
    is_last_resort: bool,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let mut answer = attempt();
    let Some(until) = counted_until(is_last_resort) else { return answer };
    let mut delay = FIRST_DELAY;
    while answer.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ENOMEM)) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(delay.min(left));
        delay = (2 * delay).min(LONGEST_DELAY);
        answer = attempt();
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_memory<T>() -> io::Result<T> {
        Err(io::Error::from_raw_os_error(libc::ENOMEM))
    }

    #[test]
    fn memory_that_comes_back_is_waited_for_and_other_errors_are_told_at_once() {
        note_closed();
        let mut attempts = 0;
        let answer = try_patiently(false, || {
            attempts += 1;
            if attempts < 6 {
                no_memory()
            } else {
                Ok(attempts)
            }
        });
        assert_eq!(answer.unwrap(), 6);
        let mut attempts = 0;
        let answer = try_patiently(true, || {
            attempts += 1;
            Err::<(), _>(io::Error::from_raw_os_error(libc::EPERM))
        });
        assert_eq!((answer.unwrap_err().raw_os_error(), attempts), (Some(libc::EPERM), 1));
    }

    #[test]
    fn the_wait_is_bounded_and_tries_more_and_more_seldom() {
        note_closed();
        let (begin, mut attempts) = (Instant::now(), 0);
        let answer = try_patiently(false, || {
            attempts += 1;
            no_memory::<()>()
        });
        assert_eq!(answer.unwrap_err().raw_os_error(), Some(libc::ENOMEM));
        assert!(begin.elapsed() >= LONGEST_COUNTED / 2);
        let most = LONGEST_COUNTED.as_millis() / LONGEST_DELAY.as_millis() + 10;
        assert!((3..=most).contains(&attempts), "{attempts} attempts");
    }
}
