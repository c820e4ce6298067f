//! Clauses 1, 2 and 4: once, live, and nothing lost.

use crate::help::*;
use std::time::{Duration, Instant};
use uring_safe_cancel::tokio::{Error, Ring};
use uring_safe_cancel::Options;

#[test]
fn clause_1_once_every_operation_settles_exactly_once() {
    run(async {
        let ring = ring();
        let operations: Vec<_> = (0..20_000).map(|_| ring.nop()).collect();
        for operation in operations {
            operation.await.unwrap();
        }
        let stats = ring.stats();
        assert_eq!((stats.submitted, stats.completed), (20_000, 20_000));
        assert_eq!((stats.in_flight, stats.queued, stats.discarded), (0, 0, 0));
    });
}

#[test]
fn clause_1_once_a_batch_of_tasks_goes_with_one_flush() {
    run(async {
        let ring = ring();
        let event = eventfd();
        let reads: Vec<_> = (0..100).map(|_| ring.read(&event, ring.alloc(8).unwrap())).collect();
        // Nothing has run but this task: the SQEs are queued, and the kernel knows none of them.
        add(&event, 1);
        assert_eq!(left(&event), 1, "the kernel has seen a read already");
        ::tokio::task::yield_now().await;
        add(&event, 7);
        assert_eq!(left(&event), 0, "one of the reads has it");
        let mut sum = 0;
        for read in reads {
            let (result, buffer) = read.cancel().await;
            if result.is_ok() {
                sum += u64::from_ne_bytes(buffer[..8].try_into().unwrap());
            }
        }
        assert_eq!(sum, 7);
    });
}

#[test]
fn clause_2_live_a_cancelled_read_settles() {
    run(async {
        let ring = ring();
        let event = eventfd();
        for ring in [ring.clone(), ring.asynchronous()] {
            for let_it_begin in [false, true] {
                let read = ring.read(&event, ring.alloc(8).unwrap());
                if let_it_begin {
                    ::tokio::time::sleep(Duration::from_millis(5)).await;
                }
                assert!(matches!(read.cancel().await.0, Err(Error::Cancelled)));
            }
        }
        assert_eq!(ring.stats().discarded, 0);
    });
}

#[test]
fn clause_2_live_provoked_races_lose_nothing() {
    run(async {
        let ring = ring().asynchronous();
        let event = eventfd();
        let mut buffer = ring.alloc(8).unwrap();
        let (mut round, mut planned) = (0, rounds(20_000));
        let begun = Instant::now();
        // Beside busy tests the worker may never begin in time: then it takes more rounds to meet one.
        while planned.next().is_some()
            || (ring.stats().answers.already == 0 && begun.elapsed() < Duration::from_secs(120))
        {
            let read = ring.read(&event, buffer);
            ::tokio::task::yield_now().await;
            let spin = Instant::now();
            while spin.elapsed() < Duration::from_nanos(round * 7919 % 30_000) {}
            let (result, back) = read.cancel().await;
            assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
            buffer = back;
            round += 1;
        }
        let stats = ring.stats();
        println!("{stats:?}");
        assert_eq!(stats.cancels_requested, round);
        assert!(stats.answers.already > 0, "no cancel met a worker: the test proves nothing");
    });
}

#[test]
fn clause_2_live_a_timeout_ends_the_operation_and_says_so() {
    run(async {
        let ring = ring();
        let event = eventfd();
        let begun = Instant::now();
        let brief = ring.timeout(Duration::from_millis(30));
        let (result, buffer) = brief.read(&event, ring.alloc(8).unwrap()).await;
        assert!(matches!(result, Err(Error::TimedOut)));
        assert!(begun.elapsed() >= Duration::from_millis(30));
        add(&event, 3);
        // A worker may be late: there is time.
        let (result, buffer) = ring.timeout(SOON).asynchronous().read(&event, buffer).await;
        assert_eq!((result.unwrap(), buffer[0]), (8, 3), "in time");
        for both in [brief.asynchronous(), ring.asynchronous().timeout(Duration::from_millis(5))] {
            let (result, _) = both.read(&event, ring.alloc(8).unwrap()).await;
            assert!(matches!(result, Err(Error::TimedOut)));
        }
    });
}

#[test]
fn clause_2_live_a_lost_cancel_is_reported_and_a_further_one_frees_it() {
    // In a naive ring a lost cancel stays lost until somebody cancels again. Whether the race is hit
    // is the kernel's choice; each time that it is, it must be reported once.
    run(async {
        let mut options = Options::default();
        options.cancel.reissue = false;
        options.cancel.stuck_after = Duration::from_millis(20);
        let ring = Ring::new(options).unwrap();
        let event = eventfd();
        let begun = Instant::now();
        let mut lost = 0;
        while lost < 3 && begun.elapsed() < Duration::from_secs(8) {
            let mut read = ring.asynchronous().read(&event, ring.alloc(8).unwrap());
            ::tokio::task::yield_now().await;
            let spin = Instant::now();
            let nanoseconds = u64::from(begun.elapsed().subsec_nanos()) % 30_000;
            while spin.elapsed() < Duration::from_nanos(nanoseconds) {}
            read.request_cancel();
            loop {
                let reports = ::tokio::select! {
                    (result, _) = &mut read => {
                        assert!(matches!(result, Err(Error::Cancelled)));
                        break;
                    }
                    reports = ring.stuck() => reports,
                };
                let keys: Vec<_> = reports.iter().map(|report| Some(report.key)).collect();
                assert_eq!(keys, [read.key()]);
                assert_eq!(reports[0].attempts, 1);
                lost += 1;
                read.request_cancel();
            }
        }
        assert_eq!(ring.stats().stuck, lost);
        println!("{lost} lost: {:?}", ring.stats());
    });
}

#[test]
fn clause_4_nothing_lost_a_result_that_beat_the_cancel_is_delivered() {
    run(async {
        let ring = ring();
        let event = eventfd();
        let (mut completed, mut cancelled) = (0u64, 0u64);
        for round in 0..2000 {
            let read = ring.read(&event, ring.alloc(8).unwrap());
            match round % 3 {
                // There before the submission: the read wins.
                0 => add(&event, 1),
                // There before the cancel, with the read armed: it wins too.
                1 => {
                    ::tokio::task::yield_now().await;
                    add(&event, 1);
                }
                // Both in one batch.
                _ => drop(ring.write(&event, ring.alloc_from(&1u64.to_ne_bytes()).unwrap()).await),
            }
            let (result, buffer) = read.cancel().await;
            match result {
                Ok(8) => completed += u64::from_ne_bytes(buffer[..8].try_into().unwrap()),
                Err(Error::Cancelled) => cancelled += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(completed + left(&event), 2000);
        assert!(completed >= 1300, "{completed} came, {cancelled} were cancelled");
    });
}

#[test]
fn clause_4_nothing_lost_select_with_a_timeout_keeps_every_byte() {
    run(async {
        let ring = ring();
        let (reader, writer) = std::io::pipe().unwrap();
        let (reader, writer) = (reader.into(), writer.into());
        let total = 3000;
        let write = async {
            for byte in 0..total {
                ring.sleep(Duration::from_micros(byte * 37 % 300)).await.unwrap();
                let bytes = ring.alloc_from(&(byte as u16).to_ne_bytes()).unwrap();
                assert_eq!(ring.write(&writer, bytes).await.0.unwrap(), 2);
            }
        };
        let read = async {
            let mut buffer = ring.alloc(2).unwrap();
            let (mut next, mut interrupted) = (0u16, 0);
            while u64::from(next) < total {
                let mut read = ring.read(&reader, buffer);
                let (result, back) = ::tokio::select! {
                    done = &mut read => done,
                    _ = ring.sleep(Duration::from_micros(u64::from(next) * 53 % 200)) => {
                        read.cancel().await
                    }
                };
                buffer = back;
                match result {
                    Ok(2) => {
                        assert_eq!(u16::from_ne_bytes(buffer[..2].try_into().unwrap()), next);
                        next += 1;
                    }
                    Err(Error::Cancelled) => interrupted += 1,
                    other => panic!("{other:?}"),
                }
            }
            interrupted
        };
        let ((), interrupted) = ::tokio::join!(write, read);
        assert!(interrupted > 0, "no read was ever interrupted: the test proves nothing");
    });
}
