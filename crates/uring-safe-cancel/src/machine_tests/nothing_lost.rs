//! Clause 4: nothing is lost.

use super::*;

#[test]
fn clause_4_nothing_lost_a_result_wins_over_the_cancel() {
    for mut subject in Subject::asked() {
        let outstanding = subject.machine.is_cancel_outstanding();
        let actions = subject.step(completed(3));
        assert_eq!(actions.settle, Some(Verdict::Completed(3)));
        assert_eq!(actions.release, !outstanding);
    }
    for result in [0, 1, i32::MAX] {
        let actions = Subject::resting().step(completed(result));
        assert_eq!(actions, settles(Verdict::Completed(result)));
    }
}

#[test]
fn clause_4_nothing_lost_an_error_wins_over_the_cancel() {
    for errno in [libc::EIO, libc::EBADF, libc::EPIPE, libc::EAGAIN, libc::ETIME, 511, 517] {
        let actions = Subject::resting().step(completed(-errno));
        assert_eq!(actions, settles(Verdict::Failed(errno)));
        let actions = Subject::in_flight().step(completed(-errno));
        assert_eq!(actions, settles(Verdict::Failed(errno)));
    }
    let worst = Subject::in_flight().step(completed(i32::MIN));
    assert_eq!(worst, settles(Verdict::Failed(i32::MAX)));
}

#[test]
fn clause_4_nothing_lost_interruptions_after_a_cancel_count_as_cancelled() {
    for result in RESTARTS.into_iter().chain([-libc::ECANCELED]) {
        for mut subject in Subject::asked() {
            let actions = subject.step(completed(result));
            assert_eq!(actions.settle, Some(Verdict::Cancelled), "{result}");
            assert!(!actions.resubmit, "once a cancel is asked nothing is tried again");
        }
    }
}

#[test]
fn clause_4_nothing_lost_interruptions_without_a_cancel_are_tried_again() {
    for result in RESTARTS {
        let mut subject = Subject::in_flight();
        assert_eq!(subject.step(completed(result)), RESUBMIT);
        assert!(subject.machine.is_waiting() && !subject.machine.is_settled());
        assert_eq!(subject.step(Event::Submitted { asynchronous: false }), NOTHING);
        assert_eq!(subject.step(completed(8)), settles(Verdict::Completed(8)));
    }
}

#[test]
fn clause_4_nothing_lost_what_waits_again_is_cancelled_without_the_kernel() {
    let mut subject = Subject::in_flight().after(completed(-libc::EINTR));
    assert_eq!(subject.step(Event::CancelAsked), settles(Verdict::Cancelled));
    let mut subject = Subject::in_flight().after(completed(-libc::EINTR));
    assert_eq!(subject.step(Event::Abandoned), settles(Verdict::Cancelled));
}

#[test]
fn clause_4_nothing_lost_but_not_for_ever() {
    for result in RESTARTS {
        let mut subject = Subject::in_flight();
        for _ in 0..MAX_INTERRUPTIONS {
            assert_eq!(subject.step(completed(result)), RESUBMIT);
            subject.step(Event::Submitted { asynchronous: false });
        }
        assert_eq!(subject.step(completed(result)), settles(Verdict::Failed(libc::EINTR)));
    }
}

#[test]
fn clause_4_nothing_lost_a_cancellation_that_nobody_here_asked_for_is_an_error() {
    let actions = Subject::in_flight().step(completed(-libc::ECANCELED));
    assert_eq!(actions, settles(Verdict::Failed(libc::ECANCELED)));
}

#[test]
fn clause_4_nothing_lost_a_worker_that_cannot_is_passed_by() {
    for errno in [libc::EAGAIN, libc::ECANCELED] {
        let mut subject = Subject::in_flight_async();
        assert!(subject.machine.is_asynchronous());
        assert_eq!(subject.step(completed(-errno)), RESUBMIT);
        assert!(!subject.machine.is_asynchronous(), "who submits it again asks this");
        subject.step(Event::Submitted { asynchronous: false });
        let actions = subject.step(completed(-errno));
        assert_eq!(actions, settles(Verdict::Failed(errno)), "plain, it is an answer");
    }
}

#[test]
fn clause_4_nothing_lost_a_worker_that_says_eagain_after_a_cancel_has_transferred_nothing() {
    let mut subject = Subject::in_flight_async().after(Event::CancelAsked);
    assert_eq!(subject.step(completed(-libc::EAGAIN)), settles(Verdict::Cancelled));
}

#[test]
fn clause_4_nothing_lost_what_earlier_cqes_delivered_is_the_result() {
    for last in [-libc::ECANCELED, -libc::EINTR, -512, -libc::EIO, 0] {
        for asked in [false, true] {
            let subject = if asked { Subject::resting() } else { Subject::in_flight() };
            let mut subject = subject.after(followed(5));
            assert_eq!(subject.step(completed(last)), settles(Verdict::Completed(5)));
        }
    }
    let mut most = Subject::in_flight().after(followed(i32::MAX)).after(followed(1));
    assert_eq!(most.step(completed(1)), settles(Verdict::Completed(i32::MAX)));
}

#[test]
fn clause_4_nothing_lost_an_error_before_the_notification_is_the_result() {
    // A zero-copy send that fails says so in its first CQE; the notification only frees its memory.
    let mut subject = Subject::in_flight().after(followed(-libc::EPIPE));
    assert_eq!(subject.step(notified()), settles(Verdict::Failed(libc::EPIPE)));
    let mut subject = Subject::resting().after(followed(-libc::ECANCELED));
    assert_eq!(subject.step(notified()), settles(Verdict::Cancelled));
    // Interrupted: tried again, and the second try starts from nothing.
    let mut subject = Subject::in_flight().after(followed(-libc::EINTR));
    assert_eq!(subject.step(notified()), RESUBMIT);
    subject.step(Event::Submitted { asynchronous: false });
    subject.step(followed(8));
    assert_eq!(subject.step(notified()), settles(Verdict::Completed(8)));
    let mut again = Subject::in_flight().after(followed(-libc::EINTR)).after(notified());
    again.step(Event::Submitted { asynchronous: false });
    assert_eq!(again.step(notified()), settles(Verdict::Completed(0)));
}
