//! The contract's clauses on a real ring, without Node and without tokio.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};
use uring_safe_cancel::operation::{Close, Nop, Open, Poll, Read, Sleep, Write, CURRENT_POSITION};
use uring_safe_cancel::{
    Completion, Descriptor, Extra, Operation, Options, RealKernel, Refusal, Ring, Verdict,
};

type TestRing = Ring<RealKernel, usize>;

/// Longer than any machine takes, however loaded.
const PATIENCE: Duration = Duration::from_secs(60);

fn ring_with(options: Options) -> TestRing {
    let kernel = RealKernel::new(options.entries, options.completions).expect("io_uring");
    let completions = kernel.completions();
    Ring::new(kernel, completions, options)
}

fn ring() -> TestRing {
    ring_with(Options::default())
}

fn eventfd() -> OwnedFd {
    // SAFETY: the call takes two integers; the descriptor is new and ours.
    unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) }
}

fn read(ring: &TestRing, fd: &impl AsRawFd, length: usize) -> Operation {
    Read {
        descriptor: Descriptor::Borrowed(fd.as_raw_fd()),
        memory: ring.arena().allocate(length).unwrap(),
        offset: CURRENT_POSITION,
    }
    .into()
}

fn write(ring: &TestRing, fd: &impl AsRawFd, bytes: &[u8]) -> Operation {
    let memory = ring.arena().allocate(bytes.len()).unwrap();
    // SAFETY: the memory is new and ours.
    unsafe { memory.as_mut_ptr().copy_from(bytes.as_ptr(), bytes.len()) };
    Write { descriptor: Descriptor::Borrowed(fd.as_raw_fd()), memory, offset: CURRENT_POSITION }
        .into()
}

fn submit(
    ring: &mut TestRing,
    operation: impl Into<Operation>,
    client: usize,
) -> uring_safe_cancel::Key {
    ring.submit(operation.into(), Extra::default(), client).map_err(|r| r.refusal).unwrap()
}

fn drain(ring: &mut TestRing) -> Vec<Completion<usize>> {
    let mut all = Vec::new();
    let begun = Instant::now();
    while ring.pending() > 0 {
        ring.flush_and_wait(&mut |completion| all.push(completion));
        assert!(begun.elapsed() < PATIENCE, "hangs: {:?}", ring.stats());
    }
    all
}

#[test]
fn clause_1_once_every_operation_settles_exactly_once() {
    let mut ring = ring();
    let mut seen = vec![0; 10_000];
    for client in 0..seen.len() {
        submit(&mut ring, Nop, client);
    }
    for completion in drain(&mut ring) {
        assert_eq!(completion.verdict, Verdict::Completed(0));
        seen[completion.client] += 1;
    }
    assert!(seen.iter().all(|&count| count == 1));
    let stats = ring.stats();
    assert_eq!(
        (stats.submitted, stats.completed, stats.in_flight, stats.queued),
        (10_000, 10_000, 0, 0)
    );
}

#[test]
fn clause_2_live_a_cancelled_read_settles() {
    let mut ring = ring();
    let event = eventfd();
    for asynchronous in [false, true] {
        let operation = read(&ring, &event, 8);
        let key = ring.submit(operation, Extra { asynchronous, timeout: None }, 7).unwrap();
        ring.flush(usize::MAX, &mut |_| panic!("nothing can be ready"));
        assert!(ring.cancel(key));
        let done = drain(&mut ring);
        assert_eq!((done[0].client, done[0].verdict), (7, Verdict::Cancelled));
        assert!(!ring.cancel(key), "it has settled");
    }
}

#[test]
fn clause_2_live_twenty_thousand_provoked_races_lose_nothing() {
    let mut ring = ring();
    let event = eventfd();
    let begun = Instant::now();
    // A loaded machine may take longer to hit the race.
    let is_enough = |round: u64, ring: &TestRing| {
        let was_hit = ring.stats().answers.already > 0;
        round >= 20_000 && (was_hit || begun.elapsed() > PATIENCE)
    };
    let mut round = 0;
    while !is_enough(round, &ring) {
        round += 1;
        let operation = read(&ring, &event, 8);
        let key = ring.submit(operation, Extra { asynchronous: true, timeout: None }, 0).unwrap();
        ring.flush(usize::MAX, &mut |_| panic!("nothing can be ready"));
        let spin = Instant::now();
        while spin.elapsed() < Duration::from_nanos(round * 7919 % 30_000) {}
        ring.cancel(key);
        let done = drain(&mut ring);
        assert_eq!(done[0].verdict, Verdict::Cancelled);
    }
    let stats = ring.stats();
    println!("{round} rounds; the race was hit: {stats:?}");
    assert_eq!(stats.cancels_requested, round);
    assert!(stats.answers.already > 0, "no cancel met a running worker: the test proves nothing");
}

#[test]
fn clause_2_live_a_timeout_cancels() {
    let mut ring = ring();
    let event = eventfd();
    let begun = Instant::now();
    let submit = |ring: &mut TestRing, milliseconds, client| {
        let timeout = Some(Duration::from_millis(milliseconds));
        let operation = read(ring, &event, 8);
        ring.submit(operation, Extra { asynchronous: false, timeout }, client).unwrap()
    };
    // The timer is set for an hour, and then for sooner, and sooner again.
    let hour = submit(&mut ring, 3_600_000, 1);
    ring.flush(usize::MAX, &mut |_| panic!());
    submit(&mut ring, 30, 2);
    submit(&mut ring, 10, 3);
    let mut done = Vec::new();
    while done.len() < 2 {
        ring.flush_and_wait(&mut |c| done.push((c.client, c.verdict, c.timed_out)));
        assert!(begun.elapsed() < PATIENCE, "hangs: {:?}", ring.stats());
    }
    assert!(begun.elapsed() >= Duration::from_millis(30));
    done.sort_by_key(|&(client, ..)| client);
    assert_eq!(done, [(2, Verdict::Cancelled, true), (3, Verdict::Cancelled, true)]);
    assert!(ring.cancel(hour));
    assert!(!drain(&mut ring)[0].timed_out);
}

#[test]
fn clause_4_nothing_lost_bytes_that_beat_the_cancel_are_delivered() {
    let mut ring = ring();
    let event = eventfd();
    let operation = read(&ring, &event, 8);
    let key = submit(&mut ring, operation, 1);
    let operation = write(&ring, &event, &5u64.to_ne_bytes());
    submit(&mut ring, operation, 2);
    ring.cancel(key);
    let mut done = drain(&mut ring);
    done.sort_by_key(|completion| completion.client);
    // Either the read won, or the number is still in the eventfd: never neither.
    let left = match done[0].verdict {
        Verdict::Completed(8) => 0,
        Verdict::Cancelled => {
            let mut bytes = [0; 8];
            File::from(event).read_exact(&mut bytes).unwrap();
            u64::from_ne_bytes(bytes)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(left, if done[0].verdict == Verdict::Cancelled { 5 } else { 0 });
}

#[test]
fn clause_5_no_leaks_an_opened_descriptor_is_delivered_or_closed() {
    let mut ring = ring();
    let open = Open::new(ring.arena(), c"/dev/null", libc::O_RDONLY, 0).unwrap();
    let key = submit(&mut ring, open, 0);
    ring.cancel(key);
    let done = drain(&mut ring);
    let Verdict::Completed(number) = done[0].verdict else { return };
    assert_eq!(done[0].opened.as_ref().unwrap().as_raw_fd(), number);
    drop(done);
    // SAFETY: the call takes two integers.
    assert_eq!(unsafe { libc::fcntl(number, libc::F_GETFD) }, -1, "closed with the completion");
}

#[test]
fn clause_7_bounded_a_full_ring_of_hung_reads_can_be_cancelled() {
    let mut ring = ring_with(Options { entries: 8, completions: 16, ..Options::default() });
    let event = eventfd();
    for client in 0..100 {
        let operation = read(&ring, &event, 8);
        submit(&mut ring, operation, client);
    }
    ring.flush(usize::MAX, &mut |_| panic!("nothing can be ready"));
    assert_eq!((ring.stats().in_flight, ring.stats().queued), (12, 88));
    assert_eq!(ring.cancel_all(), 100);
    let done = drain(&mut ring);
    assert_eq!(done.len(), 100);
    assert!(done.iter().all(|completion| completion.verdict == Verdict::Cancelled));
    assert_eq!(ring.stats().cancel_attempts, 12, "the waiting ones needed no kernel");
}

#[test]
fn clause_7_bounded_the_queue_is_served_in_order() {
    let mut ring = ring_with(Options { entries: 8, completions: 16, ..Options::default() });
    // The kernel does each of these when it takes it: so their completions are in the order of their submission.
    for client in 0..1000 {
        submit(&mut ring, Nop, client);
    }
    assert!(ring.stats().queued > 900);
    let order: Vec<usize> = drain(&mut ring).iter().map(|completion| completion.client).collect();
    assert_eq!(order, Vec::from_iter(0..1000));
}

#[test]
fn clause_7_bounded_the_queue_is_served_and_beyond_its_limit_refuses() {
    let options = Options { entries: 8, completions: 16, queue_limit: 3, ..Options::default() };
    let mut ring = ring_with(options);
    let event = eventfd();
    for client in 0..12 {
        let operation = read(&ring, &event, 8);
        submit(&mut ring, operation, client);
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    for (client, letter) in [(12, b"a"), (13, b"b"), (14, b"c")] {
        let operation = write(&ring, &writer, letter);
        submit(&mut ring, operation, client);
    }
    let operation = write(&ring, &writer, b"d");
    let refused = ring.submit(operation, Extra::default(), 99).unwrap_err();
    assert!(matches!(refused.refusal, Refusal::QueueFull));
    assert_eq!(refused.client, 99);
    ring.cancel_descriptor(event.as_raw_fd());
    assert_eq!(drain(&mut ring).len(), 15);
    drop((writer, refused));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    // Before 6.4 each of these writes is a worker's, and the workers' order is their own.
    let mut letters: Vec<char> = text.chars().collect();
    letters.sort_unstable();
    assert_eq!(letters, ['a', 'b', 'c'], "and no forgotten duplicate keeps the pipe open");
}

#[test]
fn reads_at_the_current_position_of_a_file_run_one_after_the_other() {
    let path = std::env::temp_dir().join(format!("uring-safe-cancel-{}", std::process::id()));
    let bytes: Vec<u8> = (0..64u8).flat_map(|block| vec![block; 4096]).collect();
    std::fs::write(&path, &bytes).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut ring = ring();
    for client in 0..64 {
        let operation = read(&ring, &file, 4096);
        ring.submit(operation, Extra { asynchronous: true, timeout: None }, client).unwrap();
    }
    let mut blocks: Vec<(usize, u8)> = drain(&mut ring)
        .into_iter()
        .map(|completion| {
            assert_eq!(completion.verdict, Verdict::Completed(4096));
            let Some(Operation::Read(read)) = completion.operation else { panic!() };
            // SAFETY: the operation is over, and this test alone holds its memory.
            (completion.client, unsafe { *read.memory.as_mut_ptr() })
        })
        .collect();
    blocks.sort_unstable();
    assert!(blocks.iter().all(|&(client, block)| client == usize::from(block)), "{blocks:?}");
}

#[test]
fn clause_2_live_a_stuck_operation_is_reported_once_and_stays_tracked() {
    // Nothing that can be had everywhere defies its cancel, so a lost cancel stands in: with
    // `reissue: false`, and the kernel's help (see the stress test), one that was lost stays lost.
    let mut options = Options::default();
    options.cancel.stuck_after = Duration::from_millis(20);
    options.cancel.reissue = false;
    let mut ring = ring_with(options);
    let event = eventfd();
    let mut lost = 0;
    let begun = Instant::now();
    while lost == 0 && begun.elapsed() < Duration::from_secs(20) {
        let operation = read(&ring, &event, 8);
        let key = ring.submit(operation, Extra { asynchronous: true, timeout: None }, 42).unwrap();
        ring.flush(usize::MAX, &mut |_| panic!());
        let spin = Instant::now();
        let nanoseconds = begun.elapsed().subsec_nanos() % 30_000;
        while spin.elapsed() < Duration::from_nanos(u64::from(nanoseconds)) {}
        ring.cancel(key);
        while ring.pending() > 0 {
            ring.flush_and_wait(&mut |_| ());
            for report in ring.take_stuck_reports() {
                assert_eq!((report.key, report.operation, report.attempts), (key, "read", 1));
                assert_eq!(ring.client(key), Some(&42), "it stays tracked");
                lost += 1;
                println!("lost after {:?}: {:?}", report.last_answer, begun.elapsed());
                ring.cancel(key);
            }
        }
    }
    println!("{lost} lost of {}", ring.stats().cancels_requested);
}

#[test]
fn destroy_cancels_and_drains() {
    let mut ring = ring();
    let event = eventfd();
    for client in 0..50 {
        let operation = read(&ring, &event, 8);
        submit(&mut ring, operation, client);
    }
    ring.destroy(PATIENCE);
    assert!(ring.submit(Nop.into(), Extra::default(), 0).is_err());
    assert_eq!(drain(&mut ring).len(), 50);
    assert!(ring.is_drained() && !ring.is_given_up());
    assert_eq!(ring.arena().usage().held, 0);
}

#[test]
fn clause_7_bounded_a_close_needs_no_room() {
    let options = Options { entries: 8, completions: 8, queue_limit: 0, ..Options::default() };
    let mut ring = ring_with(options);
    let event = eventfd();
    for client in 0..4 {
        let operation = read(&ring, &event, 8);
        submit(&mut ring, operation, client);
    }
    let (_reader, writer) = std::io::pipe().unwrap();
    let number = std::os::fd::IntoRawFd::into_raw_fd(writer);
    submit(&mut ring, Close::new(number), 99);
    let mut done = Vec::new();
    ring.flush(usize::MAX, &mut |c| done.push((c.client, c.verdict)));
    assert_eq!(done, [(99, Verdict::Completed(0))]);
    // SAFETY: the call takes two integers.
    assert_eq!(unsafe { libc::fcntl(number, libc::F_GETFD) }, -1);
    ring.cancel_all();
    assert_eq!(drain(&mut ring).len(), 4);
}

#[test]
fn a_ring_that_drained_in_time_was_not_given_up() {
    let mut ring = ring();
    ring.destroy(Duration::from_millis(5));
    std::thread::sleep(Duration::from_millis(10));
    ring.flush(usize::MAX, &mut |_| panic!("nothing was in flight"));
    assert!(ring.is_drained() && !ring.is_given_up());
}

#[test]
fn dropping_a_ring_frees_what_its_cancels_end() {
    // Dropping waits for 50 ms only, in which the kernel's workers may not run on a loaded machine.
    let freed = (0..50).find(|_| dropping_a_ring_leaves() == 0);
    println!("freed by drop {freed:?}");
    assert!(freed.is_some(), "each of 50 rings left something");
}

/// How many bytes a ring with operations in flight leaks.
fn dropping_a_ring_leaves() -> usize {
    let event = eventfd();
    let mut ring = ring();
    let arena = ring.arena().clone();
    for client in 0..100 {
        let operation = read(&ring, &event, 8);
        let asynchronous = client % 2 == 0;
        ring.submit(operation, Extra { asynchronous, timeout: None }, client).unwrap();
    }
    ring.flush(usize::MAX, &mut |_| panic!("nothing can be ready"));
    drop(ring);
    arena.usage().held
}

#[test]
fn sleep_poll_and_close() {
    let mut ring = ring();
    let event = eventfd();
    let begun = Instant::now();
    let sleep = Sleep::new(ring.arena(), Duration::from_millis(20)).unwrap();
    submit(&mut ring, sleep, 0);
    let poll =
        Poll { descriptor: Descriptor::Borrowed(event.as_raw_fd()), events: libc::POLLOUT as u32 };
    submit(&mut ring, poll, 1);
    let mut done = drain(&mut ring);
    done.sort_by_key(|completion| completion.client);
    assert_eq!((done[0].client, done[0].verdict), (0, Verdict::Completed(0)));
    assert_eq!(
        (done[1].client, done[1].verdict),
        (1, Verdict::Completed(i32::from(libc::POLLOUT)))
    );
    assert!(begun.elapsed() >= Duration::from_millis(20));
    let number = std::os::fd::IntoRawFd::into_raw_fd(event);
    let key = submit(&mut ring, Close::new(number), 2);
    assert!(!ring.cancel(key), "a close cannot be cancelled");
    assert_eq!(drain(&mut ring)[0].verdict, Verdict::Completed(0));
}
