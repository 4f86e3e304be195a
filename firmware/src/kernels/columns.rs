//! The input of kernels that multiply one weight at a time by a 16-bit input.
//!
//! Their layout is [`WeightLayout::Columns8`](model_format::WeightLayout::Columns8): an input is
//! loaded once for the eight rows of a tile, whose weights for it are eight bytes in a row.
#![allow(unsafe_code)]

use model_format::{Dense, padded};

use crate::operators::Choice;

use super::tiles::{self, Loops, Walk};
use super::{Prepared, Values, Workspace, widen};

/// Words of a listed block: its offset in a row's bytes, and its four inputs in 16 bits.
const ENTRY: usize = 3;

/// Makes x − zero point in 16 bits; or, where at most two thirds of the blocks are not the zero
/// point, entries of those alone.
#[inline(never)]
pub(super) fn prepare<'s, C: Choice>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let x = x.known::<C>();
    let blocks = padded(layer.inputs()) / 4;
    let words = workspace.words.get_mut(..blocks.wrapping_mul(2)).unwrap_or_default();
    let halves: &mut [i16] = bytemuck::must_cast_slice_mut(words);
    let nonzero = widen::all(layer, x, halves.as_chunks_mut().0);
    if nonzero.wrapping_mul(ENTRY) > blocks.wrapping_mul(2) {
        return Prepared { words, list: None };
    }
    let words = words.get_mut(..nonzero.wrapping_mul(ENTRY)).unwrap_or_default();
    let halves: &mut [i16] = bytemuck::must_cast_slice_mut(words);
    let mut entries = halves.as_chunks_mut().0.iter_mut();
    x.widened_nonzero(layer, |number, [a, b, c, d]| {
        if let Some(entry) = entries.next() {
            // An offset is below 2^13; its upper half is 0.
            *entry = [(number as i16).wrapping_mul(4), 0, a, b, c, d];
        }
    });
    Prepared { words, list: Some(&[]) }
}

/// Writes the output of a layer, with one pair of loops for a whole input and one for entries.
///
/// # Safety
/// What [`Walk::new`] asks of the loops; entries may be none.
#[inline(always)]
pub(super) unsafe fn compute<C: Choice>(
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [u8],
    whole: Loops<8>,
    listed: Loops<8>,
) {
    let loops = if x.list.is_some() { listed } else { whole };
    // SAFETY: the caller's promise.
    let walk = unsafe { Walk::new(layer, x, loops) };
    tiles::compute::<_, C>(layer, layer.biases(), 0, output, walk);
}
