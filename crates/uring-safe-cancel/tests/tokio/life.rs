//! How rings begin and end.

use crate::help::*;
use std::future::Future;
use std::os::fd::AsRawFd;
use std::time::Duration;
use uring_safe_cancel::tokio::{Error, File, Ring, StartError};
use uring_safe_cancel::Options;

#[test]
fn close_finishes_everything_and_takes_no_more() {
    run(async {
        let ring = ring();
        let event = eventfd();
        let read = ring.read(&event, ring.alloc(8).unwrap());
        let mut close = Box::pin(ring.close());
        assert!(::tokio::time::timeout(Duration::from_millis(20), &mut close).await.is_err());
        assert!(matches!(ring.nop().await, Err(Error::Closed)));
        add(&event, 1);
        close.await;
        assert_eq!(read.await.0.unwrap(), 8);
        ring.close().await;
        assert_eq!(ring.destroy(Duration::ZERO).await, 0, "idempotent");
    });
}

#[test]
fn destroy_cancels_everything_also_while_the_ring_closes() {
    run(async {
        let ring = ring();
        let event = eventfd();
        let reads: Vec<_> = (0..50)
            .map(|index| {
                let ring = if index % 2 == 0 { ring.clone() } else { ring.asynchronous() };
                ring.read(&event, ring.alloc(8).unwrap())
            })
            .collect();
        let close = ring.close();
        assert_eq!(ring.destroy(SOON).await, 0);
        close.await;
        for read in reads {
            let (result, buffer) = read.await;
            assert!(matches!(result, Err(Error::Cancelled)));
            assert_eq!(buffer.len(), 8);
        }
        assert!(ring.stuck().await.is_empty(), "it does not wait for ever");
    });
}

#[test]
fn clause_3_destroy_gives_up_what_the_kernel_holds_and_leaks_its_memory() {
    // A worker that copies into the page cache heeds no cancel. How soon it begins, and how much keeps it
    // busy for long enough, is the machine's choice.
    let gave_up = [1, 2, 5, 20, 100].into_iter().any(|milliseconds| {
        let begin = Duration::from_millis(milliseconds);
        (24..=29).any(|power| run(async { gives_up(1 << power, begin).await }))
    });
    assert!(gave_up, "every write was over before the ring could give up");
}

async fn gives_up(bytes: usize, begin: Duration) -> bool {
    let ring = ring();
    let path = path("stuck");
    let flags = libc::O_WRONLY | libc::O_CREAT;
    let file = File::from(ring.open(&path, flags, 0o600).await.unwrap());
    std::fs::remove_file(&path).unwrap();
    let buffer = ring.alloc(bytes).unwrap();
    let address = buffer.as_ptr();
    let write = ring.asynchronous().write(&file, buffer);
    ::tokio::time::sleep(begin).await;
    let given_up = ring.destroy(Duration::from_millis(1)).await;
    let (result, buffer) = write.await;
    if given_up == 0 {
        assert!(matches!(result, Ok(_) | Err(Error::Cancelled)), "{result:?}");
        assert_eq!(buffer.len(), bytes);
        return false;
    }
    assert!(matches!(result, Err(Error::Stuck)), "{result:?}");
    assert_eq!((buffer.len(), buffer.capacity()), (0, 0), "the kernel has the memory");
    assert!(file.try_into_owned().is_err(), "and the descriptor");
    let other = ring.alloc(bytes).unwrap();
    assert_ne!(other.as_ptr(), address);
    true
}

#[test]
fn the_driver_ends_when_nobody_holds_the_ring_any_more() {
    run(async {
        let (ring, driver) = Ring::with_driver(Options::default()).unwrap();
        let driver = ::tokio::task::spawn_local(driver);
        let event = eventfd();
        let awaited = ring.read(&event, ring.alloc(8).unwrap());
        let dropped = ring.read(&event, ring.alloc(8).unwrap());
        ::tokio::task::yield_now().await;
        drop((ring, dropped));
        ::tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!driver.is_finished(), "somebody awaits the read");
        add(&event, 9);
        assert_eq!(awaited.await.1[0], 9);
        soon(driver).await.unwrap();
    });
}

#[test]
fn the_driver_ends_when_the_last_future_is_dropped() {
    run(async {
        let (ring, driver) = Ring::with_driver(Options::default()).unwrap();
        let driver = ::tokio::task::spawn_local(driver);
        let event = eventfd();
        let read = ring.asynchronous().read(&event, ring.alloc(8).unwrap());
        ::tokio::task::yield_now().await;
        drop(ring);
        ::tokio::task::yield_now().await;
        drop(read);
        soon(driver).await.unwrap();
    });
}

#[test]
fn a_runtime_that_shuts_down_drains_its_rings() {
    let event = eventfd();
    let (ring, reads) = run(async {
        let ring = ring();
        let reads: Vec<_> =
            (0..100).map(|_| ring.asynchronous().read(&event, ring.alloc(8).unwrap())).collect();
        ::tokio::task::yield_now().await;
        (ring, reads)
    });
    assert_eq!(ring.stats().in_flight, 0);
    // Their runtime is gone, and they still say what became of them.
    run(async {
        for read in reads {
            assert!(matches!(read.await.0, Err(Error::Cancelled)));
        }
        assert!(matches!(ring.nop().await, Err(Error::Closed)));
    });
    add(&event, 1);
    assert_eq!(left(&event), 1);
}

#[test]
fn a_driver_that_was_never_polled_still_drains() {
    run(async {
        let (ring, driver) = Ring::with_driver(Options::default()).unwrap();
        let event = eventfd();
        let read = ring.read(&event, ring.alloc(8).unwrap());
        drop(driver);
        assert!(matches!(read.await.0, Err(Error::Cancelled)));
    });
}

#[test]
fn without_a_runtime_there_is_an_error() {
    assert!(matches!(Ring::new(Options::default()), Err(StartError::NoRuntime)));
    assert!(matches!(Ring::with_driver(Options::default()), Err(StartError::NoRuntime)));
}

#[test]
#[should_panic(expected = "polled after it was over")]
fn polling_an_operation_again_panics_as_a_future_may() {
    run(async {
        let ring = ring();
        let mut nop = ring.nop();
        (&mut nop).await.unwrap();
        std::future::poll_fn(|context| std::pin::Pin::new(&mut nop).poll(context)).await.unwrap();
    });
}

#[test]
fn a_close_always_closes_also_when_the_ring_is_over() {
    let is_open = |number: i32| std::path::Path::new(&format!("/proc/self/fd/{number}")).exists();
    run(async {
        let ring = ring();
        let closing = ring.close();
        let (reader, writer) = std::io::pipe().unwrap();
        let numbers = [reader.as_raw_fd(), writer.as_raw_fd()];
        ring.close_fd(reader).await.unwrap();
        closing.await;
        ring.destroy(SOON).await;
        // No driver runs any more.
        ring.close_fd(writer).await.unwrap();
        assert!(numbers.iter().all(|&number| !is_open(number)));
        let (reader, _writer) = std::io::pipe().unwrap();
        let number = reader.as_raw_fd();
        drop(ring.close_fd(reader));
        assert!(!is_open(number), "also if nobody awaits it");
        assert_eq!(ring.stats().in_flight + ring.stats().queued, 0);
    });
}
