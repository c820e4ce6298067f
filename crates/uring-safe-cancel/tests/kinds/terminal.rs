//! Writes to a terminal that nobody reads.

use crate::*;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use uring_safe_cancel::tokio::{Error, File};

/// More than a terminal takes.
const MUCH: usize = 1 << 20;
const SOON: Duration = Duration::from_millis(500);

/// Both ends of a raw pseudo-terminal: the master, and the slave.
fn terminal() -> (fs::File, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    let mut line = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the numbers and the structure are this frame's; tcgetattr fills the latter in.
    unsafe {
        let none = std::ptr::null_mut();
        assert_eq!(libc::openpty(&mut master, &mut slave, none, none.cast(), none.cast()), 0);
        assert_eq!(libc::tcgetattr(slave, line.as_mut_ptr()), 0);
        libc::cfmakeraw(line.as_mut_ptr());
        assert_eq!(libc::tcsetattr(slave, libc::TCSANOW, line.as_ptr()), 0);
        (fs::File::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

/// Reads a master on a thread of its own, after a while, and counts.
struct Drain(Arc<AtomicUsize>);

impl Drain {
    fn after(master: &fs::File, time: Duration) -> Self {
        let drained = Arc::new(AtomicUsize::new(0));
        let (count, mut master) = (Arc::clone(&drained), master.try_clone().unwrap());
        std::thread::spawn(move || {
            std::thread::sleep(time);
            let mut buffer = [0; 4096];
            // It ends with EIO, once nobody has the slave.
            while let Ok(length @ 1..) = master.read(&mut buffer) {
                count.fetch_add(length, Ordering::AcqRel);
            }
        });
        Self(drained)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    async fn comes_to(&self, bytes: usize) {
        while self.count() < bytes {
            ::tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ::tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(self.count(), bytes);
    }
}

/// What the kernel has to tell of a new ring ends whatever waits in a call, like a signal: then nobody would see that it waits.
async fn idle(ring: &Ring) {
    for _ in 0..10 {
        ring.nop().await.unwrap();
    }
}

#[test]
fn clause_2_live_select_ends_a_write_to_a_terminal_that_nobody_reads() {
    run(async {
        let ring = ring();
        let (master, slave) = terminal();
        let slave = File::from(slave);
        let drain = Drain::after(&master, HOLD);
        idle(&ring).await;
        is_free(async {
            let write = ring.write(&slave, ring.alloc(MUCH).unwrap());
            ::tokio::select! {
                _ = write => panic!("it was not to end by itself"),
                () = ::tokio::time::sleep(SOON) => {}
            }
            until_idle(&ring).await;
        })
        .await;
        assert_eq!(drain.count(), 0, "it ended because the terminal was read");
    });
}

#[test]
fn clause_4_nothing_lost_a_timeout_of_a_write_to_a_terminal_tells_what_was_written() {
    run(async {
        let ring = ring();
        let (master, slave) = terminal();
        let slave = File::from(slave);
        let held = Drain::after(&master, HOLD);
        idle(&ring).await;
        let written = is_free(async {
            let (result, _) = ring.timeout(SOON).write(&slave, ring.alloc(MUCH).unwrap()).await;
            result.unwrap()
        })
        .await;
        assert_eq!(held.count(), 0, "it ended because the terminal was read");
        assert!(written > 0 && written < MUCH, "{written} bytes");
        let now = Drain::after(&master, Duration::ZERO);
        while now.count() + held.count() < written {
            ::tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ::tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(now.count() + held.count(), written);
    });
}

#[test]
fn clause_5_no_leaks_a_file_of_a_terminal_that_is_dropped_with_a_write_under_way_is_closed() {
    run(async {
        let ring = ring();
        let (mut master, slave) = terminal();
        let number = slave.as_raw_fd();
        let slave = File::from(slave);
        let drain = Drain::after(&master, HOLD);
        idle(&ring).await;
        is_free(async {
            let write = ring.write(&slave, ring.alloc(MUCH).unwrap());
            ::tokio::time::sleep(SOON).await;
            drop(write);
            drop(slave);
            until_idle(&ring).await;
        })
        .await;
        assert_eq!(drain.count(), 0, "it ended because the terminal was read");
        // A terminal that nobody has any more is hung up: its master reads what was written, and then EIO.
        let end = loop {
            match master.read(&mut [0; 4096]) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        assert_eq!(end.raw_os_error(), Some(libc::EIO), "descriptor {number}");
    });
}

#[test]
fn clause_2_live_other_operations_go_on_while_a_write_to_a_terminal_waits() {
    run(async {
        let ring = ring();
        let (master, slave) = terminal();
        let slave = File::from(slave);
        let drain = Drain::after(&master, HOLD);
        idle(&ring).await;
        is_free(async {
            let write = ring.write(&slave, ring.alloc(MUCH).unwrap());
            let read = ring.read(&slave, ring.alloc(8).unwrap());
            ::tokio::time::sleep(SOON).await;
            for _ in 0..100 {
                ring.nop().await.unwrap();
            }
            assert_eq!(ring.stats().in_flight, 2);
            let (read, _) = read.cancel().await;
            assert!(matches!(read, Err(Error::Cancelled)), "{read:?}");
            let (written, _) = write.cancel().await;
            let written = written.unwrap();
            assert_eq!(drain.count(), 0, "it ended because the terminal was read");
            let now = Drain::after(&master, Duration::ZERO);
            now.comes_to(written).await;
        })
        .await;
    });
}

#[test]
fn clause_4_nothing_lost_a_write_at_a_position_of_a_terminal_is_refused() {
    run(async {
        let ring = ring();
        let (master, slave) = terminal();
        let slave = File::from(slave);
        let drain = Drain::after(&master, HOLD);
        is_free(async {
            let (result, _) = ring.write_at(&slave, ring.alloc(MUCH).unwrap(), 0).await;
            match result {
                Err(Error::Io(error)) => assert_eq!(error.raw_os_error(), Some(libc::ESPIPE)),
                other => panic!("{other:?}"),
            }
        })
        .await;
        assert_eq!(drain.count(), 0);
    });
}
