//! The results for people.

use crate::run::Report;
use crate::tally::Lost;
use std::fmt::Write;
use std::time::Duration;

/// The scenario, and a column for each of its runs.
pub fn table(reports: &[Report]) -> String {
    let Some(first) = reports.first() else { return String::new() };
    let scenario = &first.scenario;
    let mut text = format!(
        "{}: {} threads, writes add {}, reads {}, {}\n",
        scenario.name,
        scenario.threads,
        scenario.add,
        if scenario.asynchronous { "with IOSQE_ASYNC" } else { "plain" },
        match scenario.spin {
            Duration::ZERO => String::from("no spin"),
            spin => format!("spin 0-{} us", spin.as_micros()),
        },
    );
    let columns: Vec<Vec<(&str, String)>> = reports.iter().map(rows).collect();
    for (index, (name, _)) in columns[0].iter().enumerate() {
        let _ = write!(text, "  {name:<28}");
        for column in &columns {
            let _ = write!(text, "{:>14}", column[index].1);
        }
        text.push('\n');
    }
    for report in reports {
        let mode = report.mode.name();
        for Lost { thread, round, eventfd, answer } in &report.tally.lost_shown {
            let answer = answer.map_or_else(|| String::from("not answered"), answer_name);
            let _ = writeln!(
                text,
                "  {mode}: lost: thread {thread}, round {round}, read of eventfd {eventfd}; its cancel \
                 was {answer}"
            );
        }
        let more = report.tally.lost.total() - report.tally.lost_shown.len() as u64;
        if more > 0 {
            let _ = writeln!(text, "  {mode}: and {more} more");
        }
        for problem in &report.problems {
            let _ = writeln!(text, "  {mode}: WRONG: {problem}");
        }
    }
    text
}

fn answer_name(answer: i32) -> String {
    match -answer {
        ..=0 => format!("answered {answer}"),
        libc::ENOENT => String::from("answered -ENOENT"),
        libc::EALREADY => String::from("answered -EALREADY"),
        libc::EINVAL => String::from("answered -EINVAL"),
        errno => format!("answered -{errno}"),
    }
}

fn rows(report: &Report) -> Vec<(&'static str, String)> {
    let (tally, ring) = (&report.tally, &report.tally.ring);
    let answers = &ring.answers;
    let seconds = report.time.as_secs_f64().max(f64::MIN_POSITIVE);
    let microseconds = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e6);
    vec![
        ("mode", report.mode.name().to_owned()),
        ("seconds", format!("{seconds:.1}")),
        ("rounds", tally.rounds.to_string()),
        ("operations", tally.submitted.to_string()),
        ("reads that delivered", tally.reads_completed.to_string()),
        ("cancels answered 0", answers.found.to_string()),
        ("  -ENOENT", answers.not_found.to_string()),
        ("  -EALREADY", answers.already.to_string()),
        ("  other", answers.other.to_string()),
        ("lost", tally.lost.total().to_string()),
        ("  after 0", tally.lost.found.to_string()),
        ("  after -ENOENT", tally.lost.not_found.to_string()),
        ("  after -EALREADY", tally.lost.already.to_string()),
        ("  after other or none", tally.lost.other.to_string()),
        ("re-issued", ring.reissues.to_string()),
        ("rescued", ring.rescued.to_string()),
        ("most attempts", ring.max_attempts.to_string()),
        ("us from cancel to end, p50", microseconds(tally.latency.quantile(0.5))),
        ("  p99", microseconds(tally.latency.quantile(0.99))),
        ("  max", microseconds(tally.latency.longest())),
        ("rounds/s", format!("{:.0}", tally.rounds as f64 / seconds)),
        ("conserved", (if report.problems.is_empty() { "yes" } else { "NO" }).into()),
    ]
}
