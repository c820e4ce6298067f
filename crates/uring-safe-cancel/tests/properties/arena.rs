//! The arena against a model: who has which bytes, and how much that is.

use proptest::prelude::*;
use uring_safe_cancel::{Arena, ArenaError, Memory};

/// What a piece takes, as DESIGN.md has it.
fn size_of_piece(length: usize, small: bool) -> usize {
    let classes = [256, 4 << 10, 16 << 10, 64 << 10, 256 << 10];
    let mut fitting = classes.into_iter().skip(usize::from(!small)).filter(|&size| length <= size);
    fitting.next().unwrap_or_else(|| length.checked_next_multiple_of(4096).unwrap_or(usize::MAX))
}

#[derive(Clone, Debug)]
enum Step {
    Allocate { length: usize, how: u8 },
    Clone(prop::sample::Index),
    Slice(prop::sample::Index, usize, usize),
    Drop(prop::sample::Index),
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..600usize,
        2 => prop::sample::select(vec![256, 257, 4096, 4097, 16384, 65536, 65537, 262_144]),
        2 => 0..300_000usize,
        1 => 262_145..2_000_000usize,
        1 => prop::sample::select(vec![usize::MAX, usize::MAX - 4095, 1 << 47]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (length(), 0..3u8).prop_map(|(length, how)| Step::Allocate { length, how }),
        1 => index().prop_map(Step::Clone),
        1 => (index(), 0..3000usize, 0..3000usize).prop_map(|(i, from, n)| Step::Slice(i, from, n)),
        4 => index().prop_map(Step::Drop),
    ]
}

/// One piece, and what is written in it.
struct Piece {
    size: usize,
    fill: u8,
    address: usize,
    holders: Vec<Memory>,
}

fn check(piece: &Piece) -> bool {
    piece.holders.iter().all(|memory| {
        // SAFETY: the test alone has the piece.
        let bytes = unsafe { std::slice::from_raw_parts(memory.as_mut_ptr(), memory.len()) };
        // The whole of a large piece would take long to look at.
        let ends = bytes.iter().take(5000).chain(bytes.iter().rev().take(100));
        let is_whole = ends.copied().all(|byte| byte == piece.fill);
        let is_within = memory.address() >= piece.address
            && memory.address() + memory.len() <= piece.address + piece.size;
        is_whole && is_within && memory.is_unique() == (piece.holders.len() == 1)
    })
}

proptest! {
    #![proptest_config(crate::config(200))]

    #[test]
    fn clause_3_memory_no_two_pieces_share_a_byte_and_all_are_accounted_for(
        limit in prop_oneof![0..10_000usize, 10_000..4_000_000usize, Just(usize::MAX)],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let arena = Arena::new(limit);
        let mut pieces: Vec<Piece> = Vec::new();
        let mut fill = 0u8;
        for step in steps {
            match step {
                Step::Allocate { length, how } => {
                    let held = arena.usage().held;
                    let allocated = match how {
                        0 => arena.allocate(length),
                        1 => arena.allocate_small(length),
                        _ => arena.allocate_zeroed(length),
                    };
                    match allocated {
                        Ok(memory) => {
                            let size = size_of_piece(length, how == 1);
                            prop_assert_eq!(memory.len(), length);
                            prop_assert_eq!(memory.is_empty(), length == 0);
                            prop_assert_eq!(arena.usage().held, held + size);
                            let alignment = if how == 1 { 256 } else { 4096 };
                            prop_assert_eq!(memory.address() % alignment, 0);
                            if how == 2 {
                                // SAFETY: the test alone has the piece.
                                let bytes = unsafe {
                                    std::slice::from_raw_parts(memory.as_mut_ptr(), length)
                                };
                                prop_assert!(bytes.iter().all(|&byte| byte == 0));
                            }
                            fill = fill.wrapping_add(1);
                            // SAFETY: as above.
                            unsafe { memory.as_mut_ptr().write_bytes(fill, length) };
                            let address = memory.address();
                            pieces.push(Piece { size, fill, address, holders: vec![memory] });
                        }
                        Err(ArenaError::Full { requested, held: at, limit: of }) => {
                            prop_assert_eq!((at, of), (held, limit));
                            // Room for a size serves it, whatever was held before, and wherever what is held lies.
                            let needed = held.saturating_add(size_of_piece(length, how == 1));
                            // No limit is so high that the size of the mapping overflows.
                            let is_limited = needed > limit || length > usize::MAX - 4096;
                            prop_assert!(requested >= length.min(256) && is_limited,
                                "{} bytes beside {} of {}", length, held, limit);
                            prop_assert_eq!(arena.usage().held, held);
                        }
                        Err(ArenaError::Map(error)) => {
                            prop_assert!(length >= 1 << 47, "{}", error);
                            prop_assert_eq!(arena.usage().held, held);
                        }
                    }
                }
                Step::Clone(index) if !pieces.is_empty() => {
                    let piece = index.get(&pieces).holders[0].clone();
                    let index = index.index(pieces.len());
                    pieces[index].holders.push(piece);
                }
                Step::Slice(index, from, length) if !pieces.is_empty() => {
                    let index = index.index(pieces.len());
                    let whole = &pieces[index].holders[0];
                    let slice = whole.slice(from, length);
                    prop_assert_eq!(slice.is_some(), from + length <= whole.len());
                    pieces[index].holders.extend(slice);
                }
                Step::Drop(index) if !pieces.is_empty() => {
                    let index = index.index(pieces.len());
                    prop_assert!(check(&pieces[index]), "overwritten");
                    pieces[index].holders.remove(0);
                    if pieces[index].holders.is_empty() {
                        pieces.swap_remove(index);
                    }
                }
                _ => {}
            }
            let usage = arena.usage();
            let held: usize = pieces.iter().map(|piece| piece.size).sum();
            prop_assert_eq!(usage.held, held);
            prop_assert!(usage.held <= usage.mapped && usage.mapped <= limit);
        }
        let mut ranges: Vec<_> =
            pieces.iter().map(|piece| (piece.address, piece.address + piece.size)).collect();
        ranges.sort_unstable();
        prop_assert!(ranges.windows(2).all(|two| two[0].1 <= two[1].0), "two pieces overlap");
        prop_assert!(pieces.iter().all(check), "overwritten");
        drop(pieces);
        prop_assert_eq!(arena.usage().held, 0);
        // Nobody uses it: there is room for one piece of all its size, if that is not cut from a slab.
        if (300 << 10..1 << 30).contains(&limit) {
            let whole = arena.allocate(limit / 4096 * 4096);
            prop_assert!(whole.is_ok(), "{:?}", arena.usage());
        }
    }
}
