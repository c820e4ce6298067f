//! The arena by itself.

use super::pool::{FREE_BYTES, SLAB_BYTES};
use super::*;

#[test]
fn clause_3_a_piece_is_reused_only_after_its_last_holder_is_gone() {
    let arena = Arena::new(4 << 20);
    let first = arena.allocate(4096).unwrap();
    let address = first.address();
    let also_first = first.clone();
    drop(first);
    let second = arena.allocate(4096).unwrap();
    assert_ne!(second.address(), address, "the clone still holds the piece");
    drop(also_first);
    assert_eq!(arena.allocate(4096).unwrap().address(), address);
}

#[test]
fn clause_7_what_a_burst_needed_is_unmapped_when_it_comes_back() {
    for size in [4 << 10, 256 << 10, 1 << 20] {
        let arena = Arena::new(1 << 30);
        let burst: Vec<_> =
            (0..(400 << 20) / size).map(|_| arena.allocate(size).unwrap()).collect();
        assert!(arena.usage().held >= 400 << 20);
        drop(burst);
        let ArenaUse { mapped, held } = arena.usage();
        assert_eq!(held, 0);
        assert!(mapped <= FREE_BYTES + SLAB_BYTES, "{mapped} bytes of pieces of {size}");
        assert!(mapped > 0, "some is kept for the next");
    }
}

#[test]
fn clause_7_a_retired_arena_keeps_nothing_but_what_is_held() {
    let arena = Arena::new(1 << 30);
    let kept = arena.allocate(4 << 10).unwrap();
    let mut others: Vec<_> = (0..1000).map(|_| arena.allocate(4 << 10).unwrap()).collect();
    let large = arena.allocate(2 << 20).unwrap();
    drop(others.split_off(500));
    let before = arena.usage().mapped;
    arena.retire();
    assert!(arena.usage().mapped < before, "what was free");
    drop(large);
    drop(others);
    assert!(arena.usage().mapped <= 2 * SLAB_BYTES, "{:?}", arena.usage());
    drop(kept);
    assert_eq!(arena.usage(), ArenaUse::default());
}

#[test]
fn clause_7_the_limit_is_an_error_that_says_how_much_is_held() {
    let arena = Arena::new(1 << 20);
    let held = arena.allocate(512 << 10).unwrap();
    let error = arena.allocate(600 << 10).unwrap_err();
    assert!(matches!(
        error,
        ArenaError::Full { requested: 614_400, held: 524_288, limit: 1_048_576 }
    ));
    drop(held);
    arena.allocate(600 << 10).expect("idle mappings make way");
}

#[test]
fn clause_7_what_is_free_in_one_size_makes_way_for_any_other() {
    let arena = Arena::new(4 << 20);
    for length in [4 << 10, 16 << 10, 64 << 10, 256 << 10, 3 << 20, 1, 70_000] {
        let mut pieces = Vec::new();
        while let Ok(piece) = arena.allocate(length) {
            pieces.push(piece);
        }
        let usage = arena.usage();
        assert!(usage.held > 2 << 20, "{length}: only {} bytes were to be had", usage.held);
        assert!(usage.mapped <= 4 << 20);
        // Every slab keeps one: none may be unmapped under it.
        pieces.truncate(1);
        let kept = pieces.pop().unwrap();
        // SAFETY: this test alone holds the piece.
        unsafe { kept.as_mut_ptr().write_bytes(0xAA, length) };
        let other = if length > 16 << 10 { 4 << 10 } else { 64 << 10 };
        let others: Vec<_> = std::iter::from_fn(|| arena.allocate(other).ok()).collect();
        assert!(!others.is_empty(), "{length}");
        // SAFETY: as above.
        assert!(unsafe { kept.as_mut_ptr().read() } == 0xAA);
    }
    assert_eq!(arena.usage().held, 0);
}

#[test]
fn clause_7_one_size_of_a_small_arena_leaves_room_for_the_others() {
    let arena = Arena::new(1 << 20);
    let _large = arena.allocate(256 << 10).unwrap();
    let _larger = arena.allocate(300 << 10).unwrap();
    for _ in 0..4 {
        std::mem::forget(arena.allocate(64 << 10).expect("half of the arena is free"));
    }
}

#[test]
fn zeroed_memory_is_zero_also_the_second_time() {
    let arena = Arena::new(16 << 20);
    for length in [100, 5000, 3 << 20] {
        for _ in 0..2 {
            let memory = arena.allocate_zeroed(length).unwrap();
            // SAFETY: this test alone holds the piece.
            let bytes = unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr(), length) };
            assert!(bytes.iter().all(|&byte| byte == 0));
            bytes.fill(0xAA);
        }
    }
    assert_eq!(arena.usage().held, 0);
}

#[test]
fn a_hundred_thousand_small_pieces_need_no_page_each() {
    let arena = Arena::new(64 << 20);
    let pieces: Vec<_> = (0..100_000).map(|_| arena.allocate_small(16).unwrap()).collect();
    assert!(pieces.iter().all(|piece| piece.address() % 256 == 0));
    assert_eq!(arena.usage().held, 100_000 * 256);
    drop(pieces);
    assert_eq!(arena.usage().held, 0);
    arena.allocate(60 << 20).expect("their slabs make way");
}

#[cfg(asan)]
#[test]
fn clause_3_what_nobody_holds_is_forbidden() {
    use poison::is_forbidden;
    let arena = Arena::new(64 << 20);
    for length in [1, 100, 4096, 5000, 300_000, 3 << 20] {
        let memory = arena.allocate(length).unwrap();
        let (first, last) = (memory.address(), memory.address() + length - 1);
        assert!(!is_forbidden(first) && !is_forbidden(last), "{length}");
        assert!(length % 4096 == 0 || is_forbidden(last + 1), "{length}: what is beyond it");
        let other = memory.clone();
        drop(memory);
        assert!(!is_forbidden(first), "{length}: it is still held");
        drop(other);
        assert!(is_forbidden(first) && is_forbidden(last), "{length}");
    }
}

#[test]
fn every_piece_is_page_aligned() {
    let arena = Arena::new(64 << 20);
    let pieces: Vec<_> = [1, 4096, 4097, 70_000, 300_000, 2_000_000]
        .iter()
        .map(|&length| arena.allocate(length).unwrap())
        .collect();
    assert!(pieces.iter().all(|piece| piece.address() % 4096 == 0));
}

/// How many bytes of these pages are in memory.
fn resident(memory: &[Memory]) -> usize {
    memory.iter().map(|piece| resident_in(piece.address(), piece.len())).sum()
}

fn resident_in(address: usize, length: usize) -> usize {
    let page = mapping::page_bytes();
    let mut is_there = vec![0u8; length.div_ceil(page)];
    // SAFETY: the call looks at nothing but the page tables, and fills the array, which is long enough.
    let answer = unsafe { libc::mincore(address as *mut _, length, is_there.as_mut_ptr()) };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
    is_there.iter().filter(|&&byte| byte & 1 == 1).count() * page
}

/// Takes as many pieces of a size as there are, and gives back all but one of each mebibyte.
fn scattered(arena: &Arena, length: usize) -> Vec<Memory> {
    let all: Vec<_> = std::iter::from_fn(|| arena.allocate(length).ok()).collect();
    let mut seen = std::collections::HashSet::new();
    all.into_iter().filter(|memory| seen.insert(memory.address() / SLAB_BYTES)).collect()
}

#[test]
fn clause_7_pieces_that_are_kept_hold_up_no_more_than_themselves() {
    let limit = 16 << 20;
    let arena = Arena::new(limit);
    let kept = scattered(&arena, 4 << 10);
    assert!(kept.len() >= limit / SLAB_BYTES, "a piece of each slab");
    let held = arena.usage().held;
    assert!(held <= 256 << 10, "{held}");
    // Every size in turn gets all that is left, to the last piece.
    for length in [256 << 10, 64 << 10, 1 << 20, 16 << 10, 8 << 20, 4 << 10] {
        let pieces: Vec<_> = std::iter::from_fn(|| arena.allocate(length).ok()).collect();
        assert_eq!(pieces.len(), (limit - held) / length, "pieces of {length}");
    }
}

#[test]
fn clause_7_after_a_peak_of_small_pieces_large_ones_are_to_be_had() {
    let arena = Arena::new(1 << 30);
    let mut peak: Vec<_> = (0..260_000).map(|_| arena.allocate(4 << 10).unwrap()).collect();
    let mut index = 0;
    peak.retain(|_| {
        index += 1;
        index % 200 == 0
    });
    assert_eq!(arena.usage().held, 1300 * 4096);
    let large: Vec<_> = std::iter::from_fn(|| arena.allocate(8 << 20).ok()).collect();
    assert_eq!(large.len(), ((1 << 30) - 1300 * 4096) / (8 << 20));
}

#[test]
fn clause_7_pages_beside_what_is_kept_go_back_to_the_kernel() {
    let arena = Arena::new(1 << 30);
    let all: Vec<_> = (0..(256 << 20) / 4096).map(|_| arena.allocate(4096).unwrap()).collect();
    for piece in &all {
        // SAFETY: this test alone holds the piece.
        unsafe { piece.as_mut_ptr().write_bytes(0xAA, 4096) };
    }
    let places: Vec<_> = all.iter().map(Memory::address).collect();
    let kept: Vec<_> =
        all.into_iter().enumerate().filter(|(n, _)| n % 256 == 0).map(|two| two.1).collect();
    // Each slab has a piece that somebody holds, so all of the addresses are still mapped.
    let left: usize = places.iter().map(|&place| resident_in(place, 4096)).sum();
    assert!(left <= FREE_BYTES + SLAB_BYTES, "{left} bytes of 256 MiB are still there");
    assert_eq!(resident(&kept), kept.len() * 4096);
    // SAFETY: this test alone holds the pieces.
    assert!(kept.iter().all(|piece| unsafe { *piece.as_mut_ptr().add(4095) } == 0xAA));
}

#[test]
fn what_was_discarded_is_zero_and_what_was_not_is_zeroed() {
    let arena = Arena::new(4 << 20);
    for round in 0..3 {
        let all: Vec<_> = std::iter::from_fn(|| arena.allocate_zeroed(4096).ok()).collect();
        for piece in &all {
            // SAFETY: this test alone holds the piece.
            let bytes = unsafe { std::slice::from_raw_parts_mut(piece.as_mut_ptr(), 4096) };
            assert!(bytes.iter().all(|&byte| byte == 0), "round {round}");
            bytes.fill(0xAA);
        }
        let kept: Vec<_> = all.into_iter().step_by(100).collect();
        // Makes the free ones cold.
        drop(arena.allocate(3 << 20).unwrap());
        drop(kept);
    }
}
