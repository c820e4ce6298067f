//! What is modelled, and what may happen in it.

use crate::configuration::Configuration;
use crate::driver::Due;

/// A model to check.
#[derive(Clone, Debug)]
pub struct Cancellation {
    /// How large, and with what.
    pub configuration: Configuration,
}

/// One step. Operations are named by the order in which they were submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The client submits the next operation.
    Submit {
        /// The submission queue is full.
        full: bool,
    },
    /// A client wants an operation to end. The first wish and all later ones, of one client or of two.
    Ask(u8),
    /// The ring queues the next cancel, or if there is none, the next operation.
    Fill {
        /// The submission queue is full.
        full: bool,
    },
    /// The kernel completes an operation.
    Complete {
        /// Which.
        operation: u8,
        /// The result.
        result: i32,
        /// `IORING_CQE_F_MORE`.
        more: bool,
        /// `IORING_CQE_F_NOTIF`.
        notification: bool,
    },
    /// The ring reaps what the kernel has posted of an operation.
    Reap(u8),
    /// The client closes a descriptor while nothing can be submitted: the next operation, which the ring
    /// ends by itself.
    Close,
    /// The kernel answers the cancel of an operation.
    Answer(u8, i32),
    /// The timer fires, and a deadline of a slot is over.
    Fire(Due, u32),
    /// The client gives everything up.
    GiveUp,
    /// Nothing is owed, and nothing happens any more.
    End,
}

impl Cancellation {
    /// A model.
    pub fn new(configuration: Configuration) -> Self {
        Self { configuration }
    }
}
