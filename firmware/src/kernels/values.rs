//! The values of a layer's input, block by block.

#[cfg(any(kernel_v7m, kernel_rv32))]
use model_format::Choice;
use model_format::{Dense, Precision};

/// The values of a layer's input.
#[derive(Clone, Copy)]
pub(crate) struct Values<'x> {
    /// int8, or int16 in little-endian.
    pub(crate) bytes: &'x [u8],
    pub(crate) precision: Precision,
}

impl Values<'_> {
    /// The same values; the compiler sees their precision where `C` leaves but one.
    #[cfg(any(kernel_v7m, kernel_rv32))]
    #[inline(always)]
    pub(super) fn known<C: Choice>(mut self) -> Self {
        if !C::OPERATORS.int16 {
            self.precision = Precision::Int8;
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

    /// Number of blocks that are not all zero.
    #[cfg(kernel_dsp)]
    #[inline(always)]
    pub(super) fn count_nonzero(self, layer: &Dense<'_>) -> usize {
        let mut count = 0usize;
        self.widened_nonzero(layer, |_, _| count = count.wrapping_add(1));
        count
    }

    #[inline(always)]
    fn blocks<const NONZERO: bool>(self, zero_point: i16, mut each: impl FnMut(usize, [i16; 4])) {
        match self.precision {
            Precision::Int8 => {
                let filler = zero_point as u8;
                each_block(self.bytes, filler, |number, block: [u8; 4]| {
                    // Four bytes are compared as one word.
                    if !NONZERO || block != [filler; 4] {
                        each(number, block.map(|x| i16::from(x as i8).wrapping_sub(zero_point)));
                    }
                });
            }
            Precision::Int16 => each_block(self.bytes, 0, |number, block: [u8; 8]| {
                if !NONZERO || block != [0; 8] {
                    let [a, b, c, d, e, f, g, h] = block;
                    each(number, [[a, b], [c, d], [e, f], [g, h]].map(i16::from_le_bytes));
                }
            }),
        }
    }
}

/// Blocks of bytes with their numbers; the last is filled up.
#[inline(always)]
fn each_block<const N: usize>(bytes: &[u8], filler: u8, mut each: impl FnMut(usize, [u8; N])) {
    let (blocks, rest) = bytes.as_chunks();
    let mut number = 0usize;
    // One loop for all: what is done with a block is much code, and would be there twice.
    while number < bytes.len().div_ceil(N) {
        let block = blocks.get(number).copied().unwrap_or_else(|| fill(rest, filler));
        each(number, block);
        number = number.wrapping_add(1);
    }
}

/// The first bytes of an array, the rest filled up.
pub(super) fn fill<const N: usize>(bytes: &[u8], with: u8) -> [u8; N] {
    // Not a loop over both, which the compiler turns into a call that copies any number of bytes.
    core::array::from_fn(|k| bytes.get(k).copied().unwrap_or(with))
}
