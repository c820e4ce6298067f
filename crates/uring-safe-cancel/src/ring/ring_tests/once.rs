//! Clause 1: each operation settles once.

use super::*;

#[test]
fn clause_1_once_who_may_deliver_nothing_now_is_told_to_come_back() {
    let (mut ring, fake) = ring();
    submit_reads(&mut ring, 0..IN_FLIGHT);
    let waits = submit_read(&mut ring, 99);
    settle(&mut ring);
    ring.cancel(waits);
    let (done, flushed) = flush(&mut ring, 0);
    assert!(done.is_empty() && flushed.again && !fake.is_readable());
    assert_eq!(settle(&mut ring), [(99, Verdict::Cancelled)]);
}

#[test]
fn clause_1_once_nothing_settles_before_its_final_cqe_whatever_the_cancel_answered() {
    for answer in [0, 1, -libc::ENOENT, -libc::EALREADY, -libc::EINVAL, -libc::ETIME] {
        let (mut ring, fake) = ring();
        let key = submit_read(&mut ring, 7);
        settle(&mut ring);
        fake.script(|s| s.cancels = [lost(answer)].into());
        assert!(ring.cancel(key));
        assert_eq!(settle(&mut ring), [], "the answer {answer} is advice");
        assert!(ring.client(key).is_some() && ring.arena().usage().held > 0);
        fake.complete(key, -libc::ECANCELED);
        assert_eq!(settle(&mut ring), [(7, Verdict::Cancelled)]);
        assert_eq!((ring.pending(), ring.arena().usage().held), (0, 0));
    }
}

#[test]
fn clause_1_once_the_order_of_target_and_answer_does_not_matter() {
    for target_first in [false, true] {
        let (mut ring, fake) = ring();
        let key = submit_read(&mut ring, 7);
        settle(&mut ring);
        let script = Script { target_first, ..ends(0, -libc::ECANCELED) };
        fake.script(|s| s.cancels = [script].into());
        ring.cancel(key);
        assert_eq!(settle(&mut ring), [(7, Verdict::Cancelled)]);
        assert!(!ring.cancel(key), "it has settled");
        assert_eq!(fake.timer(), None, "and left no deadline");
        assert_eq!(run(&mut ring, &fake), []);
    }
}

#[test]
fn clause_1_once_a_cqe_that_others_follow_is_not_final() {
    let (mut ring, fake) = ring();
    let key = submit_read(&mut ring, 7);
    settle(&mut ring);
    fake.post(key, 3, true, false);
    fake.post(key, 4, true, false);
    assert_eq!(settle(&mut ring), []);
    fake.post(key, 0, false, true);
    assert_eq!(settle(&mut ring), [(7, Verdict::Completed(7))]);
}
