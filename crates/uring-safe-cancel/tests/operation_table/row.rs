//! One line of the table.

use super::environment::release;
use super::ours::Ours;
use super::raw::Fate;
use uring_safe_cancel::Verdict;

/// What the kernel is known to say in a row, on any version.
pub struct Known {
    pub answers: &'static [i32],
    pub results: &'static [i32],
}

/// The restart codes that leak into CQEs.
pub const RESTART: i32 = -512;

/// A wait that was armed as a poll, or a timer.
pub const ARMED: Known = Known { answers: &[0], results: &[-libc::ECANCELED] };
/// The same, perhaps still in a worker of the kernel: before it is armed, in the gap, and after.
pub const ASYNCHRONOUS: Known = Known {
    answers: &[0, -libc::EALREADY, -libc::ENOENT],
    results: &[-libc::ECANCELED, -libc::EINTR, RESTART],
};

/// Prints a row, and requires the kernel's part of it to be known. `exactly`: (answer of the first cancel, result)
/// on the kernel series that was measured.
#[track_caller]
pub fn row(name: &str, fate: &Fate, known: &Known, exactly: Option<(i32, i32)>, ours: &str) {
    let answers: Vec<String> = fate.answers.iter().map(|&answer| code(answer)).collect();
    let (answers, result) = (answers.join(" "), code(fate.result));
    println!("row: {name}; kernel: {answers} -> {result}; library: {ours}");
    for answer in &fate.answers {
        assert!(known.answers.contains(answer), "{name}: a cancel answered {}", code(*answer));
    }
    assert!(known.results.contains(&fate.result), "{name}: ended with {result}");
    if release() == (6, 18) {
        if let Some((answer, end)) = exactly {
            assert_eq!((fate.answers[0], fate.result), (answer, end), "{name}: on 6.18");
        }
    }
}

/// The library's part of a row, in words.
pub fn words(ours: &Ours) -> String {
    let verdict = match ours.completion.verdict {
        Verdict::Completed(count) => format!("completed {count}"),
        Verdict::Cancelled => "cancelled".to_owned(),
        Verdict::Failed(errno) => format!("failed {}", code(-errno)),
        Verdict::Stuck => "stuck".to_owned(),
        Verdict::Forbidden(errno) => format!("forbidden {}", code(-errno)),
    };
    let answers = ours.answers;
    format!(
        "{verdict} after {}, answered {} found {} not found {} already {} other",
        ours.completion.attempts, answers.found, answers.not_found, answers.already, answers.other
    )
}

/// A result as errno has it.
pub fn code(result: i32) -> String {
    let name = match -result {
        libc::ECANCELED => "ECANCELED",
        libc::ENOENT => "ENOENT",
        libc::EALREADY => "EALREADY",
        libc::EINTR => "EINTR",
        libc::EAGAIN => "EAGAIN",
        libc::EINVAL => "EINVAL",
        libc::ETIME => "ETIME",
        libc::ENXIO => "ENXIO",
        libc::EFAULT => "EFAULT",
        512 => "ERESTARTSYS",
        _ => return result.to_string(),
    };
    format!("-{name}")
}
