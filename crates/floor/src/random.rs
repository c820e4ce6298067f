//! The offsets' random numbers: xorshift of 32 bits, the same in every variant, as it costs the same.

/// A generator.
#[derive(Debug)]
pub struct Random(u32);

impl Random {
    /// From any seed but zero.
    pub fn new(seed: u32) -> Self {
        Self(seed.max(1))
    }

    /// A number below `bound`.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % bound
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_numbers_are_those_of_the_other_variants() {
        // The same numbers are in __test__/bench.test.ts.
        let mut random = Random::new(1);
        let numbers: Vec<u32> = (0..5).map(|_| random.below(65_536)).collect();
        assert_eq!(numbers, [8225, 1537, 43205, 39247, 6097]);
    }
}
