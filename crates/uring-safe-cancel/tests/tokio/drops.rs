//! Clauses 3, 4 and 5: what becomes of operations whose future is dropped.

use crate::help::*;
use std::time::Duration;
use uring_safe_cancel::tokio::{Error, File, Ring};

async fn until_idle(ring: &Ring) {
    while ring.stats().in_flight + ring.stats().queued > 0 {
        ::tokio::task::yield_now().await;
    }
}

#[test]
fn clause_3_memory_of_a_dropped_future_is_not_reused_before_the_final_cqe() {
    run(async {
        let ring = ring();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let reader = File::from(reader);
        let buffer = ring.alloc(4096).unwrap();
        let address = buffer.as_ptr();
        let read = ring.read(&reader, buffer);
        ::tokio::task::yield_now().await;
        drop(read);
        // The kernel has not answered the cancel: the driver has not run since.
        let other = ring.alloc(4096).unwrap();
        assert_ne!(other.as_ptr(), address, "the kernel may still write there");
        std::io::Write::write_all(&mut writer, &[0xAA; 4096]).unwrap();
        until_idle(&ring).await;
        assert!(other.iter().all(|&byte| byte == 0));
        let again: Vec<_> = (0..300).map(|_| ring.alloc(4096).unwrap()).collect();
        assert!(again.iter().any(|buffer| buffer.as_ptr() == address), "it was never freed");
    });
}

#[test]
fn clause_3_a_buffer_that_outlives_its_ring_stays_good() {
    let buffer = run(async {
        let ring = ring();
        let mut buffer = ring.alloc(100_000).unwrap();
        buffer.fill(7);
        ring.close().await;
        drop(ring);
        buffer
    });
    assert!(buffer.iter().all(|&byte| byte == 7));
}

#[test]
fn clause_4_nothing_lost_a_dropped_future_is_cancelled() {
    run(async {
        let ring = ring();
        let event = eventfd();
        for _ in 0..100 {
            let read = ring.read(&event, ring.alloc(8).unwrap());
            ::tokio::task::yield_now().await;
            drop(read);
        }
        until_idle(&ring).await;
        add(&event, 5);
        assert_eq!(left(&event), 5, "a read is still there");
        let stats = ring.stats();
        assert_eq!((stats.cancels_requested, stats.discarded), (100, 0));
    });
}

#[test]
fn clause_4_nothing_lost_a_dropped_futures_late_result_is_counted_as_discarded() {
    run(async {
        let ring = ring();
        let event = eventfd();
        let read = ring.read(&event, ring.alloc(8).unwrap());
        ::tokio::task::yield_now().await;
        // It completes in the kernel before the cancel can be issued.
        add(&event, 5);
        drop(read);
        until_idle(&ring).await;
        assert_eq!((left(&event), ring.stats().discarded), (0, 1));

        // It has settled, and nobody has looked.
        let nop = ring.nop();
        until_idle(&ring).await;
        drop(nop);
        assert_eq!(ring.stats().discarded, 2);

        // Whoever has taken the result has discarded nothing.
        let mut nop = ring.nop();
        (&mut nop).await.unwrap();
        drop(nop);
        assert_eq!(ring.stats().discarded, 2);
    });
}

#[test]
fn clause_5_no_leaks_the_descriptor_of_a_dropped_open_is_closed() {
    run(async {
        let ring = ring();
        let path = path("opened");
        std::fs::write(&path, "").unwrap();
        for round in 0..500 {
            let open = ring.open(&path, libc::O_RDONLY, 0);
            match round % 3 {
                0 => {}
                1 => ::tokio::task::yield_now().await,
                _ => until_idle(&ring).await,
            }
            drop(open);
        }
        until_idle(&ring).await;
        assert!(ring.stats().discarded > 0, "no open ever completed: the test proves nothing");
        assert_eq!(opened(path.to_str().unwrap()), 0);
        std::fs::remove_file(path).unwrap();
    });
}

#[test]
fn clause_5_no_leaks_a_cancelled_open_gives_its_descriptor_or_none() {
    run(async {
        let ring = ring();
        let path = path("cancelled-open");
        std::fs::write(&path, "").unwrap();
        let (mut completed, mut cancelled) = (0, 0);
        for round in 0..500 {
            let open = if round % 2 == 0 { ring.clone() } else { ring.asynchronous() }.open(
                &path,
                libc::O_RDONLY,
                0,
            );
            match open.cancel().await {
                Ok(_) => completed += 1,
                Err(Error::Cancelled) => cancelled += 1,
                Err(other) => panic!("{other}"),
            }
        }
        println!("{completed} completed, {cancelled} cancelled");
        assert_eq!(opened(path.to_str().unwrap()), 0);
        std::fs::remove_file(path).unwrap();
    });
}

#[test]
fn clause_5_no_leaks_a_dropped_close_closes() {
    run(async {
        let ring = ring();
        let (reader, writer) = std::io::pipe().unwrap();
        let number = Number::of(&reader);
        drop(ring.close_fd(reader));
        until_idle(&ring).await;
        assert!(!number.is_open());
        ring.close().await;
        let number = Number::of(&writer);
        ring.close_fd(writer).await.expect("a closed ring closes it on the spot");
        assert!(!number.is_open());
    });
}

#[test]
fn clause_5_no_leaks_memory_and_descriptors_are_flat_over_many_dropped_reads() {
    alone(
        "drops::clause_5_no_leaks_memory_and_descriptors_are_flat_over_many_dropped_reads",
        || {
            run(async {
                let ring = ring();
                let event = eventfd();
                let mut before = (0, 0);
                for round in 0..60_000 {
                    if round == 20_000 {
                        before = (resident(), descriptors());
                    }
                    let read = ring.read(&event, ring.alloc(8).unwrap());
                    if round % 2 == 0 {
                        ::tokio::task::yield_now().await;
                    }
                    drop(read);
                    if round % 64 == 0 {
                        until_idle(&ring).await;
                    }
                }
                until_idle(&ring).await;
                let grown = resident().saturating_sub(before.0);
                assert!(grown < 2 << 20, "grew by {grown} bytes");
                assert_eq!(descriptors(), before.1);
                ring.destroy(Duration::from_secs(2)).await;
            });
        },
    );
}
