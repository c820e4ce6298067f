//! Wrong drivers, each of which some property of the model must catch.

/// What a driver of the table does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// It takes a cancel that answers 0 or more, or -ENOENT, for the end of the operation.
    TrustsTheAnswer,
    /// It lets a slot go when its operation settles, although a cancel's answer is due.
    ReusesTheSlotAtOnce,
    /// It believes that the completion queue has one entry more.
    MiscountsTheQueue,
    /// It reports what was cancelled as cancelled, whatever the result.
    DiscardsResults,
    /// It hands -512 to the client as an error of that number.
    PassesRestartsOn,
    /// It tells the table of a wish to cancel only if the operation does not run yet.
    ForgetsTheWish,
    /// It issues no second cancel.
    ForgetsTheRetry,
    /// It forgets a cancel that found the submission queue full.
    ForgetsTheCancel,
    /// It forgets an operation that is to be submitted again.
    ForgetsTheResubmission,
    /// It tries again what found nothing there, without a poll.
    TriesWithoutAPoll,
    /// It takes what a poll says for the operation's result.
    TrustsThePoll,
    /// It ends an operation as soon as its cancellation is asked for, while the kernel polls for it.
    EndsThePollAtOnce,
    /// It forgets a wish to cancel that comes while the kernel polls, or pauses.
    ForgetsTheWishWhilePolling,
    /// It frees the memory of what it gives up.
    FreesTheStuck,
    /// It gives up an operation that it should report as stuck.
    GivesUpByItself,
    /// It keeps a slot's deadlines when the operation settles.
    KeepsDeadlines,
    /// It sets a deadline again whenever it is over.
    RepeatsDeadlines,
    /// It acts on a deadline, or gives up, before it has reaped what the kernel has posted.
    JudgesBeforeReaping,
}
