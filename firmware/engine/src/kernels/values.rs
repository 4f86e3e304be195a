//! The values of a layer's input, block by block.

#[cfg(kernel_dsp)]
use model_format::Capabilities;
use model_format::{DataType, Dense};

/// The values of a layer's input.
#[derive(Clone, Copy)]
pub(crate) struct Values<'x> {
    /// int8, or int16 in little-endian.
    pub(crate) bytes: &'x [u8],
    pub(crate) data_type: DataType,
}

impl Values<'_> {
    /// The same values; the compiler sees their data_type where `C` leaves but one.
    #[cfg(kernel_dsp)]
    #[inline(always)]
    pub(super) fn specialize<C: Capabilities>(mut self) -> Self {
        if !C::OPS.int16 {
            self.data_type = DataType::Int8;
        }
        self
    }

    /// The four values of each block, less the zero point of the layer's input; what fills the
    /// last block up is 0.
    #[inline(always)]
    pub(super) fn widened(self, layer: &Dense<'_>, mut each: impl FnMut([i16; 4])) {
        self.blocks::<false>(layer.input.zero_point as i16, |_, block| each(block));
    }

    /// Those of the blocks that are not all zero, with their numbers.
    #[inline(always)]
    pub(super) fn widened_nonzero(self, layer: &Dense<'_>, each: impl FnMut(usize, [i16; 4])) {
        self.blocks::<true>(layer.input.zero_point as i16, each);
    }

    #[inline(always)]
    fn blocks<const NONZERO: bool>(self, zero_point: i16, mut each: impl FnMut(usize, [i16; 4])) {
        match self.data_type {
            DataType::Int8 => {
                let filler = zero_point as u8;
                let zero = u32::from_le_bytes([filler; 4]);
                each_block(self.bytes, filler, u32::from_le_bytes, |number, block| {
                    if !NONZERO || block != zero {
                        let widen = |x| i16::from(x as i8).wrapping_sub(zero_point);
                        each(number, block.to_le_bytes().map(widen));
                    }
                });
            }
            DataType::Int16 => each_block(self.bytes, 0, u64::from_le_bytes, |number, block| {
                if !NONZERO || block != 0 {
                    let half = |k: u32| (block >> k) as i16;
                    each(number, [half(0), half(16), half(32), half(48)]);
                }
            }),
        }
    }
}

/// Blocks of bytes with their numbers, as words; the last is filled up.
#[inline(always)]
fn each_block<const N: usize, T>(
    bytes: &[u8],
    filler: u8,
    word: impl Fn([u8; N]) -> T,
    mut each: impl FnMut(usize, T),
) {
    let (blocks, rest) = bytes.as_chunks();
    let mut number = 0usize;
    // One loop for all: what is done with a block is much code, and would be there twice.
    while number < bytes.len().div_ceil(N) {
        // As a word from either, or the compiler would take each block to bytes and put it together.
        let block = match blocks.get(number) {
            Some(block) => word(*block),
            None => word(fill(rest, filler)),
        };
        each(number, block);
        number = number.wrapping_add(1);
    }
}

/// The first bytes of an array, the rest filled up.
pub(super) fn fill<const N: usize>(bytes: &[u8], with: u8) -> [u8; N] {
    // Not a loop over both, which the compiler turns into a call that copies any number of bytes.
    core::array::from_fn(|k| bytes.get(k).copied().unwrap_or(with))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_is_seen_once_and_the_last_is_filled_up() {
        let blocks = |bytes: &[u8]| {
            let mut seen = vec![];
            each_block(bytes, 9, u32::from_be_bytes, |number, block| seen.push((number, block)));
            seen
        };
        assert_eq!(blocks(&[]), []);
        assert_eq!(blocks(&[1, 2, 3, 4]), [(0, 0x0102_0304)]);
        assert_eq!(blocks(&[1, 2, 3, 4, 5]), [(0, 0x0102_0304), (1, 0x0509_0909)]);
    }
}
