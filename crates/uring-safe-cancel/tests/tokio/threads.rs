//! Clause 2 across threads: a cancel reaches the ring that owns the operation, and nothing sleeps
//! through a wake-up.

use crate::help::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::Duration;
use uring_safe_cancel::tokio::{CancelHandle, Error, File};

#[test]
fn clause_2_live_a_cancel_from_another_thread_reaches_the_owner() {
    run(async {
        let ring = ring();
        let event = eventfd();
        for _ in 0..1000 {
            let read = ring.read(&event, ring.alloc(8).unwrap());
            let handle = read.cancel_handle();
            let thread = thread::spawn(move || handle.cancel());
            assert!(matches!(read.await.0, Err(Error::Cancelled)));
            thread.join().unwrap();
        }
    });
}

#[test]
fn clause_2_live_the_owner_asleep_in_epoll_is_woken() {
    run(async {
        let ring = ring();
        let event = eventfd();
        for _ in 0..20 {
            let read = ring.read(&event, ring.alloc(8).unwrap());
            let handle = read.cancel_handle();
            let thread = thread::spawn(move || {
                // The owner has nothing else to do, and sleeps by then.
                thread::sleep(Duration::from_millis(10));
                handle.cancel();
            });
            assert!(matches!(soon(read).await.0, Err(Error::Cancelled)));
            thread.join().unwrap();
        }
    });
}

#[test]
fn clause_2_live_a_write_by_another_thread_wakes_the_sleeping_reader() {
    for asynchronous in [false, true] {
        let (to_reader, from_writer) = (eventfd(), eventfd());
        let (event, answer) = (to_reader.clone(), from_writer.clone());
        let rounds = 2000;
        let writer = thread::spawn(move || {
            run(async {
                let ring = ring();
                for round in 0..rounds {
                    if round % 100 == 0 {
                        thread::sleep(Duration::from_millis(3));
                    }
                    add(&event, 1);
                    let (result, _) = ring.read(&answer, ring.alloc(8).unwrap()).await;
                    assert_eq!(result.unwrap(), 8);
                }
            });
        });
        run(async {
            let mut ring = ring();
            if asynchronous {
                ring = ring.asynchronous();
            }
            for _ in 0..rounds {
                let (result, buffer) = ring.read(&to_reader, ring.alloc(8).unwrap()).await;
                assert_eq!((result.unwrap(), buffer[0]), (8, 1));
                add(&from_writer, 1);
            }
        });
        writer.join().unwrap();
    }
}

#[test]
fn clause_2_live_two_runtimes_in_two_threads_talk_through_a_pipe() {
    let (there, from_here) = std::io::pipe().unwrap();
    let (here, from_there) = std::io::pipe().unwrap();
    let echo = thread::spawn(move || {
        run(async {
            let ring = ring();
            let (there, from_there) = (File::from(there), File::from(from_there));
            let mut buffer = ring.alloc(8).unwrap();
            loop {
                let (read, back) = ring.read(&there, buffer).await;
                buffer = back;
                if read.unwrap() == 0 {
                    break;
                }
                let (written, back) = ring.write(&from_there, buffer).await;
                assert_eq!(written.unwrap(), 8);
                buffer = back;
            }
        });
    });
    run(async {
        let ring = ring();
        let (here, from_here) = (File::from(here), File::from(from_here));
        for round in rounds(5000) {
            let bytes = ring.alloc_from(&round.to_ne_bytes()).unwrap();
            assert_eq!(ring.write(&from_here, bytes).await.0.unwrap(), 8);
            let (read, buffer) = ring.read(&here, ring.alloc(8).unwrap()).await;
            assert_eq!((read.unwrap(), &*buffer), (8, &round.to_ne_bytes()[..]));
        }
    });
    echo.join().unwrap();
}

#[test]
fn clause_4_nothing_lost_in_a_storm_of_cancels_and_writes_from_all_threads() {
    const READERS: usize = 3;
    let event = eventfd();
    let stop = Arc::new(AtomicBool::new(false));
    let added = Arc::new(AtomicU64::new(0));
    let (handles, to_cancel) = mpsc::channel::<CancelHandle>();

    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let (event, stop, handles) = (event.clone(), Arc::clone(&stop), handles.clone());
            thread::spawn(move || {
                run(async {
                    let ring = ring();
                    let fast = if reader == 0 { ring.clone() } else { ring.asynchronous() };
                    let (mut sum, mut settled) = (0, 0);
                    while !stop.load(Ordering::Relaxed) {
                        let read = fast.read(&event, ring.alloc(8).unwrap());
                        handles.send(read.cancel_handle()).unwrap();
                        match soon(read).await {
                            (Ok(8), buffer) => {
                                sum += u64::from_ne_bytes(buffer[..8].try_into().unwrap());
                            }
                            (Err(Error::Cancelled), _) => {}
                            other => panic!("{other:?}"),
                        }
                        settled += 1;
                    }
                    let stats = ring.stats();
                    assert_eq!((stats.submitted, stats.completed), (settled, settled));
                    assert_eq!(stats.discarded, 0);
                    sum
                })
            })
        })
        .collect();
    drop(handles);
    let canceller = thread::spawn(move || {
        let (mut count, mut late) = (0u64, Vec::new());
        loop {
            match to_cancel.recv_timeout(Duration::from_millis(1)) {
                // These come late: most of their operations are over, and their slots in use again.
                Ok(handle) if count % 4 == 0 => late.push(handle),
                Ok(handle) => handle.cancel(),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    late.drain(..).for_each(|handle| handle.cancel());
                    continue;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return count,
            }
            count += 1;
            if late.len() > 20 {
                late.drain(..).for_each(|handle| handle.cancel());
            }
        }
    });
    let writer = {
        let (event, stop, added) = (event.clone(), Arc::clone(&stop), Arc::clone(&added));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                add(&event, 1);
                added.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_micros(20));
            }
        })
    };
    thread::sleep(Duration::from_secs(3));
    stop.store(true, Ordering::Relaxed);
    let sum: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    writer.join().unwrap();
    let cancels = canceller.join().unwrap();
    let added = added.load(Ordering::Relaxed);
    println!("{added} added, {sum} read, {cancels} cancels");
    assert_eq!(added, sum + left(&event));
}

#[test]
fn clause_6_a_late_cancel_handle_hits_no_later_operation() {
    run(async {
        let ring = ring();
        let event = eventfd();
        let read = ring.read(&event, ring.alloc(8).unwrap());
        let handle = read.cancel_handle();
        add(&event, 1);
        assert_eq!(read.await.0.unwrap(), 8);
        // In the same slot, as the free list goes.
        let mut read = ring.read(&event, ring.alloc(8).unwrap());
        handle.cancel();
        let late = ::tokio::time::timeout(Duration::from_millis(20), &mut read).await;
        assert!(late.is_err(), "{late:?}");
        drop(late);
        let handle = read.cancel_handle();
        handle.cancel();
        handle.clone().cancel();
        assert!(matches!(read.await.0, Err(Error::Cancelled)));
        assert_eq!(ring.stats().cancels_requested, 1);
    });
}

#[test]
fn a_cancel_handle_outlives_operation_ring_and_runtime() {
    let handle = run(async {
        let ring = ring();
        let sleep = ring.sleep(Duration::from_secs(3600));
        sleep.cancel_handle()
    });
    handle.cancel();
    let refused = run(async {
        let ring = ring();
        ring.close().await;
        let nop = ring.nop();
        let handle = nop.cancel_handle();
        assert!(matches!(nop.await, Err(Error::Closed)));
        handle
    });
    refused.cancel();
}

#[test]
fn handles_and_buffers_may_go_to_other_threads() {
    fn is_sent_and_shared<T: Send + Sync + Clone>() {}
    is_sent_and_shared::<CancelHandle>();
    fn is_sent<T: Send>() {}
    is_sent::<uring_safe_cancel::tokio::Buffer>();
    is_sent::<File>();
}
