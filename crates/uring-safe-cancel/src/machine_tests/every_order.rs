//! Every order of events, and those that cannot be.

use super::*;

/// What a driver may say next, given what the machine has told it.
fn possible(machine: &Machine, policy: &CancelPolicy) -> Vec<Event> {
    let mut events = vec![Event::CancelAsked, Event::StuckDue, Event::Abandoned];
    if machine.is_waiting() {
        events.push(Event::Submitted { asynchronous: false });
        events.push(Event::Submitted { asynchronous: true });
    }
    if machine.is_in_flight() {
        events.extend([8, 0, -libc::ECANCELED, -libc::EINTR, -libc::EAGAIN].map(completed));
        events.extend([followed(3), followed(-libc::EPIPE), notified(), Event::TargetNotReady]);
    }
    if machine.is_cancel_wanted() && machine.is_in_flight() {
        events.push(Event::CancelIssued);
    }
    if machine.is_cancel_outstanding() {
        events.extend([0, -libc::ENOENT, -libc::EALREADY].map(Event::CancelAnswered));
    }
    if policy.reissue || machine.is_cancel_asked() {
        events.push(Event::RetryDue);
    }
    events
}

/// What a driver has seen of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Seen {
    settled: bool,
    released: bool,
    reported: bool,
    given_up: bool,
    to_issue: bool,
    asked: bool,
}

#[test]
fn clause_1_once_holds_in_every_order_of_events() {
    use std::collections::HashSet;
    let policy = CancelPolicy::default();
    let mut known = HashSet::new();
    let mut frontier = vec![(Machine::new(), Seen::default(), 0)];
    while let Some((machine, seen, depth)) = frontier.pop() {
        if depth == 12 || !known.insert((machine, seen, depth)) {
            continue;
        }
        for event in possible(&machine, &policy) {
            let (mut machine, mut seen) = (machine, seen);
            let was = machine;
            let actions = machine.step(event, &policy);
            let context = (was, event, actions);
            assert!(actions.settle.is_none() || !seen.settled, "settles twice: {context:?}");
            seen.settled |= actions.settle.is_some();
            assert_eq!(seen.settled, machine.is_settled(), "{context:?}");
            assert!(!actions.release || (seen.settled && !seen.released), "{context:?}");
            assert!(!(actions.release && machine.is_cancel_outstanding()), "{context:?}");
            seen.released |= actions.release;
            seen.given_up |= actions.settle == Some(Verdict::Stuck);
            assert!(!(seen.given_up && seen.released), "leaked, never freed: {context:?}");
            let due = machine.is_cancel_outstanding();
            assert!(!seen.settled || seen.released || due || seen.given_up, "{context:?}");
            assert!(!(actions.report_stuck && (seen.reported || seen.settled)), "{context:?}");
            seen.reported |= actions.report_stuck;
            seen.asked |= event == Event::CancelAsked && !seen.settled;
            assert!(!actions.resubmit || (machine.is_waiting() && !seen.asked), "{context:?}");
            // A wish to issue stands until it is carried out or pointless, and is told once.
            let carried_out = event == Event::CancelIssued || seen.settled;
            assert!(!(actions.issue_cancel && seen.to_issue), "asked for twice: {context:?}");
            seen.to_issue = (seen.to_issue || actions.issue_cancel) && !carried_out;
            assert_eq!(seen.to_issue, machine.is_cancel_wanted() && !seen.settled, "{context:?}");
            assert_eq!(actions.arm_retry.is_some(), event == Event::CancelIssued, "{context:?}");
            if !seen.settled && seen.asked {
                // Live: in each such state the next attempt is under way, or its delay is.
                let next = machine.is_cancel_wanted() || machine.is_cancel_outstanding();
                let mut later = machine;
                assert!(next || later.step(Event::RetryDue, &policy).issue_cancel, "{context:?}");
            }
            frontier.push((machine, seen, depth + 1));
        }
    }
    assert!(known.len() > 2_000, "{} states", known.len());
}

#[cfg(debug_assertions)]
mod impossible {
    use super::*;

    #[test]
    #[should_panic(expected = "submitted while")]
    fn clause_1_once_submitted_twice() {
        Subject::in_flight().step(Event::Submitted { asynchronous: false });
    }

    #[test]
    #[should_panic(expected = "a CQE while")]
    fn clause_1_once_a_second_final_cqe() {
        Subject::in_flight().after(completed(8)).step(completed(8));
    }

    #[test]
    #[should_panic(expected = "a CQE while")]
    fn clause_1_once_a_cqe_of_what_was_never_submitted() {
        Subject::waiting().step(completed(8));
    }

    #[test]
    #[should_panic(expected = "a CQE while")]
    fn clause_1_once_nothing_there_for_what_was_never_submitted() {
        Subject::waiting().step(Event::TargetNotReady);
    }

    #[test]
    #[should_panic(expected = "issued while")]
    fn clause_7_bounded_a_cancel_that_nobody_wanted() {
        Subject::in_flight().step(Event::CancelIssued);
    }

    #[test]
    #[should_panic(expected = "answered while")]
    fn clause_7_bounded_an_answer_to_no_cancel() {
        Subject::resting().step(Event::CancelAnswered(0));
    }
}

#[cfg(not(debug_assertions))]
#[test]
fn clause_1_once_events_that_cannot_happen_are_ignored() {
    let settled = Subject::in_flight().after(completed(8));
    let answered = Subject::resting().after(completed(8));
    for (mut subject, event) in [
        (Subject::in_flight(), Event::Submitted { asynchronous: true }),
        (settled.clone(), Event::Submitted { asynchronous: true }),
        (settled.clone(), completed(8)),
        (Subject::waiting(), completed(8)),
        (Subject::waiting(), Event::TargetNotReady),
        (settled.clone(), Event::TargetNotReady),
        (Subject::in_flight(), Event::CancelIssued),
        (Subject::resting(), Event::CancelIssued),
        (settled, Event::CancelAnswered(0)),
        (answered, Event::CancelAnswered(0)),
        (Subject::resting(), Event::CancelAnswered(0)),
    ] {
        let before = subject.machine;
        assert_eq!(subject.step(event), NOTHING, "{event:?}");
        assert_eq!(subject.machine, before, "{event:?}");
    }
}
