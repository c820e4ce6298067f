//! io_uring is forbidden to a thread that has a ring: everything ends, with the errno, and what the kernel holds is leaked.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::time::Duration;
use uring_safe_cancel::operation::{Close, Read, Sleep, CURRENT_POSITION};
use uring_safe_cancel::{
    Completion, Descriptor, Extra, Memory, Operation, Options, RealKernel, Refusal, Ring, Verdict,
};
use uring_safe_cancel_sandbox::filter::{forbid_io_uring, ALL_CALLS};

const ERRNOS: [i32; 3] = [libc::EPERM, libc::EACCES, libc::ENOSYS];

type TestRing = Ring<RealKernel, u32>;

/// Runs a test on a thread of its own, whose filter ends with it.
fn on_a_thread(test: impl FnOnce() + Send + 'static) {
    std::thread::spawn(test).join().unwrap();
}

fn forbid(errno: i32) {
    forbid_io_uring(errno as u16, &ALL_CALLS).unwrap();
}

fn ring_of(completions: u32) -> TestRing {
    let options = Options { completions, ..Options::default() };
    let kernel = RealKernel::new(8, completions).expect("io_uring");
    let completions = kernel.completions();
    Ring::new(kernel, completions, options)
}

fn submit(ring: &mut TestRing, operation: impl Into<Operation>, client: u32) {
    ring.submit(operation.into(), Extra::default(), client).map_err(drop).expect("room");
}

fn flush(ring: &mut TestRing) -> Vec<Completion<u32>> {
    let mut done = Vec::new();
    while ring.flush(usize::MAX, &mut |completion| done.push(completion)).again {}
    done
}

fn read_of(ring: &TestRing, from: &impl AsRawFd) -> (Read, usize) {
    let memory: Memory = ring.arena().allocate(64).unwrap();
    let address = memory.address();
    let descriptor = Descriptor::Borrowed(from.as_raw_fd());
    (Read { descriptor, memory, offset: CURRENT_POSITION }, address)
}

#[test]
fn clause_2_live_what_is_pending_when_io_uring_is_forbidden_ends_with_the_errno() {
    for errno in ERRNOS {
        on_a_thread(move || {
            // Room for four, of which two read; others wait.
            let mut ring = ring_of(8);
            let arena = ring.arena().clone();
            let (reader, mut writer) = std::io::pipe().unwrap();
            let (early, mut early_writer) = std::io::pipe().unwrap();
            let (first, _) = read_of(&ring, &reader);
            let (other, _) = read_of(&ring, &reader);
            let (over, _) = read_of(&ring, &early);
            submit(&mut ring, first, 0);
            submit(&mut ring, other, 1);
            submit(&mut ring, over, 2);
            let hour = Sleep::new(&arena, Duration::from_secs(3600)).unwrap();
            submit(&mut ring, hour, 3);
            let (waiting, _) = read_of(&ring, &reader);
            submit(&mut ring, waiting, 4);
            assert!(flush(&mut ring).is_empty());
            assert_eq!((ring.stats().in_flight, ring.stats().queued), (4, 1));
            let held_before = arena.usage().held;
            // Over before the filter: a result is a result.
            early_writer.write_all(b"early").unwrap();
            forbid(errno);
            // Whoever asks the kernel for something learns of it.
            ring.cancel_all();
            let mut done = flush(&mut ring);
            done.sort_by_key(|done| done.client);
            let verdicts: Vec<_> = done.iter().map(|done| (done.client, done.verdict)).collect();
            let forbidden = Verdict::Forbidden(errno);
            let cancelled = Verdict::Cancelled;
            let early = Verdict::Completed(5);
            let expected =
                [(0, forbidden), (1, forbidden), (2, early), (3, forbidden), (4, cancelled)];
            assert_eq!(verdicts, expected);
            assert_eq!(ring.forbidden(), Some(errno));
            // What the kernel has stays: three reads and a sleep less the one that was over, none that waited.
            let is_leaked = |done: &Completion<u32>| done.operation.is_none();
            assert_eq!(done.iter().filter(|done| is_leaked(done)).count(), 3);
            drop(done);
            assert!(arena.usage().held < held_before && arena.usage().held > 0);
            // The kernel goes on with the reads, into memory that nobody else has.
            let others: Vec<_> = (0..64).map(|_| arena.allocate(64).unwrap()).collect();
            writer.write_all(&[7; 32]).unwrap();
            assert!(flush(&mut ring).is_empty());
            for other in &others {
                // SAFETY: the piece is ours alone, and was zero.
                let bytes = unsafe { std::slice::from_raw_parts(other.as_mut_ptr(), other.len()) };
                assert!(bytes.iter().all(|&byte| byte != 7), "somebody else wrote here");
            }
            // Later ones are refused with the errno.
            let (late, _) = read_of(&ring, &reader);
            let refused = ring.submit(late.into(), Extra::default(), 5).unwrap_err();
            assert!(matches!(refused.refusal, Refusal::Forbidden(it) if it == errno));
            ring.destroy(Duration::from_secs(3600));
            assert!(ring.is_drained());
        });
    }
}

#[test]
fn clause_5_no_leaks_closes_close_also_when_io_uring_is_forbidden() {
    for errno in ERRNOS {
        on_a_thread(move || {
            let mut ring = ring_of(16);
            let pipes = (0..4).map(|_| std::io::pipe().unwrap());
            let (readers, numbers): (Vec<_>, Vec<_>) =
                pipes.map(|(reader, writer)| (reader, writer.into_raw_fd())).unzip();
            // One that the kernel does; one in its queue that it never takes; two after the end.
            submit(&mut ring, Close::new(numbers[0]), 0);
            let first = flush(&mut ring);
            assert_eq!(first[0].verdict, Verdict::Completed(0));
            submit(&mut ring, Close::new(numbers[1]), 1);
            forbid(errno);
            submit(&mut ring, Close::new(numbers[2]), 2);
            let mut done = flush(&mut ring);
            submit(&mut ring, Close::new(numbers[3]), 3);
            done.extend(flush(&mut ring));
            let verdicts: Vec<_> = done.iter().map(|done| (done.client, done.verdict)).collect();
            let closed = Verdict::Completed(0);
            assert_eq!(verdicts, [(1, closed), (2, closed), (3, closed)]);
            for mut reader in readers {
                // The end of the file: nobody has the other end any more.
                assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
            }
        });
    }
}

#[test]
fn clause_2_live_a_timeout_that_cannot_be_carried_out_ends_everything_and_keeps_nobody_busy() {
    on_a_thread(|| {
        let mut ring = ring_of(16);
        let (reader, _writer) = std::io::pipe().unwrap();
        let (read, _) = read_of(&ring, &reader);
        let extra = Extra { timeout: Some(Duration::from_millis(20)), ..Extra::default() };
        ring.submit(read.into(), extra, 0).map_err(drop).unwrap();
        flush(&mut ring);
        forbid(libc::EPERM);
        let mut polled =
            libc::pollfd { fd: ring.kernel().descriptor(), events: libc::POLLIN, revents: 0 };
        let mut done = Vec::new();
        while done.is_empty() {
            // SAFETY: one descriptor, of this frame. The ring's timer was set before.
            assert_eq!(unsafe { libc::poll(&mut polled, 1, 60_000) }, 1);
            done = flush(&mut ring);
        }
        assert_eq!(done[0].verdict, Verdict::Forbidden(libc::EPERM));
        assert!(flush(&mut ring).is_empty());
        // SAFETY: as above.
        assert_eq!(unsafe { libc::poll(&mut polled, 1, 50) }, 0, "nothing is left to wake anybody");
    });
}

#[test]
fn futures_end_with_the_reason_and_the_remedy() {
    use uring_safe_cancel::tokio::{Error, File, Ring};
    for errno in ERRNOS {
        on_a_thread(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio::task::LocalSet::new().block_on(&runtime, async {
                let ring = Ring::new(Options::default()).unwrap();
                let (mut reader, writer) = std::io::pipe().unwrap();
                let file = File::from(std::os::fd::OwnedFd::from(reader.try_clone().unwrap()));
                let pending = ring.read(&file, ring.alloc(16).unwrap());
                ring.nop().await.unwrap();
                forbid(errno);
                let error = ring.nop().await.unwrap_err();
                let Error::Forbidden(reason) = &error else { panic!("{error:?}") };
                assert_eq!(reason.error.raw_os_error(), Some(errno));
                assert!(error.to_string().starts_with("io_uring is not available: "), "{error}");
                let (result, buffer) = pending.await;
                assert!(matches!(result, Err(Error::Forbidden(_))), "{result:?}");
                assert_eq!(buffer.len(), 0, "the kernel may still have it");
                assert!(matches!(ring.nop().await, Err(Error::Forbidden(_))));
                ring.close_fd(writer).await.unwrap();
                assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0, "closed");
                ring.destroy(Duration::from_secs(3600)).await;
                ring.close().await;
            });
        });
    }
}
