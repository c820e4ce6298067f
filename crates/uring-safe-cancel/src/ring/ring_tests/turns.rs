//! Turns at a file whose position is shared.

use super::*;

#[test]
fn positions_cancelled_timed_out_and_failed_turns_pass_to_the_next() {
    let (mut ring, fake) = ring();
    let file = seekable();
    let key =
        |ring: &mut FakeRing, client| submit_at_position(ring, &file, Extra::default(), client);
    let keys: Vec<Key> = (0..6).map(|client| key(&mut ring, client)).collect();
    settle(&mut ring);
    assert_eq!(fake.held(), [keys[0]]);
    // One in the middle of the line goes; nobody's turn comes by that.
    ring.cancel(keys[2]);
    assert_eq!(settle(&mut ring), [(2, Verdict::Cancelled)]);
    assert_eq!(fake.held(), [keys[0]]);
    // The one that runs fails: the next runs.
    fake.complete(keys[0], -libc::EIO);
    assert_eq!(settle(&mut ring), [(0, Verdict::Failed(libc::EIO))]);
    assert_eq!(fake.held(), [keys[1]]);
    // The one that runs is interrupted: it keeps its turn.
    fake.complete(keys[1], -libc::EINTR);
    assert_eq!(settle(&mut ring), []);
    assert_eq!(fake.held(), [keys[1]]);
    // The one that runs is cancelled: the next runs, past the one that went.
    fake.script(|s| s.cancels = [ends(0, -libc::ECANCELED)].into());
    ring.cancel(keys[1]);
    assert_eq!(settle(&mut ring), [(1, Verdict::Cancelled)]);
    assert_eq!(fake.held(), [keys[3]]);
    // All of them at once.
    fake.script(|s| s.cancels = [ends(0, -libc::ECANCELED)].into());
    assert_eq!(ring.cancel_descriptor(file.as_raw_fd()), 3);
    let mut done = settle(&mut ring);
    done.sort_by_key(|&(client, _)| client);
    assert_eq!(done.iter().map(|d| d.0).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!((ring.pending(), ring.arena().usage().held), (0, 0));
    // The line is gone: the next one runs at once.
    let last = key(&mut ring, 9);
    settle(&mut ring);
    assert_eq!(fake.held(), [last]);
}

#[test]
fn positions_a_turn_that_comes_while_the_ring_is_full_waits_in_the_queue() {
    let (mut ring, fake) = ring();
    let file = seekable();
    let first = submit_at_position(&mut ring, &file, Extra::default(), 0);
    let second = submit_at_position(&mut ring, &file, Extra::default(), 1);
    let third = submit_at_position(&mut ring, &file, Extra::default(), 2);
    submit_reads(&mut ring, 10..40);
    settle(&mut ring);
    assert_eq!(fake.held().len() as u32, IN_FLIGHT);
    fake.complete(first, 8);
    settle(&mut ring);
    assert_eq!(fake.submissions(second).len(), 0, "others stood in the queue before it");
    // It is cancelled while it waits for room: the turn passes on.
    assert!(ring.cancel(second));
    assert_eq!(settle(&mut ring), [(1, Verdict::Cancelled)]);
    for key in fake.held() {
        fake.complete(key, 8);
    }
    fake.script(|s| s.instant = Some(8));
    run(&mut ring, &fake);
    assert_eq!(fake.submissions(third).len(), 1);
    assert_eq!(ring.pending(), 0);
}
