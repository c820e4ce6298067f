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

    #[inline]
    fn byte(self, position: usize) -> u8 {
        self.0[position % 8] ^ (position / 8) as u8
    }

    /// Fills bytes that begin at `position` of the operation.
    #[inline]
    pub fn fill(self, position: usize, bytes: &mut [u8]) {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = self.byte(position + index);
        }
    }

    /// Where bytes that begin at `position` of the operation are not this pattern's.
    #[inline]
    pub fn mismatch(self, position: usize, bytes: &[u8]) -> Option<usize> {
        bytes
            .iter()
            .enumerate()
            .position(|(index, &byte)| byte != self.byte(position + index))
            .map(|index| position + index)
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
        bytes[50] ^= 1;
        assert_eq!(Pattern::of(7).mismatch(3, &bytes), Some(53));
    }
}
