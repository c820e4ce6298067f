//! The words of a call: its name, and its arguments.
//!
//! | word | argument |
//! |---|---|
//! | `12`, `-100` | a number |
//! | `i:HEX` | memory with these bytes |
//! | `p:SEED:LENGTH`, `p:SEED:LENGTH:START` | memory with a pattern, or with what of it begins at START |
//! | `x:HEX` | memory with these bytes, answered as it is after the call |
//! | `d:LENGTH` | memory for data, answered as far as the result says that there is some |
//! | `v:WORD,WORD` | an array of iovec, each on the memory of one of the words above |

use crate::answer::Answer;
use crate::memory::{describe, from_hex, pattern, to_hex, Aligned};
use crate::numbers;

enum Use {
    In,
    InOut,
    Data,
}

struct Piece {
    memory: Aligned,
    purpose: Use,
}

struct Arguments {
    values: [libc::c_long; 6],
    count: usize,
    pieces: Vec<Piece>,
    /// The arrays of vectored calls: their addresses are among the values.
    vectors: Vec<Vec<libc::iovec>>,
}

/// Makes a system call.
pub fn call(words: &[&str]) -> Result<Answer, String> {
    let (name, words) = words.split_first().ok_or("no call")?;
    let number = numbers::of(name).ok_or_else(|| format!("no system call: {name}"))?;
    let mut arguments =
        Arguments { values: [0; 6], count: 0, pieces: Vec::new(), vectors: Vec::new() };
    for word in words {
        arguments.add(word)?;
    }
    let [a, b, c, d, e, f] = arguments.values;
    // SAFETY: pointers among the arguments are to memory of `arguments`, as long as the caller of this process says. It is a
    // test's own process, and who asks for a call that breaks it breaks nothing else.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    let answer = if result < 0 { Answer::failed() } else { Answer::of(result) };
    Ok(answer.with(arguments.outs(result)))
}

impl Arguments {
    fn add(&mut self, word: &str) -> Result<(), String> {
        let value = match word.strip_prefix("v:") {
            Some(parts) => self.vector(parts)?,
            None if word.contains(':') => self.piece(word)?.0 as libc::c_long,
            None => word.parse().map_err(|_| format!("no number: {word}"))?,
        };
        *self.values.get_mut(self.count).ok_or("too many arguments")? = value;
        self.count += 1;
        Ok(())
    }

    /// The address and length of one more piece of memory.
    fn piece(&mut self, word: &str) -> Result<(*mut u8, usize), String> {
        let (letter, rest) = word.split_once(':').ok_or_else(|| format!("no word: {word}"))?;
        let length = |text: &str| text.parse::<usize>().map_err(|_| format!("no length: {text}"));
        let (memory, purpose) = match letter {
            "i" => (Aligned::of(&from_hex(rest)?), Use::In),
            "x" => (Aligned::of(&from_hex(rest)?), Use::InOut),
            "d" => (Aligned::zeroed(length(rest)?), Use::Data),
            "p" => {
                let (seed, rest) = rest.split_once(':').ok_or("no seed")?;
                let seed = seed.parse().map_err(|_| format!("no seed: {seed}"))?;
                let (bytes, start) = rest.split_once(':').unwrap_or((rest, "0"));
                let start = length(start)?;
                (Aligned::of(&pattern(seed, start + length(bytes)?)[start..]), Use::In)
            }
            _ => return Err(format!("no word: {word}")),
        };
        self.pieces.push(Piece { memory, purpose });
        let bytes = self.pieces.last_mut().ok_or("no piece")?.memory.as_mut();
        Ok((bytes.as_mut_ptr(), bytes.len()))
    }

    fn vector(&mut self, parts: &str) -> Result<libc::c_long, String> {
        let mut vector = Vec::new();
        for word in parts.split(',') {
            let (address, length) = self.piece(word)?;
            vector.push(libc::iovec { iov_base: address.cast(), iov_len: length });
        }
        let address = vector.as_ptr() as libc::c_long;
        self.vectors.push(vector);
        Ok(address)
    }

    fn outs(&self, result: libc::c_long) -> Vec<String> {
        let mut left = usize::try_from(result).unwrap_or(0);
        let mut outs = Vec::new();
        let mut data = Vec::new();
        let mut has_data = false;
        for Piece { memory, purpose } in &self.pieces {
            let bytes = memory.as_ref();
            match purpose {
                Use::In => {}
                Use::InOut => outs.push(to_hex(bytes)),
                Use::Data => {
                    has_data = true;
                    let filled = left.min(bytes.len());
                    data.extend_from_slice(&bytes[..filled]);
                    left -= filled;
                }
            }
        }
        if has_data {
            outs.push(describe(&data));
        }
        outs
    }
}
