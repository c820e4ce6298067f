//! What the model must be seen to do: a property that holds proves little in a model where nothing happens.

/// Something that happens in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sight {
    /// Cancelled by a later cancel than the first.
    RescuedAfterLoss,
    /// Cancelled only by the cancel that the kernel must honour.
    RescuedByTheLast,
    /// Bytes came although a cancel was asked for.
    DataBeatTheCancel,
    /// A cancel answered 0, and the operation completed with data.
    FoundButCompleted,
    /// An interruption counted as cancelled.
    RestartAfterCancel,
    /// An interruption was tried again.
    RestartTriedAgain,
    /// -EAGAIN from a worker was tried again.
    WorkerPassedBy,
    /// -ECANCELED, which says that there is no worker, was tried again.
    NoWorker,
    /// An attempt found nothing there, and was polled for.
    NothingThere,
    /// A poll had been wrong, and a pause came before the next one.
    PollWasWrong,
    /// A poll said that something was there, and a cancel had been asked for.
    ReadyAfterCancel,
    /// An attempt found nothing there after a cancel was asked for.
    NothingThereAfterCancel,
    /// The final CQE came before the cancel's answer.
    CompletedBeforeTheAnswer,
    /// The answer to a cancel came after its delay was over.
    AnsweredLate,
    /// A slot was used again while another one waited for a late answer.
    ReusedBesideLateAnswer,
    /// A cancel waited for room.
    CancelWaited,
    /// An operation waited for room.
    OperationWaited,
    /// An operation waited because cancels had taken more than their reserve.
    CancelsTookTheRoom,
    /// What waited was cancelled without the kernel.
    CancelledInTheQueue,
    /// Earlier CQEs had delivered what the last one did not.
    DeliveredEarlier,
    /// A notification was the final CQE.
    Notified,
    /// What nobody cancelled was in flight to the end.
    LeftInFlight,
    /// Something was given up while the kernel held it.
    GivenUp,
    /// The kernel completed what had been given up.
    CompletedAfterAll,
    /// Something was reported as stuck, and settled later.
    StuckAndSettled,
    /// A timeout asked for the cancellation.
    TimedOut,
    /// A deadline was over, and the operation's completion had been posted.
    PostedInTime,
}

impl Sight {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::RescuedAfterLoss,
        Self::RescuedByTheLast,
        Self::DataBeatTheCancel,
        Self::FoundButCompleted,
        Self::RestartAfterCancel,
        Self::RestartTriedAgain,
        Self::WorkerPassedBy,
        Self::NoWorker,
        Self::NothingThere,
        Self::PollWasWrong,
        Self::ReadyAfterCancel,
        Self::NothingThereAfterCancel,
        Self::CompletedBeforeTheAnswer,
        Self::AnsweredLate,
        Self::ReusedBesideLateAnswer,
        Self::CancelWaited,
        Self::OperationWaited,
        Self::CancelsTookTheRoom,
        Self::CancelledInTheQueue,
        Self::DeliveredEarlier,
        Self::Notified,
        Self::LeftInFlight,
        Self::GivenUp,
        Self::CompletedAfterAll,
        Self::StuckAndSettled,
        Self::TimedOut,
        Self::PostedInTime,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::RescuedAfterLoss => "a cancel was lost, and a later one worked",
            Self::RescuedByTheLast => "only the last cancel worked",
            Self::DataBeatTheCancel => "data beat the cancel",
            Self::FoundButCompleted => "a cancel answered 0, and data had come",
            Self::RestartAfterCancel => "-512 after a cancel",
            Self::RestartTriedAgain => "-512 without a cancel",
            Self::WorkerPassedBy => "-EAGAIN from a worker",
            Self::NoWorker => "-ECANCELED without a cancel: no worker",
            Self::NothingThere => "nothing was there, and a poll was asked for",
            Self::PollWasWrong => "nothing was there after a poll, and a pause was asked for",
            Self::ReadyAfterCancel => "a poll said ready, and a cancel had been asked for",
            Self::NothingThereAfterCancel => "nothing was there after a cancel",
            Self::CompletedBeforeTheAnswer => "completed before the cancel's answer",
            Self::AnsweredLate => "a cancel was answered after its delay",
            Self::ReusedBesideLateAnswer => "a slot was used again beside a late answer",
            Self::CancelWaited => "a cancel waited for room",
            Self::OperationWaited => "an operation waited for room",
            Self::CancelsTookTheRoom => "cancels had taken an operation's room",
            Self::CancelledInTheQueue => "cancelled in the queue",
            Self::DeliveredEarlier => "an earlier CQE had delivered it",
            Self::Notified => "a notification came last",
            Self::LeftInFlight => "what nobody cancelled stayed in flight",
            Self::GivenUp => "given up",
            Self::CompletedAfterAll => "completed after it was given up",
            Self::StuckAndSettled => "reported as stuck, and settled",
            Self::TimedOut => "timed out",
            Self::PostedInTime => "a deadline was over, and the completion had been posted",
        }
    }
}
