//! The input of kernels that multiply one weight at a time by a 16-bit input.
//!
//! Their layout is [`WeightLayout::Columns8`](model_format::WeightLayout::Columns8): an input is
//! loaded once for the eight rows of a tile, whose weights for it are eight bytes in a row.
#![allow(unsafe_code)]

use model_format::{Dense, padded};

use super::tiles::{self, Loops, Walk};
use super::{Prepared, Values, Workspace};

/// Words of a listed block: its offset in a row's bytes, and its four inputs in 16 bits.
const ENTRY: usize = 3;

/// Makes x − zero point in 16 bits; or, where at most two thirds of the blocks are not the zero
/// point, entries of those alone.
#[inline(never)]
pub(super) fn prepare<'s>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let zero_point = layer.input.zero_point as i16;
    let blocks = padded(layer.inputs()) / 4;
    let words = workspace.words.get_mut(..blocks.wrapping_mul(2)).unwrap_or_default();
    let in_last = layer.inputs() % 4;
    let last = layer.inputs() / 4;
    // Behind the last input there are zeros.
    let widen = |number: usize, block: [i16; 4]| {
        let mut wide = block.map(|x| u32::from(x.wrapping_sub(zero_point) as u16));
        if number == last {
            for x in wide.iter_mut().skip(in_last) {
                *x = 0;
            }
        }
        let [a, b, c, d] = wide;
        [a | b << 16, c | d << 16]
    };
    let mut nonzero = 0usize;
    let zero = [zero_point; 4];
    x.blocks(|number, block| {
        // Of the last block, what fills it up is not looked at: it counts.
        nonzero = nonzero.wrapping_add(usize::from(block != zero || number == last));
    });
    if nonzero.wrapping_mul(ENTRY) > blocks.wrapping_mul(2) {
        let mut places = words.as_chunks_mut::<2>().0.iter_mut();
        x.blocks(|number, block| {
            if let Some(place) = places.next() {
                *place = widen(number, block);
            }
        });
        return Prepared { words, list: None };
    }
    let mut entries = words.as_chunks_mut::<ENTRY>().0.iter_mut();
    x.blocks(|number, block| {
        if (block != zero || number == last)
            && let Some(entry) = entries.next()
        {
            let [low, high] = widen(number, block);
            *entry = [(number as u32).wrapping_mul(4), low, high];
        }
    });
    let words = words.get(..nonzero.wrapping_mul(ENTRY)).unwrap_or_default();
    Prepared { words, list: Some(&[]) }
}

/// Writes the output of a layer, with one pair of loops for a whole input and one for entries.
///
/// # Safety
/// What [`Walk::new`] asks of the loops; entries may be none.
#[inline(always)]
pub(super) unsafe fn compute(
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [u8],
    whole: Loops<8>,
    listed: Loops<8>,
) {
    let loops = if x.list.is_some() { listed } else { whole };
    // SAFETY: the caller's promise.
    let walk = unsafe { Walk::new(layer, x, loops) };
    tiles::compute(layer, layer.biases(), output, walk);
}
