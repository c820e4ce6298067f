//! The memory that calls read from and write to, and how it is written in a line.

/// What O_DIRECT wants, on every device that has pages of this size or smaller blocks.
const ALIGNMENT: usize = 4096;

/// Up to so many bytes are named one by one; of more there is the number and a sum.
const NAMED_BYTES: usize = 64;

/// Bytes that begin at a page.
pub struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    pub fn of(content: &[u8]) -> Self {
        let mut it = Self::zeroed(content.len());
        it.as_mut().copy_from_slice(content);
        it
    }

    pub fn zeroed(length: usize) -> Self {
        let bytes = vec![0; length + ALIGNMENT];
        let start = bytes.as_ptr().align_offset(ALIGNMENT);
        Self { bytes, start, length }
    }

    pub fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.length]
    }

    pub fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length]
    }
}

/// The bytes that a test writes: each can be told from its neighbours, and from those of another seed.
pub fn pattern(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|index| b'A' + ((usize::from(seed) + index + index / 26) % 26) as u8).collect()
}

pub fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
    let digits = digits.ok_or_else(|| format!("not hexadecimal: {text}"))?;
    Ok(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

/// `-` for none, so that it is a word.
pub fn to_hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".into();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Few bytes as they are; of many the first, their number, and FNV-1a of all.
pub fn describe(bytes: &[u8]) -> String {
    if bytes.len() <= NAMED_BYTES {
        return to_hex(bytes);
    }
    let sum = bytes
        .iter()
        .fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    format!("{}..{}:{sum:08x}", to_hex(&bytes[..8]), bytes.len())
}
