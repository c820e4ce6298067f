//! Clause 3: memory that the kernel may touch is nobody else's.

use super::*;

#[test]
fn clause_3_memory_is_leaked_and_never_reused_when_the_drain_gives_up() {
    let (mut ring, fake) = ring();
    let hung = submit_read(&mut ring, 0);
    let address = {
        settle(&mut ring);
        let work = fake.script(|s| s.taken[0].work);
        let Decoded::Read { address, .. } = work else { panic!("{work:?}") };
        address
    };
    ring.destroy(Duration::from_secs(2));
    let refused = ring.submit(Sleep::new(ring.arena(), RETRY).unwrap().into(), Extra::default(), 1);
    assert!(matches!(refused.unwrap_err().refusal, Refusal::Closed));
    // The cancels are handed over: from now on it counts.
    let mut done = completions(&mut ring);
    for _ in 0..19 {
        fake.pass(Duration::from_millis(100));
        ring.flush(usize::MAX, &mut |completion| done.push(completion));
        assert!(done.is_empty() && !ring.is_drained());
    }
    fake.pass(Duration::from_millis(100));
    ring.flush(usize::MAX, &mut |completion| done.push(completion));
    assert_eq!((done[0].client, done[0].verdict), (0, Verdict::Stuck));
    assert!(done[0].operation.is_none() && done[0].opened.is_none());
    assert!(ring.is_drained() && ring.is_given_up());
    drop(done);
    let arena = ring.arena().clone();
    assert_eq!(arena.usage().held, 4096, "the kernel may still write there");
    // The final CQE comes after all: too late to settle again, or to free anything.
    fake.complete(hung, 8);
    assert_eq!(run(&mut ring, &fake), []);
    assert_eq!(ring.stats().completed, 1);
    drop(ring);
    let others: Vec<_> = (0..1000).map(|_| arena.allocate(8).unwrap()).collect();
    assert!(others.iter().all(|other| other.address() != address));
}

#[test]
fn clause_3_memory_a_drain_ends_in_time_also_when_the_kernel_takes_nothing() {
    let (mut ring, fake) = ring();
    submit_reads(&mut ring, 0..6);
    fake.script(|s| s.always = Some(Enter::Refuse(libc::EAGAIN)));
    ring.destroy(Duration::from_millis(50));
    let mut done = Vec::new();
    for _ in 0..50 {
        let (some, flushed) = flush(&mut ring, usize::MAX);
        done.extend(some);
        assert!(flushed.again);
        fake.pass(Duration::from_millis(1));
    }
    done.extend(run_twice(&mut ring));
    assert!(ring.is_drained() && ring.is_given_up());
    done.sort_by_key(|&(client, _)| client);
    let stuck = done.iter().filter(|(_, verdict)| *verdict == Verdict::Stuck).count();
    let cancelled = done.iter().filter(|(_, verdict)| *verdict == Verdict::Cancelled).count();
    assert_eq!((done.len(), stuck + cancelled), (6, 6));
    assert_eq!(ring.arena().usage().held, stuck * 4096);
}

#[test]
fn clause_3_memory_what_is_given_up_at_once_is_leaked_and_the_rest_is_freed() {
    let (mut ring, fake) = ring();
    let file = seekable();
    submit_all_at_position(&mut ring, &file, 0..5);
    submit_reads(&mut ring, 5..30);
    settle(&mut ring);
    ring.abandon();
    let done = settle(&mut ring);
    let stuck = done.iter().filter(|&&(_, verdict)| verdict == Verdict::Stuck).count();
    assert_eq!((done.len(), stuck), (30, IN_FLIGHT as usize));
    assert_eq!(ring.arena().usage().held, stuck * 4096);
    fake.pass(Duration::from_secs(9));
    assert_eq!(run(&mut ring, &fake), []);
}

#[test]
fn clause_3_memory_is_leaked_when_a_ring_is_dropped_in_flight() {
    let (mut ring, fake) = ring();
    let file = seekable();
    // One in flight, eight parked behind it; others in flight, and some that wait.
    submit_all_at_position(&mut ring, &file, 0..9);
    submit_reads(&mut ring, 0..20);
    settle(&mut ring);
    let in_the_kernel = fake.held().len();
    assert_eq!(in_the_kernel as u32, IN_FLIGHT);
    let arena = ring.arena().clone();
    drop(ring);
    assert_eq!(arena.usage().held, in_the_kernel * 4096);
}

#[test]
fn clause_3_memory_is_freed_when_a_dropped_ring_could_cancel_all() {
    let (mut ring, fake) = ring();
    let file = seekable();
    submit_all_at_position(&mut ring, &file, 0..9);
    submit_reads(&mut ring, 0..20);
    settle(&mut ring);
    fake.script(|s| s.cancels = [ends(0, -libc::ECANCELED); 12].into());
    let arena = ring.arena().clone();
    drop(ring);
    assert_eq!(arena.usage().held, 0);
}

#[test]
fn clause_3_memory_a_vectored_operation_names_the_parts_that_it_holds() {
    let (mut ring, fake) = ring();
    let part = |ring: &FakeRing| ring.arena().allocate(8).unwrap();
    let parts = vec![part(&ring), part(&ring)];
    let mut vectors = Vectors::new(ring.arena(), parts, 0).unwrap();
    // The parts are public: who changes them must not leave the kernel with freed memory.
    let other = part(&ring);
    let address = other.address();
    vectors.parts[0] = other;
    vectors.parts.pop();
    let descriptor = Descriptor::Borrowed(0);
    submit(&mut ring, ReadVectored { descriptor, vectors }, 7);
    settle(&mut ring);
    let Decoded::Readv { vectors, count, .. } = fake.script(|s| s.taken[0].work) else { panic!() };
    assert_eq!(count, 1);
    // SAFETY: the ring holds the array, whose first entry was just submitted.
    let vector = unsafe { *(vectors as *const libc::iovec) };
    assert_eq!((vector.iov_base as usize, vector.iov_len), (address, 8));
}

#[test]
fn clause_3_memory_parts_beyond_the_array_are_not_named() {
    let (mut ring, fake) = ring();
    let mut vectors = Vectors::new(ring.arena(), Vec::new(), 0).unwrap();
    let part = ring.arena().allocate(8).unwrap();
    vectors.parts = vec![part; 2000];
    submit(&mut ring, ReadVectored { descriptor: Descriptor::Borrowed(0), vectors }, 7);
    settle(&mut ring);
    let Decoded::Readv { count, .. } = fake.script(|s| s.taken[0].work) else { panic!() };
    assert_eq!(count, 1, "there is room for one");
}
