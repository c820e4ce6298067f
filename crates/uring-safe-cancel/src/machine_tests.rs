//! Every transition of the machine, by the clauses of the contract (docs/contract.md).

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

// Clause 1: once.

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

// Clause 2: live.

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

// Clause 3: memory.

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

// Clause 4: nothing lost.

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

// Clause 7: bounded.

#[test]
fn clause_7_bounded_what_waits_is_cancelled_without_the_kernel() {
    let mut subject = Subject::waiting();
    assert_eq!(subject.step(Event::CancelAsked), settles(Verdict::Cancelled));
    assert!(subject.machine.is_cancel_asked() && !subject.machine.is_cancel_wanted());
    assert_eq!(subject.machine.attempts(), 0);
}

// Clause 2, and what waits: nothing was there, so a poll is asked for before the next attempt.

/// In flight again, once what it was to be submitted for was.
fn resubmitted(subject: &mut Subject) -> Stage {
    let stage = subject.machine.stage();
    assert!(subject.machine.is_waiting());
    assert_eq!(subject.step(Event::Submitted { asynchronous: false }), NOTHING);
    assert_eq!(subject.machine.stage(), stage, "what the kernel has is what was submitted");
    stage
}

/// More than it takes to come to the longest pause.
const MOST_STAGES: usize = 40;

/// An operation in flight in this stage.
fn in_stage(wanted: Stage) -> Subject {
    let mut subject = Subject::in_flight();
    for _ in 0..MOST_STAGES {
        if subject.machine.stage() == wanted {
            return subject;
        }
        let event = match subject.machine.stage() {
            Stage::Attempt => Event::TargetNotReady,
            _ => completed(1),
        };
        assert_eq!(subject.step(event), RESUBMIT);
        resubmitted(&mut subject);
    }
    panic!("never in {wanted:?}")
}

const STAGES: [Stage; 4] = [Stage::Poll, Stage::Pause(0), Stage::Pause(3), Stage::Pause(7)];

#[test]
fn clause_2_live_what_found_nothing_there_polls_and_tries_again() {
    let mut subject = Subject::in_flight();
    assert_eq!(subject.machine.stage(), Stage::Attempt);
    assert_eq!(subject.step(Event::TargetNotReady), RESUBMIT);
    assert_eq!(resubmitted(&mut subject), Stage::Poll);
    assert_eq!(subject.step(completed(1)), RESUBMIT);
    assert_eq!(resubmitted(&mut subject), Stage::Attempt);
    assert_eq!(subject.step(completed(8)), settles(Verdict::Completed(8)));
}

#[test]
fn clause_2_live_a_poll_that_was_wrong_is_asked_again_after_longer_and_longer_pauses() {
    let mut subject = in_stage(Stage::Poll);
    for miss in 0..20 {
        assert_eq!(subject.step(completed(1)), RESUBMIT);
        assert_eq!(resubmitted(&mut subject), Stage::Attempt);
        assert_eq!(subject.step(Event::TargetNotReady), RESUBMIT);
        assert_eq!(resubmitted(&mut subject), Stage::Pause(miss.min(LONGEST_PAUSE)));
        assert_eq!(subject.step(completed(-libc::ETIME)), RESUBMIT);
        assert_eq!(resubmitted(&mut subject), Stage::Poll, "and no attempt without a poll");
    }
}

#[test]
fn clause_2_live_pauses_double_from_a_millisecond_to_a_hundred() {
    let pauses: Vec<u128> = (0..=u8::MAX).map(|number| pause(number).as_millis()).collect();
    assert_eq!(pauses[..9], [1, 2, 4, 8, 16, 32, 64, 100, 100]);
    assert!(pauses[9..].iter().all(|&milliseconds| milliseconds == 100));
}

#[test]
fn clause_2_live_however_a_poll_or_a_pause_ends_it_is_no_result() {
    let results =
        [0, 1, 32, -libc::ETIME, -libc::EAGAIN, -libc::ECANCELED, -libc::ENOMEM, -libc::EIO];
    for stage in STAGES {
        let after = if stage == Stage::Poll { Stage::Attempt } else { Stage::Poll };
        for event in results.map(completed).into_iter().chain([Event::TargetNotReady]) {
            let mut subject = in_stage(stage);
            assert_eq!(subject.step(event), RESUBMIT, "{stage:?} {event:?}");
            assert_eq!(resubmitted(&mut subject), after, "{stage:?} {event:?}");
        }
        let mut followed_by_another = in_stage(stage);
        assert_eq!(followed_by_another.step(followed(1)), NOTHING, "the kernel still has it");
        assert!(followed_by_another.machine.is_in_flight());
        assert_eq!(followed_by_another.step(completed(1)), RESUBMIT);
        assert_eq!(resubmitted(&mut followed_by_another), after);
    }
}

#[test]
fn clause_4_nothing_lost_an_interrupted_poll_or_pause_is_asked_for_again_but_not_for_ever() {
    for stage in STAGES {
        for result in RESTARTS {
            let mut subject = in_stage(stage);
            for _ in 0..MAX_INTERRUPTIONS {
                assert_eq!(subject.step(completed(result)), RESUBMIT);
                assert_eq!(resubmitted(&mut subject), stage);
            }
            assert_eq!(
                subject.step(completed(result)),
                RESUBMIT,
                "it is no error of the operation"
            );
            assert_ne!(resubmitted(&mut subject), stage);
        }
    }
}

#[test]
fn clause_4_nothing_lost_nothing_is_tried_again_once_a_cancel_is_asked() {
    for stage in [Stage::Attempt].into_iter().chain(STAGES) {
        let events =
            [1, 0, -libc::ECANCELED, -libc::EINTR, -libc::EIO, -libc::EAGAIN].map(completed);
        let of_a_stage = events.into_iter().filter(|_| stage != Stage::Attempt);
        for event in of_a_stage.chain([Event::TargetNotReady]) {
            for steps in 0..4 {
                let mut subject = in_stage(stage);
                let cancels = [Event::CancelIssued, Event::RetryDue, Event::CancelAnswered(0)];
                assert!(subject.step(Event::CancelAsked).issue_cancel, "{stage:?}");
                for &cancel in &cancels[..steps] {
                    subject.step(cancel);
                }
                let actions = subject.step(event);
                assert_eq!(actions.settle, Some(Verdict::Cancelled), "{stage:?} {event:?} {steps}");
                assert!(!actions.resubmit, "{stage:?} {event:?} {steps}");
                assert_eq!(actions.release, !subject.machine.is_cancel_outstanding());
            }
        }
        // Between two of them it waits, and the kernel has nothing that is to be cancelled.
        let mut subject = in_stage(stage).after(Event::TargetNotReady);
        assert_eq!(subject.step(Event::CancelAsked), settles(Verdict::Cancelled), "{stage:?}");
    }
}

#[test]
fn clause_3_memory_a_poll_or_a_pause_in_the_kernels_hands_is_given_up_and_never_released() {
    for stage in STAGES {
        let mut subject = in_stage(stage);
        assert!(subject.machine.is_in_flight());
        let given_up = Actions { settle: Some(Verdict::Stuck), ..NOTHING };
        assert_eq!(subject.step(Event::Abandoned), given_up);
        for event in [completed(1), Event::TargetNotReady] {
            assert_eq!(subject.clone().step(event), NOTHING, "{stage:?}: the ring is over");
        }
    }
}

#[test]
fn clause_2_live_a_worker_that_finds_nothing_there_is_passed_by_before_anything_is_polled() {
    let mut subject = Subject::in_flight_async();
    assert_eq!(subject.step(Event::TargetNotReady), RESUBMIT);
    assert!(!subject.machine.is_asynchronous(), "who submits it again asks this");
    assert_eq!(resubmitted(&mut subject), Stage::Attempt);
    assert_eq!(subject.step(Event::TargetNotReady), RESUBMIT);
    assert_eq!(resubmitted(&mut subject), Stage::Poll, "the worker's was no miss");
}

#[test]
fn clause_4_nothing_lost_what_earlier_cqes_said_is_the_result_although_nothing_more_was_there() {
    let mut subject = Subject::in_flight().after(followed(5));
    assert_eq!(subject.step(Event::TargetNotReady), settles(Verdict::Completed(5)));
    let mut subject = Subject::in_flight().after(followed(-libc::EPIPE));
    assert_eq!(subject.step(Event::TargetNotReady), settles(Verdict::Failed(libc::EAGAIN)));
}

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

// Events that cannot happen: a debug build stops, a release build ignores them.

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
