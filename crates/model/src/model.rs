//! The steps of the model.

use crate::action::{Action, Cancellation};
use crate::configuration::{Answers, MAX_OPERATIONS};
use crate::defect::Defect;
use crate::driver::Due;
use crate::expected::{expected, is_interruption, is_miss, next, Asks};
use crate::hostile::hostile_steps;
use crate::properties::{properties, sight};
use crate::sight::Sight;
use crate::state::State;
use crate::watch::{watch, watch_completion};
use crate::world::{Cqe, Fault, InKernel, Posted};
use stateright::{Model, Property};
use uring_safe_cancel::machine::{Actions, Event, Verdict};

impl Cancellation {
    /// The result of a completion, checked against the contract.
    fn complete(
        &self,
        state: &mut State,
        operation: u8,
        result: i32,
        more: bool,
        notification: bool,
    ) {
        let index = usize::from(operation);
        let State { driver, world, .. } = state;
        let before = world.operations[index];
        let Some(held) = before.target else { return };
        let cqe = Cqe { user_data: held.user_data, result, more, notification };
        if more {
            world.extras -= 1;
            let mut said = held.said;
            if result < 0 {
                said.failed = Some(result);
            } else {
                said.delivered = Some(said.delivered.unwrap_or(0) + result);
            }
            world.operations[index].target = Some(InKernel { said, ..held });
            let came = driver.complete(&self.configuration, cqe, world);
            if came.settled.is_some() || came.resubmitted {
                world.fault(Fault::WrongVerdict);
            }
            return;
        }
        world.operations[index].target = None;
        let asked = before.asks > 0;
        let wanted = expected(held.said, asked, result, notification);
        if wanted.is_none() {
            let operation = &mut world.operations[index];
            operation.next = next(held.said, result, notification, before.misses);
            let is_miss = is_miss(held.said, result, notification);
            operation.misses += u8::from(is_miss && !held.said.asynchronous);
        }
        let came = driver.complete(&self.configuration, cqe, world);
        if before.leaked {
            world.see(Sight::CompletedAfterAll);
            return;
        }
        // A poll that was asked for ends in any case.
        let moves_on = held.said.asks != Asks::Attempt && !is_interruption(result);
        if wanted.is_none() && !moves_on {
            world.extras -= 1;
        }
        if came.resubmitted && asked {
            world.fault(Fault::RetriedAfterAsk);
        }
        if came.resubmitted != wanted.is_none() {
            world.fault(Fault::WrongRetry);
        }
        if came.settled != wanted {
            world.fault(match wanted {
                Some(Verdict::Completed(1..)) => Fault::ResultDiscarded,
                _ => Fault::WrongVerdict,
            });
        }
        if self.configuration.looks_for.is_some() {
            watch_completion(&self.configuration, world, operation, &before, cqe, came.settled);
        }
    }

    /// The ring reaps what the kernel has posted of an operation, if anything. Whether that was so.
    fn reap(&self, state: &mut State, operation: u8) -> bool {
        let posted = &mut state.world.operations[usize::from(operation)].posted;
        let Some(Posted { result, notification }) = posted.take() else { return false };
        self.complete(state, operation, result, false, notification);
        true
    }

    /// The ring reaps everything before it looks at the clock (`Ring::gather`). Whether that was the end of `operation`.
    fn gather(&self, state: &mut State, operation: Option<u8>) -> bool {
        if self.configuration.defect == Some(Defect::JudgesBeforeReaping) {
            return false;
        }
        let mut is_over = false;
        for number in 0..MAX_OPERATIONS as u8 {
            let is_reaped = self.reap(state, number);
            is_over |= is_reaped && operation == Some(number);
        }
        is_over
    }

    fn answer(&self, state: &mut State, operation: u8, answer: i32) {
        let State { driver, world, .. } = state;
        let index = usize::from(operation);
        let Some(cancel) = world.operations[index].cancel.take() else { return };
        if self.configuration.answers == Answers::InTurn {
            // Another answer makes no difference but to reports.
            if let Some(key) = world.operations[index].key {
                let other = if answer == 0 { -libc::ENOENT } else { 0 };
                let actions = |answer| -> Actions {
                    driver.table().clone().apply(key, Event::CancelAnswered(answer)).actions
                };
                if actions(answer) != actions(other) {
                    world.fault(Fault::Disturbed);
                }
            }
        }
        driver.answered(&self.configuration, cancel.user_data, answer, world);
    }

    fn ask(&self, state: &mut State, operation: u8) {
        let State { driver, world, .. } = state;
        let asked = &mut world.operations[usize::from(operation)];
        let Some(key) = asked.key else { return };
        asked.asks += 1;
        if let Some(verdict) = driver.cancel(&self.configuration, key, world) {
            world.see(Sight::CancelledInTheQueue);
            if verdict != Verdict::Cancelled {
                world.fault(Fault::WrongVerdict);
            }
        }
    }

    /// Whether a wish to cancel comes too late to make a difference.
    fn is_late(&self, state: &State, operation: u8) -> bool {
        let operation = &state.world.operations[usize::from(operation)];
        !operation.is_unsettled() || operation.asks == self.configuration.most_asks()
    }

    /// Such a wish changes nothing. The ring keeps it from the table, which must not need that.
    fn is_ignored(&self, state: &State, operation: u8) -> bool {
        let Some(key) = state.world.operations[usize::from(operation)].key else { return true };
        let mut table = state.driver.table().clone();
        let outcome = table.apply(key, Event::CancelAsked);
        outcome.settled.is_none()
            && outcome.actions == Actions::default()
            && table == *state.driver.table()
    }

    fn fire(&self, state: &mut State, due: Due, slot: u32) {
        let owner_of = |state: &State| {
            let deadlines = state.driver.deadlines()[slot as usize];
            match due {
                Due::Retry => deadlines.retry,
                Due::Stuck => deadlines.stuck,
                Due::Timeout => deadlines.timeout,
            }
        };
        let owner = owner_of(state);
        if self.gather(state, owner) {
            state.world.see(Sight::PostedInTime);
        }
        if owner_of(state).is_none() {
            return;
        }
        let State { driver, world, .. } = state;
        if owner.is_some_and(|owner| world.operations[usize::from(owner)].posted.is_some()) {
            world.fault(Fault::JudgedTooEarly);
        }
        if let (Due::Timeout, Some(owner)) = (due, owner) {
            if world.operations[usize::from(owner)].asks == 0 {
                world.see(Sight::TimedOut);
            }
            world.ask(owner);
        }
        let reached = driver.due(&self.configuration, slot, due, world);
        if reached.is_some() && reached != owner {
            world.fault(Fault::MistakenDeadline);
        }
    }

    fn fill(&self, state: &mut State, full: bool) {
        let before = full.then(|| state.driver.table().clone());
        state.driver.fill(&self.configuration, full, &mut state.world);
        if before.is_some_and(|before| before != *state.driver.table()) {
            state.world.fault(Fault::Disturbed);
        }
    }
}

impl Model for Cancellation {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.configuration)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.ended {
            return;
        }
        let configuration = &self.configuration;
        let State { driver, world, .. } = state;
        let submitted = world.submitted();
        // A ring that has given up takes no more operations.
        let is_open = world.may_give_up || !configuration.gives_up;
        if submitted < configuration.operations && is_open && driver.table().has_room() {
            actions.push(Action::Submit { full: false });
            if configuration.submission_queue_fills && !driver.would_wait() {
                actions.push(Action::Submit { full: true });
            }
        }
        if submitted < configuration.operations && is_open && configuration.closes {
            // The ring queues first what was called before.
            if !driver.may_queue() && !driver.table().may_submit() {
                actions.push(Action::Close);
            }
        }
        if driver.may_queue() {
            actions.push(Action::Fill { full: false });
            if configuration.submission_queue_fills {
                actions.push(Action::Fill { full: true });
            }
        }
        for (number, operation) in (0..).zip(&world.operations[..submitted]) {
            if configuration.policy.reissue || operation.asks < configuration.most_asks() {
                actions.push(Action::Ask(number));
            }
        }
        hostile_steps(configuration, world, actions);
        for (number, operation) in (0..).zip(&world.operations[..submitted]) {
            if operation.posted.is_some() {
                actions.push(Action::Reap(number));
            }
        }
        for (slot, deadlines) in driver.deadlines().iter().enumerate() {
            let slot = slot as u32;
            if deadlines.retry.is_some_and(|operation| state.may_retry(configuration, operation)) {
                actions.push(Action::Fire(Due::Retry, slot));
            }
            if deadlines.stuck.is_some() {
                actions.push(Action::Fire(Due::Stuck, slot));
            }
            if deadlines.timeout.is_some() {
                actions.push(Action::Fire(Due::Timeout, slot));
            }
        }
        if world.may_give_up && driver.table().unsettled() > 0 {
            actions.push(Action::GiveUp);
        }
        if !state.owes(configuration) {
            actions.push(Action::End);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        if let Action::Ask(operation) = action {
            if self.is_late(last, operation) && self.is_ignored(last, operation) {
                return None;
            }
        }
        let mut state = last.clone();
        match action {
            Action::Submit { full } => {
                let operation = state.world.submitted();
                let State { driver, world, .. } = &mut state;
                let key = driver.submit(&self.configuration, operation, full, world);
                world.operations[operation].key = Some(key);
            }
            Action::Close => {
                let operation = state.world.submitted();
                let State { driver, world, .. } = &mut state;
                let (key, verdict) = driver.close_at_once(&self.configuration, operation, world);
                world.operations[operation].key = Some(key);
                if verdict != Some(Verdict::Cancelled) {
                    world.fault(Fault::WrongVerdict);
                }
            }
            Action::Ask(operation) if self.is_late(last, operation) => {
                state.world.fault(Fault::Disturbed);
            }
            Action::Ask(operation) => self.ask(&mut state, operation),
            Action::Fill { full } => self.fill(&mut state, full),
            Action::Complete { operation, result, more: false, notification }
                if self.configuration.posts =>
            {
                let posted = Some(Posted { result, notification });
                state.world.operations[usize::from(operation)].posted = posted;
            }
            Action::Reap(operation) => {
                self.reap(&mut state, operation);
            }
            Action::Complete { operation, result, more, notification } => {
                self.complete(&mut state, operation, result, more, notification);
            }
            Action::Answer(operation, answer) => self.answer(&mut state, operation, answer),
            Action::Fire(due, slot) => self.fire(&mut state, due, slot),
            Action::GiveUp => {
                self.gather(&mut state, None);
                let world = &mut state.world;
                world.may_give_up = false;
                world.given_up = true;
                if world.operations.iter().any(|o| o.is_unsettled() && o.posted.is_some()) {
                    world.fault(Fault::JudgedTooEarly);
                }
                state.driver.abandon(&self.configuration, &mut state.world);
                state.world.given_up = false;
            }
            Action::End => state.ended = true,
        }
        if self.configuration.looks_for.is_some() {
            watch(&self.configuration, last, &mut state, action);
        }
        if matches!(action, Action::Fill { full: true }) && state == *last {
            return None;
        }
        if state.left(&self.configuration) >= last.left(&self.configuration) {
            state.world.fault(Fault::Endless);
        }
        state.world.forget();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.configuration.looks_for.map_or_else(properties, |wanted| vec![sight(wanted)])
    }
}
