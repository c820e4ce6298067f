#!/usr/bin/env bash
# positioned-io 0.3.5 (crates.io): SizeCursor seeks to before the start without an error, and is then at 2^64 - 100.
#
# Expected: std::io::Seek says: "It is an error to seek before byte 0". Cursor of the same crate, std::io::Cursor and a File
# refuse it with InvalidInput.
# What happens: SizeCursor, the cursor that knows its size, casts the negative sum to u64. seek(Current(-100)) at 0 is
# Ok(18446744073709551516), and so is seek(End(-103)) of three bytes. The next read is Ok(0), as at the end of the data.
# Whom it hurts: parsers that look for a trailer at the end (ZIP, Parquet, ELF notes): for a file shorter than the trailer they
# get "no data" far from the cause, instead of the error they are written for.
# Instead: compare with size() before a seek from the end, or check that the result of seek is not above it.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
positioned-io = "=0.3.5"
E
cat >src/main.rs <<'E'
use std::io::{Read, Seek, SeekFrom};

fn main() {
    let bytes = vec![1u8, 2, 3];
    let mut sized = positioned_io::SizeCursor::new(bytes.clone());
    let (current, end) = (sized.seek(SeekFrom::Current(-100)), positioned_io::SizeCursor::new(bytes.clone()).seek(SeekFrom::End(-103)));
    println!("SizeCursor, 100 before the start: {current:?} and {end:?}; then read: {:?}", sized.read(&mut [0; 8]));
    let plain = positioned_io::Cursor::new(bytes.clone()).seek(SeekFrom::Current(-100)).map_err(|e| e.kind());
    let std = std::io::Cursor::new(bytes).seek(SeekFrom::Current(-100)).map_err(|e| e.kind());
    println!("Cursor of the same crate: {plain:?}; std::io::Cursor: {std:?}");
    let invalid = Err(std::io::ErrorKind::InvalidInput);
    let good = current.ok() == Some(100u64.wrapping_neg()) && end.ok() == Some(100u64.wrapping_neg()) && plain == invalid && std == invalid;
    std::process::exit(if good { 0 } else { 1 });
}
E
nice cargo build --quiet --target-dir target; grep -A1 '^name = "positioned-io"' Cargo.lock | paste -sd' '
./target/debug/finding
