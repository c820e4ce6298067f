//! What is worth seeing of a step, for the models that look for something.

use crate::action::Action;
use crate::configuration::Configuration;
use crate::expected::{is_interruption, is_miss, Asks};
use crate::sight::Sight;
use crate::state::State;
use crate::world::{Cqe, Operation, World};
use uring_safe_cancel::machine::Verdict;
use uring_safe_cancel::table::{Limits, CANCEL_RESERVE};

/// What is worth seeing of a completion.
pub fn watch_completion(
    configuration: &Configuration,
    world: &mut World,
    operation: u8,
    before: &Operation,
    cqe: Cqe,
    settled: Option<Verdict>,
) {
    let said = before.target.map(|held| held.said);
    let asked = before.asks > 0;
    match settled {
        Some(Verdict::Cancelled) => {
            if before.cancels > 1 {
                world.see(Sight::RescuedAfterLoss);
            }
            if before.cancels > configuration.losses {
                world.see(Sight::RescuedByTheLast);
            }
            if is_interruption(cqe.result) {
                world.see(Sight::RestartAfterCancel);
            }
            if said.is_some_and(|said| said.asks != Asks::Attempt) && cqe.result > 0 {
                world.see(Sight::ReadyAfterCancel);
            }
            if said.is_some_and(|said| is_miss(said, cqe.result, cqe.notification)) {
                world.see(Sight::NothingThereAfterCancel);
            }
        }
        Some(Verdict::Completed(1..)) if asked => world.see(Sight::DataBeatTheCancel),
        Some(_) => {}
        None if is_interruption(cqe.result) => world.see(Sight::RestartTriedAgain),
        None => match world.operations[usize::from(operation)].next {
            _ if cqe.more => {}
            Asks::Poll => world.see(Sight::NothingThere),
            Asks::Pause(_) => world.see(Sight::PollWasWrong),
            Asks::Attempt if !said.is_some_and(|said| said.asynchronous) => {}
            Asks::Attempt if cqe.result == -libc::EAGAIN => world.see(Sight::WorkerPassedBy),
            Asks::Attempt if cqe.result == -libc::ECANCELED => world.see(Sight::NoWorker),
            Asks::Attempt => {}
        },
    }
    if settled.is_some() {
        if before.cancel.is_some() {
            world.see(Sight::CompletedBeforeTheAnswer);
        }
        if cqe.notification {
            world.see(Sight::Notified);
        }
        if said.is_some_and(|said| said.delivered.is_some()) && cqe.result < 0 {
            world.see(Sight::DeliveredEarlier);
        }
        if world.reported & (1 << operation) != 0 {
            world.see(Sight::StuckAndSettled);
        }
    }
}

/// What is worth seeing of a step, whatever it was.
pub fn watch(configuration: &Configuration, before: &State, state: &mut State, action: Action) {
    let Configuration { completions, waiting, .. } = *configuration;
    let limits = Limits { completions, waiting };
    let table = state.driver.table();
    let wants = |operation: &Operation| {
        let machine = operation.key.and_then(|key| table.machine(key));
        machine.is_some_and(|machine| machine.is_cancel_wanted())
    };
    let cancel_waits = state.world.operations.iter().any(wants) && !table.may_cancel();
    let operation_waits = !table.is_queue_empty() && !table.may_submit();
    let crowded = operation_waits && table.cancels_outstanding() > CANCEL_RESERVE;
    if crowded && table.in_flight() < limits.in_flight() {
        state.world.see(Sight::CancelsTookTheRoom);
    }
    let sights = match action {
        Action::Submit { .. } => {
            let operations = &before.world.operations;
            let new = state.world.submitted() - 1;
            let slot = state.world.operations[new].key.map(|key| key.slot());
            let reused = operations[..new].iter().any(|o| o.key.map(|key| key.slot()) == slot);
            let late = |o: &Operation| o.settlements > 0 && o.cancel.is_some();
            let beside = reused && operations.iter().any(late);
            [(Sight::ReusedBesideLateAnswer, beside), (Sight::OperationWaited, operation_waits)]
        }
        Action::Answer(operation, answer) => {
            let was = &before.world.operations[usize::from(operation)];
            let is_late = wants(was);
            let found = answer == 0 && was.settlements > 0;
            [(Sight::AnsweredLate, is_late), (Sight::FoundButCompleted, found)]
        }
        Action::GiveUp => {
            let leaked = state.world.operations.iter().any(|operation| operation.leaked);
            [(Sight::GivenUp, leaked), (Sight::CancelWaited, cancel_waits)]
        }
        Action::End => {
            let left = state.world.operations.iter().any(|operation| operation.target.is_some());
            [(Sight::LeftInFlight, left), (Sight::CancelWaited, cancel_waits)]
        }
        _ => [(Sight::CancelWaited, cancel_waits), (Sight::OperationWaited, operation_waits)],
    };
    for (sight, seen) in sights {
        if seen {
            state.world.see(sight);
        }
    }
}
