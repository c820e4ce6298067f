//! Bytes that tell whose they are, and where in an operation they belong.

/// The pattern of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern([u8; 8]);

/// What a read's memory holds before the kernel writes it.
pub const UNTOUCHED: u8 = 0xA5;

impl Pattern {
    /// The pattern of an identity.
    pub fn of(identity: u64) -> Self {
        // The finalizer of SplitMix64: neighbours get patterns that share nothing.
        let mut bits = identity.wrapping_add(0x9E37_79B9_7F4A_7C15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((bits ^ (bits >> 31)).to_le_bytes())
    }

    fn byte(self, position: usize) -> u8 {
        self.0[position % 8] ^ (position / 8) as u8
    }

    /// The eight bytes from `position`, turned so that the word of any later position is this one, but for
    /// the count of words.
    fn words(self, position: usize) -> impl Fn(usize) -> [u8; 8] {
        const EACH_BYTE: u64 = 0x0101_0101_0101_0101;
        let (turn, first) = (position % 8, position / 8);
        // Positions that are not whole words lie across two of them.
        let low = u64::MAX.checked_shr(8 * turn as u32).unwrap_or(0);
        let base = u64::from_le_bytes(self.0).rotate_right(8 * turn as u32);
        move |word| {
            let here = u64::from((first + word) as u8) * EACH_BYTE;
            let next = u64::from((first + word + 1) as u8) * EACH_BYTE;
            (base ^ (here & low | next & !low)).to_le_bytes()
        }
    }

    /// Fills bytes that begin at `position` of the operation.
    pub fn fill(self, position: usize, bytes: &mut [u8]) {
        let word = self.words(position);
        let (chunks, rest) = bytes.as_chunks_mut::<8>();
        chunks.iter_mut().enumerate().for_each(|(index, chunk)| *chunk = word(index));
        rest.copy_from_slice(&word(chunks.len())[..rest.len()]);
    }

    /// Where bytes that begin at `position` of the operation are not this pattern's.
    pub fn mismatch(self, position: usize, bytes: &[u8]) -> Option<usize> {
        let word = self.words(position);
        let (chunks, _) = bytes.as_chunks::<8>();
        let mut whole = chunks.iter().enumerate();
        let wrong = whole.position(|(index, chunk)| *chunk != word(index));
        let rest = bytes.iter().enumerate().skip(wrong.unwrap_or(chunks.len()) * 8);
        let mut indices = rest.filter(|&(index, &byte)| byte != self.byte(position + index));
        indices.next().map(|(index, _)| position + index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_knows_its_bytes_and_no_others() {
        let mut bytes = [0; 100];
        Pattern::of(7).fill(3, &mut bytes);
        assert_eq!(Pattern::of(7).mismatch(3, &bytes), None);
        assert_eq!(Pattern::of(7).mismatch(4, &bytes), Some(4));
        assert!(Pattern::of(8).mismatch(3, &bytes).is_some());
        for start in 0..17 {
            let mut slowly = [0; 40];
            let each = slowly.iter_mut().enumerate();
            each.for_each(|(index, byte)| *byte = Pattern::of(7).byte(start + index));
            assert_eq!(Pattern::of(7).mismatch(start, &slowly), None);
        }
        bytes[50] ^= 1;
        assert_eq!(Pattern::of(7).mismatch(3, &bytes), Some(53));
    }
}
