//! Clause 2: a cancelled operation ends.

use super::*;

#[test]
fn clause_2_live_a_wish_issues_a_cancel_and_arms_the_report() {
    let mut subject = Subject::in_flight();
    let stuck_after = subject.policy.stuck_after;
    let actions = subject.step(Event::CancelAsked);
    assert_eq!(actions, Actions { arm_stuck: Some(stuck_after), ..ISSUE });
    assert!(subject.machine.is_cancel_asked() && subject.machine.is_cancel_wanted());
    assert!(!subject.machine.is_cancel_outstanding());
    assert_eq!(subject.machine.attempts(), 0);
    let delay = subject.policy.first_delay;
    assert_eq!(subject.step(Event::CancelIssued), Actions { arm_retry: Some(delay), ..NOTHING });
    assert!(subject.machine.is_cancel_outstanding() && !subject.machine.is_cancel_wanted());
    assert_eq!((subject.machine.attempts(), subject.machine.last_answer()), (1, None));
}

#[test]
fn clause_2_live_a_second_wish_changes_nothing() {
    for mut subject in Subject::asked() {
        let before = subject.machine;
        assert_eq!(subject.step(Event::CancelAsked), NOTHING);
        assert_eq!(subject.machine, before);
    }
}

#[test]
fn clause_2_live_whatever_it_answered_the_cancel_is_issued_again_for_ever() {
    for answer in ANSWERS {
        let mut subject = Subject::outstanding();
        for attempt in 1..1000 {
            assert_eq!(subject.machine.attempts(), attempt);
            assert_eq!(subject.step(Event::CancelAnswered(answer)), NOTHING);
            assert!(!subject.machine.is_cancel_wanted(), "it waits for its delay");
            assert_eq!(subject.step(Event::RetryDue), ISSUE);
            assert!(subject.machine.is_cancel_wanted());
            let delay = subject.policy.delay(attempt + 1);
            let actions = subject.step(Event::CancelIssued);
            assert_eq!(actions, Actions { arm_retry: Some(delay), ..NOTHING });
        }
        assert_eq!(subject.step(completed(-libc::ECANCELED)).settle, Some(Verdict::Cancelled));
    }
}

#[test]
fn clause_2_live_the_delays_grow_to_the_cap() {
    let policy = CancelPolicy::default();
    let delays: Vec<u128> = (1..=12).map(|attempt| policy.delay(attempt).as_micros()).collect();
    let doubled = [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200];
    assert_eq!(delays[..9], doubled);
    assert_eq!(delays[9..], [100_000; 3]);
    assert_eq!(policy.delay(0), policy.first_delay);
    assert_eq!(policy.delay(u32::MAX), policy.max_delay);
    let long = CancelPolicy { first_delay: Duration::MAX, max_delay: Duration::MAX, ..policy };
    assert_eq!(long.delay(u32::MAX), Duration::MAX, "nothing overflows");
}

#[test]
fn clause_2_live_an_overdue_cancel_is_followed_as_soon_as_it_is_answered() {
    for answer in ANSWERS {
        let mut subject = Subject::outstanding();
        assert_eq!(subject.step(Event::RetryDue), NOTHING, "one at a time");
        assert!(subject.machine.is_cancel_outstanding());
        assert_eq!(subject.step(Event::RetryDue), NOTHING);
        assert_eq!(subject.step(Event::CancelAnswered(answer)), ISSUE);
        assert!(subject.machine.is_cancel_wanted() && !subject.machine.is_cancel_outstanding());
        assert_eq!(subject.machine.last_answer(), Some(answer));
    }
}

#[test]
fn clause_2_live_a_delay_that_ends_when_nothing_waits_for_it_changes_nothing() {
    for subject in [Subject::waiting(), Subject::in_flight(), Subject::asked()[0].clone()] {
        let mut subject = subject;
        let before = subject.machine;
        assert_eq!(subject.step(Event::RetryDue), NOTHING);
        assert_eq!(subject.machine, before);
    }
}

#[test]
fn clause_2_live_the_naive_policy_arms_no_delay() {
    let mut subject = Subject::in_flight();
    subject.policy.reissue = false;
    subject.step(Event::CancelAsked);
    assert_eq!(subject.step(Event::CancelIssued), NOTHING);
    assert_eq!(subject.step(Event::CancelAnswered(-libc::EALREADY)), NOTHING);
    assert_eq!(subject.step(Event::RetryDue), ISSUE, "its driver may still say so");
}

#[test]
fn clause_2_live_what_outlives_its_delay_is_reported_once_and_stays_tracked() {
    for mut subject in Subject::asked() {
        assert!(!subject.machine.is_stuck());
        let report = subject.step(Event::StuckDue);
        assert_eq!(report, Actions { report_stuck: true, ..NOTHING });
        assert!(subject.machine.is_stuck() && subject.machine.is_in_flight());
        assert_eq!(subject.step(Event::StuckDue), NOTHING);
        assert_eq!(subject.step(completed(8)).settle, Some(Verdict::Completed(8)));
    }
}

#[test]
fn clause_2_live_only_what_somebody_wants_to_end_can_be_stuck() {
    for mut subject in [Subject::waiting(), Subject::in_flight()] {
        assert_eq!(subject.step(Event::StuckDue), NOTHING);
        assert!(!subject.machine.is_stuck());
    }
}
