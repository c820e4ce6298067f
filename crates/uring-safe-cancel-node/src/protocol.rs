//! The numbers that both sides of the boundary know. This file is their one source: its test writes src/native/protocol.ts
//! (`UPDATE=1 cargo test -p uring-safe-cancel-node`), and fails where that differs.

// What TypeScript is told is for the test alone.
#![cfg_attr(not(test), allow(dead_code))]

/// A list of numbers, and what TypeScript is told of it.
struct List {
    /// As TypeScript calls it.
    name: &'static str,
    documentation: &'static [&'static str],
    members: &'static [Member],
}

struct Member {
    name: &'static str,
    documentation: &'static [&'static str],
    value: i64,
}

/// Lists whose numbers count from 0: places in an array.
macro_rules! places {
    ($($(#[doc = $about:literal])* $list:ident as $names:ident { $($(#[doc = $text:literal])* $member:ident,)* })*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Copy)]
        #[repr(usize)]
        pub(crate) enum $list { $($(#[doc = $text])* $member,)* }

        const $names: List = List {
            name: stringify!($list),
            documentation: &[$($about),*],
            members: &[$(Member {
                name: stringify!($member),
                documentation: &[$($text),*],
                value: $list::$member as i64,
            }),*],
        };
    )*};
}

/// Lists of numbers that mean something by themselves.
macro_rules! values {
    ($($(#[doc = $about:literal])* $list:ident as $names:ident, $name:literal { $($(#[doc = $text:literal])* $member:ident = $value:literal,)* })*) => {$(
        $(#[doc = $about])*
        pub(crate) mod $list { $($(#[doc = $text])* pub(crate) const $member: i32 = $value;)* }

        const $names: List = List {
            name: $name,
            documentation: &[$($about),*],
            members: &[$(Member {
                name: stringify!($member),
                documentation: &[$($text),*],
                value: $list::$member as i64,
            }),*],
        };
    )*};
}

/// Single numbers.
macro_rules! constants {
    ($list:ident { $($(#[doc = $text:literal])* $name:ident: $type:ty = $value:expr;)* }) => {
        $($(#[doc = $text])* pub(crate) const $name: $type = $value;)*

        const $list: &[Member] = &[$(Member {
            name: stringify!($name),
            documentation: &[$($text),*],
            value: $name as i64,
        }),*];
    };
}

values! {
    /// What a submission answers beside 0 and negative errnos: beyond all errnos.
    refusal as REFUSALS, "Refusal" {
        CLOSED = -10_001,
        QUEUE_FULL = -10_002,
        ARENA_FULL = -10_003,
        BAD_ARGUMENT = -10_004,
        /// The runtime allows no ArrayBuffers on memory of an addon.
        NOT_EXTERNAL = -10_005,
        /// As many opens wait as may.
        TOO_MANY_OPENS = -10_006,
        /// No thread can be had for an open that may wait: the user has as many as may be.
        NO_PROCESS = -10_007,
        /// The same, and it is the control group that has.
        NO_PROCESS_OF_GROUP = -10_008,
        /// So much below the errno with which the kernel takes nothing of the ring any more.
        FORBIDDEN = -20_000,
    }

    /// What the door for operations that are made seldom is asked for. 0 is what comes of an array that is gone.
    code as CODES, "Code" {
        POLL = 1,
        SLEEP = 2,
        OPEN = 3,
        CLOSE = 4,
        SYNC = 5,
    }

    /// The status word of a completion: the verdict, and flags.
    status as STATUS, "Status" {
        /// The verdict's bits.
        VERDICT = 3,
        COMPLETED = 0,
        FAILED = 1,
        CANCELLED = 2,
        STUCK = 3,
        /// The operation's timeout asked for the cancel.
        TIMED_OUT = 4,
        /// The bytes lie in core memory and wait to be copied out.
        KEPT = 8,
        /// The errno is the kernel's answer to the ring itself, of which it takes nothing any more.
        FORBIDDEN = 16,
    }
}

places! {
    /// Words of the array's header.
    Header as HEADER {
        /// Operations that have not settled.
        Pending,
        /// 1: flush again after a millisecond, the kernel is short of something.
        Again,
        /// 1: operations were reported as stuck.
        Reports,
        /// 1: the ring takes no more operations and has settled all it had.
        Drained,
        /// The region of the last allocation.
        Region,
        /// 1: the next operation waits in the queue.
        Full,
        /// How many operations the native side has taken, as 32 bits.
        Submitted,
        /// Of the slabs that were still held before the last allocation: KiB.
        Slabs,
    }

    /// The arguments of the calls that are made for each operation: doubles. They lie in the array because Node-API takes as
    /// long for two arguments as JavaScript does for all of them.
    Given as GIVEN {
        /// JavaScript's id of the operation.
        Id,
        Fd,
        Length,
        /// In the file; of a copy: in the kept memory.
        Position,
        Flags,
        /// In milliseconds; 0 is none.
        Timeout,
        /// The number of a region; of a copy: of a vectored read's part.
        Region,
        /// In the region, or in the caller's bytes.
        Start,
        /// What is submitted by the door for all: a `Code`.
        Code,
        /// Its first number: the events of a poll, the milliseconds of a sleep, the flags of an open, 1 for fdatasync.
        First,
        /// Its second number: the mode of an open.
        Second,
    }

    /// Places of the counters.
    Counter as COUNTERS {
        Submitted,
        Completed,
        InFlight,
        Queued,
        CancelsRequested,
        CancelAttempts,
        Reissues,
        Rescued,
        Stuck,
        MaxAttempts,
        AnswersFound,
        AnswersNotFound,
        AnswersAlready,
        AnswersOther,
        Refusals,
        Discarded,
        ArenaHeld,
    }
}

constants! {
    CONSTANTS {
        /// Words of the array's header.
        HEADER_WORDS: usize = HEADER.members.len();
        /// How many arguments there are.
        GIVEN_NUMBERS: usize = GIVEN.members.len();
        /// Where in the array the first completion lies.
        FIRST_COMPLETION: usize = HEADER_WORDS + 2 * GIVEN_NUMBERS;
        /// Words of one completion: id, result, status, attempts.
        COMPLETION_WORDS: usize = 4;
        /// Completions that the array holds: more than one turn of the event loop settles, except at a ring's end.
        COMPLETIONS: usize = 512;
        /// How many counters there are.
        COUNTERS_TOTAL: usize = COUNTERS.members.len();
        /// Bit of a submission's flags: `IOSQE_ASYNC`.
        ASYNCHRONOUS: u32 = 1;
        /// Larger results are kept until they are released: JavaScript copies only so much in a turn of the event loop. The others
        /// must be copied before the next flush.
        KEPT_BYTES: i32 = 1 << 16;
        /// A position that means the file's own.
        CURRENT_POSITION: i32 = -1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../src/native/protocol.ts");

    fn documented(text: &mut String, indentation: &str, lines: &[&str]) {
        match lines {
            [] => {}
            [line] => writeln!(text, "{indentation}/**{line} */").unwrap(),
            _ => {
                writeln!(text, "{indentation}/**").unwrap();
                for line in lines {
                    writeln!(text, "{indentation} *{line}").unwrap();
                }
                writeln!(text, "{indentation} */").unwrap();
            }
        }
    }

    /// CamelCase, as Rust writes members, or what TypeScript writes already.
    fn constant_case(name: &str) -> String {
        if name.chars().all(|letter| !letter.is_lowercase()) {
            return name.to_owned();
        }
        let mut text = String::new();
        for (index, letter) in name.chars().enumerate() {
            if index > 0 && letter.is_uppercase() {
                text.push('_');
            }
            text.extend(letter.to_uppercase());
        }
        text
    }

    /// As TypeScript groups digits: by three, from five on.
    fn number(value: i64) -> String {
        let digits = value.unsigned_abs().to_string();
        let sign = if value < 0 { "-" } else { "" };
        if digits.len() < 5 {
            return format!("{sign}{digits}");
        }
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push('_');
            }
            text.push(digit);
        }
        format!("{sign}{text}")
    }

    fn typescript() -> String {
        let mut text = String::from(
            "/**\n * The numbers that both sides of the boundary know. Written by `UPDATE=1 cargo test -p uring-safe-cancel-node`, from\n * crates/uring-safe-cancel-node/src/protocol.rs: edit that, not this.\n */\n",
        );
        for list in [&REFUSALS, &HEADER, &GIVEN, &CODES, &STATUS, &COUNTERS] {
            text.push('\n');
            documented(&mut text, "", list.documentation);
            writeln!(text, "export const {} = {{", list.name).unwrap();
            for Member { name, documentation, value } in list.members {
                documented(&mut text, "  ", documentation);
                writeln!(text, "  {}: {},", constant_case(name), number(*value)).unwrap();
            }
            text.push_str("} as const\n");
        }
        for Member { name, documentation, value } in CONSTANTS {
            text.push('\n');
            documented(&mut text, "", documentation);
            writeln!(text, "export const {name} = {}", number(*value)).unwrap();
        }
        text
    }

    #[test]
    fn the_face_has_the_same_numbers() {
        let wanted = typescript();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(FILE, &wanted).unwrap();
        }
        let is = std::fs::read_to_string(FILE).unwrap();
        assert!(is == wanted, "{FILE} differs: UPDATE=1 cargo test -p uring-safe-cancel-node");
    }

    #[test]
    fn places_have_no_gaps_and_refusals_are_no_errnos() {
        for list in [&HEADER, &GIVEN, &COUNTERS] {
            assert!(list
                .members
                .iter()
                .map(|member| member.value)
                .eq(0..list.members.len() as i64));
        }
        assert!(REFUSALS.members.iter().all(|member| member.value < -4095));
    }
}
