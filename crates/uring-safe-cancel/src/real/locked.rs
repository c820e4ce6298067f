//! What this process's own rings take of the user's limit of locked memory, while they live.
//!
//! A ring that does not fit beside them is not waited for: what would come back is not enough. Without this a program
//! that has made as many rings as fit would stand still for seconds at the next one, because it closed one shortly before.

use super::patience;
use std::sync::{Mutex, PoisonError};

/// `struct io_rings` before its first CQE, with processors whose cache lines have 64 bytes (5.1 to 7.3). Where it is
/// larger, a ring that does not fit may be waited for.
const HEAD_BYTES: u64 = 320;
/// Of one entry: the SQE; the CQE; the index in the array of submissions.
const ENTRY_BYTES: [u64; 3] = [64, 16, 4];

/// What the rings of each user take: a process that gives up its rights leaves behind what it took before.
static TAKEN: Mutex<Vec<(libc::uid_t, u64)>> = Mutex::new(Vec::new());

/// What one ring takes, for as long as this value is there.
#[derive(Debug)]
pub(super) struct Locked {
    user: libc::uid_t,
    bytes: u64,
}

impl Locked {
    /// A ring with so many entries, both powers of two, was made.
    pub(super) fn take(entries: u32, completions: u32) -> Self {
        let (user, bytes) = (user(), bytes_of(entries, completions, page_bytes()));
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.iter_mut().find(|(other, _)| *other == user) {
            Some((_, sum)) => *sum += bytes,
            None => taken.push((user, bytes)),
        }
        Self { user, bytes }
    }
}

/// Follows the close of the ring.
impl Drop for Locked {
    fn drop(&mut self) {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sum)) = taken.iter_mut().find(|(user, _)| *user == self.user) {
            *sum -= self.bytes;
        }
        drop(taken);
        patience::note_closed();
    }
}

fn user() -> libc::uid_t {
    // SAFETY: the call takes nothing.
    unsafe { libc::geteuid() }
}

fn page_bytes() -> u64 {
    // SAFETY: the call takes an integer.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

fn bytes_of(entries: u32, completions: u32, page: u64) -> u64 {
    let (entries, completions) =
        (u64::from(entries).next_power_of_two(), u64::from(completions).next_power_of_two());
    let [submission, completion, index] = ENTRY_BYTES;
    let rings = (HEAD_BYTES + completions * completion + entries * index).next_multiple_of(page);
    (entries * submission).next_multiple_of(page) + rings
}

/// Whether a ring with so many entries is within the limit of locked memory, beside those that this process has, if nothing
/// else counts.
pub(super) fn could_fit(entries: u32, completions: u32) -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a limit of this frame.
    let is_known = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) } == 0;
    let user = user();
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let own = taken.iter().find(|(other, _)| *other == user).map_or(0, |(_, sum)| *sum);
    !is_known || fits(own, bytes_of(entries, completions, page_bytes()), limit.rlim_cur)
}

fn fits(own: u64, bytes: u64, limit: u64) -> bool {
    limit == libc::RLIM_INFINITY || own.saturating_add(bytes) <= limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_too_small_for_some_rings_whatever_else_counts() {
        let (small, large) = (bytes_of(8, 16, 4096), bytes_of(1 << 15, 1 << 16, 4096));
        assert!(fits(0, small, small) && !fits(1, small, small) && !fits(0, small, small - 1));
        assert!(fits(0, small, 16 << 10) && !fits(0, large, 1 << 20));
        assert!(fits(u64::MAX, large, libc::RLIM_INFINITY) && !fits(u64::MAX, small, small));
    }

    #[test]
    fn rings_that_are_there_leave_less_room_until_they_go() {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointer is to a limit of this frame.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) }, 0);
        if limit.rlim_cur == libc::RLIM_INFINITY {
            assert!(could_fit(1 << 15, 1 << 16));
            return;
        }
        let most = limit.rlim_cur / bytes_of(1 << 15, 1 << 16, page_bytes());
        let rings: Vec<Locked> = (0..most).map(|_| Locked::take(1 << 15, 1 << 16)).collect();
        assert!(!could_fit(1 << 15, 1 << 16));
        drop(rings);
        // What other tests of this process have is small.
        assert!(limit.rlim_cur < 8 << 20 || could_fit(8, 16));
    }

    #[test]
    fn a_ring_takes_whole_pages_of_submissions_and_of_completions() {
        assert_eq!(bytes_of(8, 16, 4096), 2 * 4096);
        assert_eq!(bytes_of(1024, 4096, 4096), (16 + 18) * 4096);
        // The smallest number of completions whose head no longer fits beside them.
        assert_eq!(bytes_of(64, 256, 4096), (1 + 2) * 4096);
    }
}
