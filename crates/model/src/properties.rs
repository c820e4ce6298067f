//! What must hold, in all states and at the end of all runs.

use crate::action::Cancellation;
use crate::configuration::Configuration;
use crate::sight::Sight;
use crate::state::State;
use crate::world::Fault;
use stateright::Property;
use uring_safe_cancel::table::{Limits, TIMER_RESERVE};

/// Each operation's client gets it back once, and not while the kernel can still complete it.
pub const ONCE: &str = "an operation settles at most once";
/// Clause 3.
pub const MEMORY: &str = "memory and descriptor stay until the final CQE";
/// Clause 6.
pub const IDENTITY: &str = "no cancel and no deadline can reach another operation";
/// Clause 4.
pub const DELIVERED: &str = "a delivered count is never discarded";
/// Clause 4.
pub const VERDICT: &str = "the verdict is the contract's";
/// Clause 4.
pub const RETRY: &str = "nothing is submitted again once a cancel was asked for";
/// Clause 2: whoever waits does not spin, and is not early.
pub const WAITS: &str =
    "what found nothing there polls before it tries again, and pauses if the poll was wrong";
/// Clause 7.
pub const BOUNDED: &str = "operations, cancels and timer fit into the completion queue";
/// Clause 7.
pub const ONE_CANCEL: &str = "an operation has at most one cancel on the way, and only in flight";
/// Clause 7: what is bounded is not bounded more than it must be.
pub const ROOM: &str = "there is room in the table where there is room in the queue";
/// The table's own counts.
pub const COUNTS: &str = "the table counts what the kernel holds";
/// What must change nothing.
pub const UNDISTURBED: &str = "a full submission queue and a late wish change nothing";
/// Clause 3 and 1: only destroy gives up.
pub const GIVEN_UP: &str = "only what was given up is stuck, and it is reported once";
/// Clause 4: how busy the thread was decides nothing.
pub const REAPED: &str = "nothing is judged by the clock that the kernel has completed";
/// Clause 2, as a safety property: where nothing is owed by library, kernel or time, nothing is left to do.
pub const AT_REST: &str = "where nothing is owed, all that was cancelled has settled";
/// With [`FINITE`], the proof of clause 2 that does not rest on the checker's `eventually`.
pub const FINITE: &str = "every step uses something up";
/// Clause 2, at the ends of runs.
pub const SETTLED: &str = "all that was cancelled settles";

fn always(
    name: &'static str,
    condition: fn(&Cancellation, &State) -> bool,
) -> Property<Cancellation> {
    Property::always(name, condition)
}

/// What must happen in a model that looks for something.
pub fn sight(sight: Sight) -> Property<Cancellation> {
    Property::sometimes(sight.name(), |_, state: &State| state.world.seen)
}

/// What must hold in every model.
pub fn properties() -> Vec<Property<Cancellation>> {
    vec![
        always(ONCE, |_, state| {
            state.world.operations.iter().all(|operation| operation.settlements <= 1)
        }),
        always(MEMORY, |_, state| {
            !state.world.has(Fault::MemoryGivenBackEarly)
                && (0..).zip(&state.world.operations).all(|(number, operation)| {
                    let Some(key) = operation.key else { return true };
                    let table = state.driver.table();
                    let payload = table.payload(key);
                    if operation.leaked {
                        // Its slot is never free again.
                        return payload.is_none() && table.machine(key).is_some();
                    }
                    let is_its_own = payload.is_some_and(|held| held.operation == number);
                    operation.target.is_none() || is_its_own
                })
        }),
        always(IDENTITY, |_, state| {
            !state.world.is_mistaken() && !state.world.has(Fault::MistakenDeadline)
        }),
        always(DELIVERED, |_, state| !state.world.has(Fault::ResultDiscarded)),
        always(VERDICT, |_, state| !state.world.has(Fault::WrongVerdict)),
        always(RETRY, |_, state| {
            !state.world.has(Fault::RetriedAfterAsk) && !state.world.has(Fault::WrongRetry)
        }),
        always(WAITS, |_, state| !state.world.has(Fault::WrongStage)),
        always(BOUNDED, |model, state| {
            state.world.on_the_way() + TIMER_RESERVE <= model.configuration.completions
        }),
        always(ONE_CANCEL, |_, state| {
            !state.world.has(Fault::Ambiguous) && !state.world.has(Fault::CancelOfNobody)
        }),
        always(COUNTS, |_, state| {
            let table = state.driver.table();
            let operations = &state.world.operations;
            let held = operations.iter().filter(|o| o.target.is_some() && !o.leaked).count();
            let cancels = operations.iter().filter(|o| o.cancel.is_some()).count();
            let unsettled = operations.iter().filter(|o| o.is_unsettled()).count();
            table.in_flight() as usize == held
                && table.cancels_outstanding() as usize == cancels
                && table.unsettled() as usize == unsettled
                && table.waiting() as usize == unsettled - held
                && table.unsettled_keys().count() == unsettled
        }),
        always(ROOM, |model, state| {
            let table = state.driver.table();
            let Configuration { completions, waiting, .. } = model.configuration;
            let limits = Limits { completions, waiting };
            let is_free = state.world.on_the_way() + TIMER_RESERVE < completions;
            let held = state.world.operations.iter().filter(|o| o.target.is_some()).count() as u32;
            // The table does not count what was given up; the ring submits nothing then.
            state.world.operations.iter().any(|operation| operation.leaked)
                || table.may_submit() == (is_free && held < limits.in_flight())
        }),
        always(UNDISTURBED, |_, state| !state.world.has(Fault::Disturbed)),
        always(GIVEN_UP, |_, state| {
            !state.world.has(Fault::GivenUpUnasked) && !state.world.has(Fault::WrongReport)
        }),
        always(REAPED, |_, state| !state.world.has(Fault::JudgedTooEarly)),
        always(AT_REST, |model, state| state.owes(&model.configuration) || state.is_at_rest()),
        always(FINITE, |_, state| !state.world.has(Fault::Endless)),
        // True at an end at the earliest, so that it does not matter by which of several paths the checker
        // first came to a state, which its `eventually` otherwise depends on.
        Property::eventually(SETTLED, |_, state: &State| state.ended && state.is_at_rest()),
    ]
}
