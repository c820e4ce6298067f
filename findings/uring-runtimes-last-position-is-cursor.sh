#!/usr/bin/env bash
# tokio-uring 0.5.0, monoio 0.2.4, compio 0.19.2 (crates.io, Linux with io_uring): position u64::MAX means "at the cursor".
#
# Expected: read_at and write_at take a position of the file; std's FileExt::write_at (pwrite(2)) says EINVAL for one that
# no file can have. The documentation of none of the three names an exception.
# Happens: the number goes to io_uring as it is, and there all ones (-1) means: at the current position, and move it. So
# write_at(data, u64::MAX) overwrites the start of the file, the next one goes on behind it, and both are Ok. All other
# impossible positions, u64::MAX - 1 too, are EINVAL.
# Hurts: whoever computes a position that wraps (0 - 1), or has u64::MAX for "no position": the header of the file is
# overwritten, in release builds without a word.
# Instead: check positions against i64::MAX before the call.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
tokio-uring = "=0.5.0"
monoio = { version = "=0.2.4", default-features = false, features = ["iouring"] }
compio = { version = "=0.19.2", default-features = false, features = ["runtime", "io-uring", "fs"] }
E
cat >src/main.rs <<'E'
use std::io::Result;

const POSITIONS: [u64; 3] = [u64::MAX, u64::MAX, u64::MAX - 1];

fn show(name: &str, results: Vec<Result<usize>>) {
    let results: Vec<_> = results.into_iter().map(|result| result.map_err(|error| error.raw_os_error())).collect();
    println!("{name}: {results:?}, the file is now {:?}", std::fs::read_to_string(name).unwrap());
}

fn main() {
    let names = ["std", "tokio-uring", "monoio", "compio"];
    for name in names {
        std::fs::write(name, "0123456789").unwrap();
    }
    let mut results = vec![];
    let file = std::fs::OpenOptions::new().write(true).open(names[0]).unwrap();
    for position in POSITIONS {
        results.push(std::os::unix::fs::FileExt::write_at(&file, b"xy", position));
    }
    show(names[0], results);

    show(names[1], tokio_uring::start(async {
        let file = tokio_uring::fs::OpenOptions::new().write(true).open(names[1]).await.unwrap();
        let mut results = vec![];
        for position in POSITIONS {
            results.push(file.write_at(b"xy".to_vec(), position).submit().await.0);
        }
        results
    }));

    let mut runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new().build().unwrap();
    show(names[2], runtime.block_on(async {
        let file = monoio::fs::OpenOptions::new().write(true).open(names[2]).await.unwrap();
        let mut results = vec![];
        for position in POSITIONS {
            results.push(file.write_at(b"xy".to_vec(), position).await.0);
        }
        results
    }));

    show(names[3], compio::runtime::Runtime::new().unwrap().block_on(async {
        let mut file = compio::fs::OpenOptions::new().write(true).open(names[3]).await.unwrap();
        let mut results = vec![];
        for position in POSITIONS {
            let result: compio::buf::BufResult<_, _> = compio::io::AsyncWriteAt::write_at(&mut file, b"xy".to_vec(), position).await;
            results.push(result.0);
        }
        results
    }));
}
E
nice cargo build --quiet 2>&1
grep -A1 -E '^name = "(tokio-uring|monoio|compio)"' Cargo.lock | paste -sd' '; echo "Linux $(uname -r | cut -d. -f1-2)"
./target/debug/finding | tee out
grep -q '^std: \[Err(Some(22)), Err(Some(22)), Err(Some(22))\], the file is now "0123456789"$' out
for name in tokio-uring monoio compio; do
  grep -q "^$name: \[Ok(2), Ok(2), Err(Some(22))\], the file is now \"xyxy456789\"\$" out
done
