//! The protocol: a line of JSON on stdin asks for a slice, a line on stdout answers.

use crate::engine::{self, Latencies, Unrecorded, Work};
use crate::ring;
use crate::usage::Usage;
use crate::works::{Cancel, Nop, PingPong, Read, Write};
use io_uring::IoUring;
use serde_json::{json, Value};
use std::error::Error;
use std::io::{self, BufRead, Write as _};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// A slice: so many operations on so many lanes.
struct Slice {
    lanes: usize,
    operations: u64,
    latencies: bool,
}

/// Serves the work that the only argument describes.
pub fn serve(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [text] = arguments else { return Err("one argument: the work".into()) };
    let work: Value = serde_json::from_str(text)?;
    // Any seed, the same in each run.
    let seed = 0x9e37_79b9;
    match work["work"].as_str() {
        Some("nop") => one_thread(Nop),
        Some("read") => one_thread(Read::new(&work, seed)?),
        Some("write") => one_thread(Write::new(&work, seed)?),
        Some("cancel") => one_thread(Cancel::new(&work)),
        Some("ping-pong") => one_thread(PingPong::new(false)?),
        Some("echo") => one_thread(PingPong::new(true)?),
        Some("workers") => answer_all(|slice| workers(&work, slice, seed)),
        _ => Err(format!("no such work: {text}").into()),
    }
}

fn one_thread<W: Work>(mut work: W) -> Result<(), Box<dyn Error>> {
    let mut ring = ring::set_up()?;
    answer_all(|slice| {
        work.prepare(&ring, slice.lanes)?;
        let before = Usage::now();
        if !slice.latencies {
            let time =
                engine::run(&mut ring, &mut work, slice.lanes, slice.operations, &mut Unrecorded)?;
            return Ok(answer(slice, time, Usage::now().since(before)));
        }
        let mut latencies = Latencies::new(slice.lanes, slice.operations);
        let time =
            engine::run(&mut ring, &mut work, slice.lanes, slice.operations, &mut latencies)?;
        let mut answer = answer(slice, time, Usage::now().since(before));
        answer["latencies"] = json!({
            "p50": latencies.quantile(0.5),
            "p99": latencies.quantile(0.99),
            "p999": latencies.quantile(0.999),
        });
        Ok(answer)
    })
}

/// Reads in so many threads as the slice has lanes, with a ring each, and `lanes` of the work in each ring.
fn workers(work: &Value, slice: &Slice, seed: u32) -> io::Result<Value> {
    let threads = slice.lanes;
    let lanes = work["lanes"].as_u64().unwrap_or(1) as usize;
    let operations = slice.operations / threads as u64;
    let barrier = Barrier::new(threads + 1);
    let (results, usage) = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|index| {
                let barrier = &barrier;
                scope.spawn(move || -> io::Result<(Instant, Instant)> {
                    let made = Read::new(work, seed + index as u32).and_then(|mut read| {
                        let ring: IoUring = ring::set_up()?;
                        read.prepare(&ring, lanes)?;
                        Ok((read, ring))
                    });
                    // Also after a failure: the others wait for all. Once when all are made, and once when
                    // the processor time so far is known.
                    barrier.wait();
                    barrier.wait();
                    let (mut read, mut ring) = made?;
                    let begun = Instant::now();
                    engine::run(&mut ring, &mut read, lanes, operations, &mut Unrecorded)?;
                    Ok((begun, Instant::now()))
                })
            })
            .collect();
        barrier.wait();
        let before = Usage::now();
        barrier.wait();
        let results: Vec<_> =
            running.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        (results, Usage::now().since(before))
    });
    let times = results.into_iter().collect::<io::Result<Vec<_>>>()?;
    let begun = times.iter().map(|(begun, _)| *begun).min();
    let ended = times.iter().map(|(_, ended)| *ended).max();
    let time = begun.zip(ended).map_or(Duration::ZERO, |(begun, ended)| ended - begun);
    Ok(answer(&Slice { operations: operations * threads as u64, ..*slice }, time, usage))
}

fn answer(slice: &Slice, time: Duration, usage: Usage) -> Value {
    json!({
        "operations": slice.operations,
        "nanoseconds": time.as_nanos() as u64,
        "cpu": { "user": usage.user, "system": usage.system },
    })
}

fn answer_all(mut run: impl FnMut(&Slice) -> io::Result<Value>) -> Result<(), Box<dyn Error>> {
    println!("{}", json!({ "ready": true, "version": env!("CARGO_PKG_VERSION") }));
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let number = |name: &str| request[name].as_u64().ok_or(format!("no {name} in {request}"));
        let slice = Slice {
            lanes: number("concurrency")? as usize,
            operations: number("operations")?,
            latencies: request["measure"] == "latency",
        };
        let answer = run(&slice).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}
