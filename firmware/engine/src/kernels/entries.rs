//! Activations, made ready for kernels that visit the blocks that are not zero by their offsets.

use core::mem;

use model_format::{Capabilities, Dense, padded};

use super::{Prepared, Values, Workspace, widen};

/// Words of an entry: its offset in a row's bytes, and its four inputs in 16 bits.
pub(super) const ENTRY: usize = 3;

/// Makes x − zero point in 16 bits; or, where at most two thirds of the blocks are not the zero
/// point, entries of those alone.
#[inline(never)]
pub(super) fn prepare<'s, C: Capabilities>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let x = x.specialize::<C>();
    let blocks = padded(layer.inputs()) / 4;
    let words = workspace.words.get_mut(..blocks.wrapping_mul(2)).unwrap_or_default();
    let halves: &mut [i16] = bytemuck::must_cast_slice_mut(words);
    let nonzero = widen::all(layer, x, halves.as_chunks_mut().0);
    if nonzero.wrapping_mul(ENTRY) > blocks.wrapping_mul(2) {
        return Prepared { words, list: None, correction: 0 };
    }
    let mut left: &mut [i16] = bytemuck::must_cast_slice_mut(words);
    x.widened_nonzero(layer, |number, [a, b, c, d]| {
        // Not chunks, which the core would have to divide by three to count.
        if let Some((entry, rest)) = mem::take(&mut left).split_first_chunk_mut() {
            // An offset is below 2^13; its upper half is 0.
            *entry = [(number as i16).wrapping_mul(4), 0, a, b, c, d];
            left = rest;
        }
    });
    let words = words.get(..nonzero.wrapping_mul(ENTRY)).unwrap_or_default();
    Prepared { words, list: Some(&[]), correction: 0 }
}
