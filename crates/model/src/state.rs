//! A state of the model: the table with its driver, and what is true.

use crate::configuration::Configuration;
use crate::driver::{Deadlines, Driver};
use crate::world::{Operation, World};

/// A state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// What the library knows.
    pub driver: Driver,
    /// What is true.
    pub world: World,
    /// The run has ended: nothing was owed, and nobody did anything more.
    pub ended: bool,
}

impl State {
    /// Before anything happens.
    pub fn new(configuration: &Configuration) -> Self {
        Self { driver: Driver::new(configuration), world: World::new(configuration), ended: false }
    }

    /// Whether the next cancel may be issued as far as time goes: it stands still while the kernel owes
    /// the completion of an operation for too long.
    pub fn may_retry(&self, configuration: &Configuration, operation: u8) -> bool {
        let operation = &self.world.operations[usize::from(operation)];
        operation.cancels < configuration.most_cancels()
    }

    /// Whether anything must still happen by itself: the library has something to queue, the kernel to
    /// answer or to complete, or time to pass. Everything else that can happen (a submission, a wish to
    /// cancel, a completion of what nobody cancelled) may as well never happen.
    pub fn owes(&self, configuration: &Configuration) -> bool {
        let kernel_owes = |operation: &Operation| {
            let honoured = operation.cancels > configuration.losses;
            // What is posted is to be reaped.
            operation.cancel.is_some()
                || operation.posted.is_some()
                || (operation.target.is_some() && honoured)
        };
        let time_passes = |deadlines: &Deadlines| {
            deadlines.retry.is_some_and(|operation| self.may_retry(configuration, operation))
                || deadlines.stuck.is_some()
                || deadlines.timeout.is_some()
        };
        self.driver.may_queue()
            || self.world.operations.iter().any(kernel_owes)
            || self.driver.deadlines().iter().any(time_passes)
    }

    /// Whether nothing is left undone: whoever was to end has settled and left nothing behind, and whoever
    /// could run is in the kernel's hands.
    pub fn is_at_rest(&self) -> bool {
        let table = self.driver.table();
        // A full table, or one that runs at the file's position.
        let must_wait = |in_line| !table.may_submit() || (in_line && table.in_flight() > 0);
        self.world.operations.iter().all(|operation| {
            let Some(key) = operation.key else { return true };
            if operation.is_unsettled() {
                let in_line = table.payload(key).is_some_and(|held| held.in_line);
                return operation.asks == 0 && (operation.target.is_some() || must_wait(in_line));
            }
            operation.leaked || table.machine(key).is_none()
        })
    }

    /// What every step must lower, read as one number from left to right. As the numbers are bounded, every
    /// run ends.
    pub fn left(&self, configuration: &Configuration) -> [u8; 10] {
        let operations = &self.world.operations;
        let count = |wanted: fn(&Operation) -> bool| {
            operations.iter().filter(|operation| wanted(operation)).count() as u8
        };
        let unsettled = || operations.iter().filter(|operation| operation.is_unsettled());
        let asks = unsettled().map(|operation| configuration.most_asks() - operation.asks).sum();
        let cancels = unsettled()
            .map(|operation| configuration.most_cancels().saturating_sub(operation.cancels))
            .sum();
        let deadlines = self.driver.deadlines().iter().map(|deadlines| {
            u8::from(deadlines.retry.is_some())
                + u8::from(deadlines.stuck.is_some())
                + u8::from(deadlines.timeout.is_some())
        });
        [
            count(|operation| operation.key.is_none()),
            self.world.extras,
            // How far those are from the next attempt that found nothing there.
            unsettled().map(|operation| operation.next.before_attempt()).sum(),
            count(Operation::is_unsettled),
            count(|operation| operation.leaked && operation.target.is_some()),
            asks,
            cancels,
            count(|operation| operation.cancel.is_some()),
            deadlines.sum(),
            operations.iter().map(steps_to_the_end).sum::<u8>() + u8::from(!self.ended),
        ]
    }
}

/// Of an operation: to be queued, to be completed, to be reaped.
fn steps_to_the_end(operation: &Operation) -> u8 {
    match operation.target {
        None => 2 * u8::from(operation.is_unsettled()),
        Some(_) => u8::from(operation.posted.is_none()),
    }
}
