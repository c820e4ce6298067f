//! What is true: what the kernel holds and what the clients have got, kept apart from the table and by
//! the operations' real identity, so that it can be compared with what the table believes.

use crate::configuration::{Configuration, MAX_OPERATIONS};
use crate::expected::{Asks, Said};
use crate::sight::Sight;
use uring_safe_cancel::machine::Verdict;
use uring_safe_cancel::tag::{Key, Tag};

/// A CQE of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cqe {
    /// What its SQE carried.
    pub user_data: u64,
    /// The result.
    pub result: i32,
    /// `IORING_CQE_F_MORE`.
    pub more: bool,
    /// `IORING_CQE_F_NOTIF`.
    pub notification: bool,
}

/// An operation in the kernel's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InKernel {
    /// What its SQE carried.
    pub user_data: u64,
    /// What the kernel has said of it.
    pub said: Said,
}

/// A final CQE in the completion queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Posted {
    /// The result.
    pub result: i32,
    /// `IORING_CQE_F_NOTIF`.
    pub notification: bool,
}

/// A cancel in the kernel's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CancelInKernel {
    /// What its SQE carried.
    pub user_data: u64,
    /// What it names.
    pub target: u64,
}

/// One operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Operation {
    /// What the ring gave its client to name it by. `None`: not submitted yet.
    pub key: Option<Key>,
    /// How often its cancellation was asked for, as far as that makes a difference.
    pub asks: u8,
    /// The kernel has it.
    pub target: Option<InKernel>,
    /// What its next SQE must ask for.
    pub next: Asks,
    /// How many attempts found nothing there.
    pub misses: u8,
    /// What the kernel has posted as its end, and the ring has not reaped.
    pub posted: Option<Posted>,
    /// The kernel has a cancel of it.
    pub cancel: Option<CancelInKernel>,
    /// How many cancels of it the kernel has had.
    pub cancels: u8,
    /// How often its client got it back.
    pub settlements: u8,
    /// Its memory was leaked, and was not given back.
    pub leaked: bool,
}

impl Operation {
    /// Whether it was submitted and its client does not have it back.
    pub fn is_unsettled(&self) -> bool {
        self.key.is_some() && self.settlements == 0
    }
}

/// Something that must not happen in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// Memory and descriptor were given back while the kernel held them.
    MemoryGivenBackEarly,
    /// A count that the kernel delivered did not reach the client.
    ResultDiscarded,
    /// The verdict is not the one that the contract wants.
    WrongVerdict,
    /// An operation was submitted again although its cancellation had been asked for.
    RetriedAfterAsk,
    /// An operation was submitted again, or not, against the contract.
    WrongRetry,
    /// An attempt without the poll or the pause before it, or one of those out of turn.
    WrongStage,
    /// Two SQEs on the way have the same tag, or an operation two cancels.
    Ambiguous,
    /// A cancel was issued for an operation that the kernel does not hold.
    CancelOfNobody,
    /// A deadline reached another operation.
    MistakenDeadline,
    /// What must change nothing changed something.
    Disturbed,
    /// A step used nothing up.
    Endless,
    /// Stuck was the verdict although nobody had given up.
    GivenUpUnasked,
    /// An operation was reported as stuck twice, or without a wish to cancel it.
    WrongReport,
    /// The clock ended, cancelled or reported an operation whose completion had been posted.
    JudgedTooEarly,
}

/// All operations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// In the order in which they are submitted.
    pub operations: [Operation; MAX_OPERATIONS],
    /// How often the kernel may still do what [`Configuration::extras`] counts.
    pub extras: u8,
    /// The client may still give everything up.
    pub may_give_up: bool,
    /// The client has given up, in this step or before.
    pub given_up: bool,
    /// Which operations were reported as stuck, by bits.
    pub reported: u8,
    faults: u16,
    /// What the model looks for.
    looks_for: Option<Sight>,
    /// It happened.
    pub seen: bool,
}

impl World {
    /// Before anything happens.
    pub fn new(configuration: &Configuration) -> Self {
        Self {
            operations: Default::default(),
            extras: configuration.extras,
            may_give_up: configuration.gives_up,
            given_up: false,
            reported: 0,
            faults: 0,
            looks_for: configuration.looks_for,
            seen: false,
        }
    }

    /// Something happened that must not.
    pub fn fault(&mut self, fault: Fault) {
        self.faults |= 1 << fault as u16;
    }

    /// Whether it has happened.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults & (1 << fault as u16) != 0
    }

    /// How many operations were submitted.
    pub fn submitted(&self) -> usize {
        self.operations.iter().filter(|operation| operation.key.is_some()).count()
    }

    /// How many CQEs the kernel may post without another SQE.
    pub fn on_the_way(&self) -> u32 {
        let count = |operation: &Operation| {
            u32::from(operation.target.is_some()) + u32::from(operation.cancel.is_some())
        };
        self.operations.iter().map(count).sum()
    }

    /// Somebody asks for an operation's cancellation.
    pub fn ask(&mut self, operation: u8) {
        let operation = &mut self.operations[usize::from(operation)];
        operation.asks = operation.asks.max(1);
    }

    /// The kernel gets an operation's SQE.
    pub fn queue_target(&mut self, user_data: u64, operation: u8, said: Said) {
        if said.asks != self.operations[usize::from(operation)].next {
            self.fault(Fault::WrongStage);
        }
        let ambiguous = self.is_on_the_way(user_data);
        let operation = &mut self.operations[usize::from(operation)];
        if ambiguous || operation.target.is_some() {
            self.fault(Fault::Ambiguous);
            return;
        }
        operation.target = Some(InKernel { user_data, said });
    }

    /// The kernel gets the SQE of a cancel. Whose it is, the kernel knows by what it names.
    pub fn queue_cancel(&mut self, user_data: u64, target: u64) {
        let ambiguous = self.is_on_the_way(user_data);
        let whose = self
            .operations
            .iter_mut()
            .find(|operation| operation.target.is_some_and(|held| held.user_data == target));
        match whose {
            Some(operation) if operation.cancel.is_none() && !ambiguous => {
                operation.cancel = Some(CancelInKernel { user_data, target });
                operation.cancels += 1;
            }
            Some(_) => self.fault(Fault::Ambiguous),
            None => self.fault(Fault::CancelOfNobody),
        }
    }

    fn is_on_the_way(&self, user_data: u64) -> bool {
        self.operations.iter().any(|operation| {
            operation.target.is_some_and(|held| held.user_data == user_data)
                || operation.cancel.is_some_and(|cancel| cancel.user_data == user_data)
        })
    }

    /// Whether a cancel on the way names a slot in which another operation is. The kernel is taken to
    /// compare slots only, as if the generations had come round.
    pub fn is_mistaken(&self) -> bool {
        self.operations.iter().enumerate().any(|(index, operation)| {
            let Some(cancel) = operation.cancel else { return false };
            self.operations.iter().enumerate().any(|(other, held)| {
                let lives = held.is_unsettled() || held.target.is_some();
                other != index && lives && held.key.map(Key::slot) == slot_of(cancel.target)
            })
        })
    }

    /// A client gets an operation back, with its memory unless that is leaked.
    pub fn settle(&mut self, operation: u8, verdict: Verdict, leaked: bool) {
        let given_up = self.given_up;
        let operation = &mut self.operations[usize::from(operation)];
        operation.settlements = operation.settlements.saturating_add(1);
        operation.leaked = leaked;
        if operation.target.is_some() && !leaked {
            self.fault(Fault::MemoryGivenBackEarly);
        }
        if verdict == Verdict::Stuck && !given_up {
            self.fault(Fault::GivenUpUnasked);
        }
    }

    /// An operation is reported as stuck.
    pub fn report_stuck(&mut self, operation: u8) {
        let bit = 1 << operation;
        let reported = &self.operations[usize::from(operation)];
        if self.reported & bit != 0 || reported.asks == 0 || !reported.is_unsettled() {
            self.fault(Fault::WrongReport);
        }
        self.reported |= bit;
    }

    /// Forgets what can make no difference any more of operations that are over: states that behave alike
    /// are equal then.
    pub fn forget(&mut self) {
        for (index, operation) in self.operations.iter_mut().enumerate() {
            let over = operation.settlements > 0 && operation.target.is_none();
            if over && operation.cancel.is_none() {
                operation.asks = 0;
                operation.cancels = 0;
                operation.next = Asks::Attempt;
                operation.misses = 0;
                self.reported &= !(1 << index);
            }
        }
    }

    /// Something happened that a model may look for.
    pub fn see(&mut self, sight: Sight) {
        self.seen |= self.looks_for == Some(sight);
    }
}

/// The slot that a tag names.
pub fn slot_of(user_data: u64) -> Option<u32> {
    Tag::from_user_data(user_data).map(|tag| tag.key().slot())
}
