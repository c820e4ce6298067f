//! Clause 7: bounded, with a clear error beyond the bounds.

use crate::help::*;
use uring_safe_cancel::tokio::{Error, Ring};
use uring_safe_cancel::{ArenaError, Options};

#[test]
fn clause_7_bounded_a_full_ring_of_hung_reads_can_be_cancelled() {
    run(async {
        let options = Options { entries: 8, completions: 16, ..Options::default() };
        let ring = Ring::new(options).unwrap();
        let event = eventfd();
        let reads: Vec<_> = (0..100).map(|_| ring.read(&event, ring.alloc(8).unwrap())).collect();
        ::tokio::task::yield_now().await;
        assert_eq!((ring.stats().in_flight, ring.stats().queued), (12, 88));
        reads.iter().for_each(|read| read.request_cancel());
        for read in reads {
            assert!(matches!(read.await.0, Err(Error::Cancelled)));
        }
        assert_eq!(ring.stats().cancel_attempts, 12, "the waiting ones needed no kernel");
    });
}

#[test]
fn clause_7_bounded_the_queues_limit_is_an_error_that_gives_the_buffer_back() {
    run(async {
        let options = Options { entries: 8, completions: 16, queue_limit: 3, ..Options::default() };
        let ring = Ring::new(options).unwrap();
        let event = eventfd();
        let reads: Vec<_> = (0..15).map(|_| ring.read(&event, ring.alloc(8).unwrap())).collect();
        let (result, buffer) = ring.read(&event, ring.alloc(5).unwrap()).await;
        assert!(matches!(result, Err(Error::QueueFull)));
        assert_eq!(buffer.len(), 5);
        drop(reads);
        ::tokio::task::yield_now().await;
        ring.nop().await.expect("there is room again");
    });
}

#[test]
fn clause_7_bounded_the_arenas_limit_is_an_error() {
    run(async {
        let options = Options { arena_bytes: 1 << 20, ..Options::default() };
        let ring = Ring::new(options).unwrap();
        assert!(matches!(ring.alloc(2 << 20), Err(ArenaError::Full { .. })));
        let all = ring.alloc(1 << 20).unwrap();
        let sleep = ring.sleep(std::time::Duration::ZERO).await;
        assert!(matches!(sleep, Err(Error::Arena(_))), "its timespec needs memory too");
        drop(all);
        ring.sleep(std::time::Duration::ZERO).await.unwrap();
    });
}

#[test]
fn clause_7_bounded_a_flood_of_completions_leaves_turns_to_other_tasks() {
    run(async {
        let ring = ring();
        let flood: Vec<_> = (0..50_000).map(|_| ring.nop()).collect();
        let flood = ::tokio::task::spawn_local(async move {
            for nop in flood {
                nop.await.unwrap();
            }
        });
        let mut turns = 0;
        while !flood.is_finished() {
            turns += 1;
            ::tokio::task::yield_now().await;
        }
        assert!(turns > 100, "{turns} turns beside 50,000 operations");
    });
}

#[test]
fn clause_7_bounded_times_beyond_all_bounds_do_no_harm() {
    run(async {
        let ring = ring();
        let forever = std::time::Duration::MAX;
        let event = eventfd();
        let sleep = ring.timeout(forever).sleep(forever);
        let read = ring.timeout(forever).read(&event, ring.alloc(8).unwrap());
        ring.sleep(std::time::Duration::from_millis(5)).await.unwrap();
        assert_eq!(ring.stats().in_flight, 2);
        assert!(matches!(sleep.cancel().await, Err(Error::Cancelled)));
        let destroyed = ring.destroy(forever);
        assert!(matches!(read.await.0, Err(Error::Cancelled)));
        assert_eq!(destroyed.await, 0);
    });
}
