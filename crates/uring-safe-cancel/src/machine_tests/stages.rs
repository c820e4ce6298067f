//! Attempts that find nothing there: polls and pauses.

use super::*;

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
