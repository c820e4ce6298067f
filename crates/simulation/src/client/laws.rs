//! The conservation laws, checked at every step.

use super::Client;
use crate::record::{CANCEL_RESERVE, TIMER_RESERVE};

impl Client {
    /// Each position is the sum of what has come.
    pub(super) fn check_positions(&self) {
        let world = self.world.borrow();
        let files = self.files.list.iter().enumerate().filter(|(_, file)| file.has_position);
        files.for_each(|(index, file)| {
            world.check_position(index, file.number, self.ring.is_given_up());
        });
    }

    pub(super) fn check_laws(&self) {
        let stats = self.ring.stats();
        let world = self.world.borrow();
        let pending = self.ring.pending() as u64;
        assert_eq!(self.accepted, self.settled + pending, "accepted = settled + pending");
        assert_eq!(stats.submitted, self.accepted, "submitted, by the ring and by the client");
        let unsettled = u64::from(stats.in_flight) + u64::from(stats.queued);
        assert_eq!(
            stats.submitted,
            stats.completed + unsettled,
            "submitted = completed + in flight + queued"
        );
        let in_flight = if self.ring.is_given_up() { 0 } else { world.targets };
        assert_eq!(stats.in_flight, in_flight, "in flight, by the ring and by the kernel");
        let completions = world.configuration.completions;
        assert!(
            stats.in_flight + CANCEL_RESERVE + TIMER_RESERVE <= completions
                && world.on_the_way() <= completions,
            "clause 7: more on the way than the completion queue has room for"
        );
        assert_eq!(stats.cancel_attempts, world.cancels_queued, "cancels");
        // What was reaped beyond a flush's budget is with the next one's.
        let is_whole = pending == unsettled;
        let seen = self.received + self.discarded;
        assert!(
            if is_whole { world.delivered == seen } else { world.delivered >= seen },
            "clause 4: {} bytes delivered by the kernel = {seen} received + discarded",
            world.delivered
        );
        assert_eq!(stats.reissues, world.reissued, "cancels beyond the first");
        assert_eq!(stats.max_attempts, world.most_attempts, "the most cancels of one operation");
        let answers = stats.answers;
        let answers = [answers.found, answers.not_found, answers.already, answers.other];
        assert_eq!(answers, world.answers, "what cancels answered");
        assert!(
            if is_whole { stats.rescued == self.rescued } else { stats.rescued >= self.rescued },
            "{} operations that more than one cancel ended, or {}",
            stats.rescued,
            self.rescued
        );
        assert_eq!(stats.stuck, self.reported, "reports");
        assert_eq!(stats.discarded, self.discards, "discarded results");
        let usage = self.arena.usage();
        assert_eq!(usage.held, self.held, "clause 3: memory held = that of operations and client");
        assert!(
            usage.held <= usage.mapped && usage.mapped <= self.arena.limit(),
            "clause 7: {usage:?}"
        );
    }
}
