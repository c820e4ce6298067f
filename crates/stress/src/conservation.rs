//! Nothing lost, nothing invented: what must hold after every run.

use crate::scenario::{Mode, Scenario};
use crate::tally::Tally;

/// Everything that is wrong with a run; nothing, if it is sound. `left` is what the eventfds still held
/// after all threads had ended.
pub fn problems(scenario: &Scenario, mode: Mode, tally: &Tally, left: u64) -> Vec<String> {
    let mut problems = Vec::new();
    let Tally { submitted, settled, sum_written, sum_read, rounds, .. } = *tally;
    if settled != submitted {
        problems.push(format!("{submitted} operations were submitted, and {settled} settled"));
    }
    let ring = &tally.ring;
    if (ring.submitted, ring.completed) != (submitted, settled) {
        problems.push(format!(
            "the rings count {} operations submitted and {} completed, the threads {submitted} and \
             {settled}",
            ring.submitted, ring.completed
        ));
    }
    if ring.discarded > 0 {
        problems.push(format!("the rings discarded {} results", ring.discarded));
    }
    if submitted != 3 * rounds {
        problems.push(format!("{rounds} rounds have {submitted} operations instead of three each"));
    }
    if sum_read.checked_add(left) != Some(sum_written) {
        problems.push(format!(
            "the writes added {sum_written}, but the reads returned {sum_read} and {left} are left"
        ));
    }
    if scenario.add == 0 && tally.reads_completed > 0 {
        problems.push(format!(
            "the writes added nothing, and {} reads completed all the same",
            tally.reads_completed
        ));
    }
    if let (count @ 1.., Some(error)) = &tally.failed {
        problems.push(format!("{count} operations failed, the first one with: {error}"));
    }
    if tally.given_up > 0 {
        problems.push(format!("the kernel did not let {} operations go", tally.given_up));
    }
    if mode == Mode::Safe && tally.lost.total() > 0 {
        problems.push(format!("{} operations were lost in mode safe", tally.lost.total()));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Limit;
    use crate::tally::Lost;
    use std::time::Duration;

    fn scenario(add: u64) -> Scenario {
        let limit = Limit { rounds: Some(4), time: None, until_lost: false };
        let (asynchronous, spin) = (false, Duration::ZERO);
        Scenario { name: "test", threads: 3, add, asynchronous, spin, limit }
    }

    fn sound() -> Tally {
        let mut tally = Tally {
            rounds: 4,
            submitted: 12,
            settled: 12,
            reads_completed: 1,
            sum_read: 3,
            sum_written: 4,
            ..Tally::default()
        };
        (tally.ring.submitted, tally.ring.completed) = (12, 12);
        tally
    }

    fn found(mode: Mode, add: u64, left: u64, spoil: impl FnOnce(&mut Tally)) -> String {
        let mut tally = sound();
        spoil(&mut tally);
        problems(&scenario(add), mode, &tally, left).join("; ")
    }

    #[test]
    fn a_sound_run_has_no_problems() {
        assert_eq!(found(Mode::Safe, 1, 1, |_| ()), "");
    }

    #[test]
    fn every_violation_is_found() {
        let lost = Lost { thread: 0, round: 0, eventfd: 0, answer: Some(0) };
        assert!(found(Mode::Safe, 1, 2, |_| ()).contains("3 and 2 are left"));
        assert!(found(Mode::Safe, 1, u64::MAX, |_| ()).contains("are left"));
        assert!(found(Mode::Safe, 1, 1, |t| t.settled = 11).contains("11 settled"));
        assert!(found(Mode::Safe, 1, 1, |t| t.ring.completed = 13).contains("13 completed"));
        assert!(found(Mode::Safe, 1, 1, |t| t.ring.discarded = 1).contains("discarded 1"));
        assert!(found(Mode::Safe, 1, 1, |t| t.rounds = 5).contains("three each"));
        assert!(found(Mode::Safe, 0, 1, |_| ()).contains("completed all the same"));
        assert!(found(Mode::Safe, 1, 1, |t| t.fail("EIO".into())).contains("EIO"));
        assert!(found(Mode::Safe, 1, 1, |t| t.given_up = 1).contains("let 1 operations go"));
        assert!(found(Mode::Safe, 1, 1, |t| t.lose(lost.clone())).contains("lost in mode safe"));
        assert_eq!(found(Mode::Raw, 1, 1, |t| t.lose(lost)), "", "that is what raw is for");
    }
}
