//! What the kernel may do: all that the notes on real kernels list, in any order, and after any delay.
//!
//! What it tells of a cancel says nothing of what it did with it. So there is one step for an answer and one
//! for a completion, and all of these are among the runs: an answer of 0 and a completion with data; -EALREADY or
//! -ENOENT and a completion, or none; the completion before the answer, and after it. A cancel is lost if no
//! completion follows before the next one. That is up to the kernel until it has had more cancels of an
//! operation than it may lose: then it owes the completion ([`State::owes`](crate::state::State::owes)).
//!
//! A CQE that is posted and one that is reaped are one step: between the two, nothing that the driver does
//! depends on it, but for what it judges by the clock. The model with [`Configuration::posts`] has two.

use crate::action::Action;
use crate::configuration::{Answers, Configuration, ANSWERS};
use crate::expected::{expected, is_interruption, Asks};
use crate::world::{InKernel, World};

/// What a CQE with `F_MORE` delivers.
const DELIVERED: i32 = 5;

/// The steps that the kernel may take.
pub fn hostile_steps(configuration: &Configuration, world: &World, actions: &mut Vec<Action>) {
    for (index, operation) in world.operations.iter().enumerate() {
        let number = index as u8;
        if let (Some(held), None) = (&operation.target, operation.posted) {
            completions(configuration, world, number, held, actions);
        }
        if operation.cancel.is_none() {
            continue;
        }
        match configuration.answers {
            Answers::All => actions.extend(ANSWERS.map(|answer| Action::Answer(number, answer))),
            Answers::InTurn => {
                let turn = index + usize::from(operation.cancels);
                actions.push(Action::Answer(number, ANSWERS[turn % ANSWERS.len()]));
            }
        }
    }
}

fn completions(
    configuration: &Configuration,
    world: &World,
    operation: u8,
    held: &InKernel,
    actions: &mut Vec<Action>,
) {
    let InKernel { said, .. } = *held;
    let about = &world.operations[usize::from(operation)];
    let asked = about.asks > 0;
    // What is posted may use one up when it is reaped.
    let posted = world.operations.iter().filter(|operation| operation.posted.is_some()).count();
    let free = usize::from(world.extras) > posted;
    // To be submitted again is one of the things that must not happen for ever.
    let may_end = |result, notification| {
        let moves_on = said.asks != Asks::Attempt && !is_interruption(result);
        let settles = || expected(said, asked, result, notification).is_some();
        free || about.leaked || moves_on || settles()
    };
    let mut push = |result, more, notification| {
        actions.push(Action::Complete { operation, result, more, notification });
    };
    if (said.delivered.is_some() || said.failed.is_some()) && may_end(0, true) {
        push(0, false, true);
    }
    if said.failed.is_some() {
        // After an error only the notification follows.
        return;
    }
    for &result in configuration.results {
        if may_end(result, false) {
            push(result, false, false);
        }
    }
    if said.asks != Asks::Attempt {
        // They have one CQE.
        return;
    }
    if free {
        push(DELIVERED, true, false);
    }
    if free && said.delivered.is_none() {
        for error in [libc::EPIPE, libc::EINTR, libc::ECANCELED] {
            push(-error, true, false);
        }
    }
}
