//! Every transition of the machine, by the clauses of the contract (docs/contract.md).

#[path = "machine_tests/every_order.rs"]
mod every_order;
#[path = "machine_tests/live.rs"]
mod live;
#[path = "machine_tests/nothing_lost.rs"]
mod nothing_lost;
#[path = "machine_tests/stages.rs"]
mod stages;

use super::*;

/// A machine with its policy.
#[derive(Clone, Debug)]
struct Subject {
    machine: Machine,
    policy: CancelPolicy,
}

impl Subject {
    fn waiting() -> Self {
        Self { machine: Machine::new(), policy: CancelPolicy::default() }
    }

    fn in_flight() -> Self {
        Self::waiting().after(Event::Submitted { asynchronous: false })
    }

    fn in_flight_async() -> Self {
        Self::waiting().after(Event::Submitted { asynchronous: true })
    }

    /// In flight, asked to end, with a cancel in the kernel's hands.
    fn outstanding() -> Self {
        Self::in_flight().after(Event::CancelAsked).after(Event::CancelIssued)
    }

    fn resting() -> Self {
        Self::outstanding().after(Event::CancelAnswered(-libc::EALREADY))
    }

    /// In flight, in each state that its cancellation can be in once it was asked for.
    fn asked() -> [Self; 4] {
        [
            Self::in_flight().after(Event::CancelAsked),
            Self::outstanding(),
            Self::outstanding().after(Event::RetryDue),
            Self::resting(),
        ]
    }

    fn step(&mut self, event: Event) -> Actions {
        self.machine.step(event, &self.policy)
    }

    fn after(mut self, event: Event) -> Self {
        self.step(event);
        self
    }
}

fn completed(result: i32) -> Event {
    Event::TargetCompleted { result, more: false, notification: false }
}

fn followed(result: i32) -> Event {
    Event::TargetCompleted { result, more: true, notification: false }
}

fn notified() -> Event {
    Event::TargetCompleted { result: 0, more: false, notification: true }
}

fn settles(verdict: Verdict) -> Actions {
    Actions { settle: Some(verdict), release: true, ..NOTHING }
}

fn settles_before_the_answer(verdict: Verdict) -> Actions {
    Actions { settle: Some(verdict), ..NOTHING }
}

const ISSUE: Actions = Actions { issue_cancel: true, ..NOTHING };

const RESUBMIT: Actions = Actions { resubmit: true, ..NOTHING };

const RESTARTS: [i32; 6] = [-libc::EINTR, -512, -513, -514, -515, -516];

const ANSWERS: [i32; 9] = [
    0,
    1,
    7,
    -libc::ENOENT,
    -libc::EALREADY,
    -libc::EINVAL,
    -libc::ETIME,
    -libc::ENOMEM,
    -libc::EINTR,
];

#[test]
fn clause_1_once_an_operation_waits_flies_and_settles() {
    let mut subject = Subject::waiting();
    assert_eq!(subject.machine, Machine::default());
    assert!(subject.machine.is_waiting());
    assert!(!subject.machine.is_in_flight() && !subject.machine.is_settled());
    assert_eq!(subject.step(Event::Submitted { asynchronous: false }), NOTHING);
    assert!(subject.machine.is_in_flight());
    assert!(!subject.machine.is_waiting() && !subject.machine.is_settled());
    assert_eq!(subject.step(completed(8)), settles(Verdict::Completed(8)));
    assert!(subject.machine.is_settled());
    assert!(!subject.machine.is_waiting() && !subject.machine.is_in_flight());
}

#[test]
fn clause_1_once_settled_is_settled() {
    for cancelled in [false, true] {
        let mut subject = if cancelled { Subject::resting() } else { Subject::in_flight() };
        subject.step(completed(8));
        let before = subject.machine;
        for event in [Event::CancelAsked, Event::RetryDue, Event::StuckDue, Event::Abandoned] {
            assert_eq!(subject.step(event), NOTHING, "{event:?}");
            assert_eq!(subject.machine, before, "{event:?}");
        }
    }
}

#[test]
fn clause_1_once_no_answer_of_a_cancel_settles_anything() {
    for answer in ANSWERS {
        let mut subject = Subject::outstanding();
        assert_eq!(subject.step(Event::CancelAnswered(answer)), NOTHING);
        assert!(subject.machine.is_in_flight(), "{answer}");
        assert_eq!(subject.machine.last_answer(), Some(answer));
    }
}

#[test]
fn clause_1_once_a_cqe_that_another_follows_is_not_final() {
    let mut subject = Subject::in_flight();
    for result in [3, 0, 4, -libc::EIO] {
        assert_eq!(subject.step(followed(result)), NOTHING);
        assert!(subject.machine.is_in_flight());
    }
    assert_eq!(subject.step(completed(5)), settles(Verdict::Completed(12)));
}

#[test]
fn clause_3_memory_a_notification_is_waited_for_and_adds_nothing() {
    let mut subject = Subject::in_flight();
    assert_eq!(subject.step(followed(8)), NOTHING);
    assert_eq!(subject.step(notified()), settles(Verdict::Completed(8)));
}

#[test]
fn clause_6_no_mistaken_identity_the_slot_is_kept_while_a_cancel_names_it() {
    for answer in ANSWERS {
        let mut subject = Subject::outstanding();
        let settled = subject.step(completed(-libc::ECANCELED));
        assert_eq!(settled, settles_before_the_answer(Verdict::Cancelled));
        assert!(subject.machine.is_cancel_outstanding());
        let released = subject.step(Event::CancelAnswered(answer));
        assert_eq!(released, Actions { release: true, ..NOTHING });
        assert!(!subject.machine.is_cancel_outstanding());
    }
    let mut overdue = Subject::outstanding().after(Event::RetryDue);
    let settled = overdue.step(completed(8));
    assert_eq!(settled, settles_before_the_answer(Verdict::Completed(8)));
    let released = overdue.step(Event::CancelAnswered(-libc::ENOENT));
    assert_eq!(released, Actions { release: true, ..NOTHING });
}

#[test]
fn clause_6_no_mistaken_identity_the_slot_is_free_at_once_if_no_cancel_names_it() {
    for subject in [Subject::asked()[0].clone(), Subject::resting()] {
        let mut subject = subject;
        assert_eq!(subject.step(completed(-libc::ECANCELED)), settles(Verdict::Cancelled));
        assert!(!subject.machine.is_cancel_wanted());
    }
}

#[test]
fn clause_3_memory_what_is_given_up_is_never_released() {
    let mut subjects = Vec::from(Subject::asked());
    subjects.push(Subject::in_flight());
    for mut subject in subjects {
        assert_eq!(subject.step(Event::Abandoned), settles_before_the_answer(Verdict::Stuck));
        assert!(subject.machine.is_settled() && !subject.machine.is_in_flight());
        assert_eq!(subject.step(Event::Abandoned), NOTHING);
        for event in [Event::CancelAsked, Event::RetryDue, Event::StuckDue] {
            assert_eq!(subject.step(event), NOTHING);
        }
        if subject.machine.is_cancel_outstanding() {
            assert_eq!(subject.step(Event::CancelAnswered(0)), NOTHING);
            assert!(!subject.machine.is_cancel_outstanding());
        }
        for event in [followed(1), completed(8), completed(-libc::EINTR), notified()] {
            assert_eq!(subject.step(event), NOTHING, "too late");
        }
    }
}

#[test]
fn clause_3_memory_what_never_reached_the_kernel_is_released_when_given_up() {
    let mut subject = Subject::waiting();
    assert_eq!(subject.step(Event::Abandoned), settles(Verdict::Cancelled));
}

#[test]
fn clause_7_bounded_what_waits_is_cancelled_without_the_kernel() {
    let mut subject = Subject::waiting();
    assert_eq!(subject.step(Event::CancelAsked), settles(Verdict::Cancelled));
    assert!(subject.machine.is_cancel_asked() && !subject.machine.is_cancel_wanted());
    assert_eq!(subject.machine.attempts(), 0);
}
