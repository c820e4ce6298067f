//! The results for programs.

use crate::run::Report;
use serde_json::{json, Value};

/// One run.
pub fn report(report: &Report) -> Value {
    let (scenario, tally, ring) = (&report.scenario, &report.tally, &report.tally.ring);
    let seconds = report.time.as_secs_f64();
    let microseconds = |time: std::time::Duration| time.as_secs_f64() * 1e6;
    json!({
        "scenario": scenario.name,
        "mode": report.mode.name(),
        "threads": scenario.threads,
        "add": scenario.add,
        "async": scenario.asynchronous,
        "spinMicroseconds": scenario.spin.as_micros() as u64,
        "seconds": seconds,
        "rounds": tally.rounds,
        "roundsPerSecond": tally.rounds as f64 / seconds.max(f64::MIN_POSITIVE),
        "operations": { "submitted": tally.submitted, "settled": tally.settled },
        "readsCompleted": tally.reads_completed,
        "cancels": {
            "requested": ring.cancels_requested,
            "attempts": ring.cancel_attempts,
            "found": ring.answers.found,
            "ENOENT": ring.answers.not_found,
            "EALREADY": ring.answers.already,
            "other": ring.answers.other,
        },
        "lost": {
            "total": tally.lost.total(),
            "found": tally.lost.found,
            "ENOENT": tally.lost.not_found,
            "EALREADY": tally.lost.already,
            "other": tally.lost.other,
        },
        "reissued": ring.reissues,
        "rescued": ring.rescued,
        "maxAttempts": ring.max_attempts,
        "cancelMicroseconds": {
            "p50": microseconds(tally.latency.quantile(0.5)),
            "p99": microseconds(tally.latency.quantile(0.99)),
            "max": microseconds(tally.latency.longest()),
        },
        "conservation": {
            "written": tally.sum_written,
            "read": tally.sum_read,
            "left": report.left,
        },
        "problems": report.problems,
    })
}

/// All runs.
pub fn document(kernel: &str, reports: &[Report]) -> Value {
    json!({
        "kernel": kernel,
        "ok": reports.iter().all(|report| report.problems.is_empty()),
        "runs": reports.iter().map(self::report).collect::<Vec<_>>(),
    })
}
