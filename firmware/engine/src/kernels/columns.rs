//! Parts of kernels that multiply one weight at a time by a 16-bit input.
//!
//! Their layout is [`WeightLayout::Columns8`](model_format::WeightLayout::Columns8): an input is
//! loaded once for the eight rows of a tile, whose weights for it are eight bytes in a row.
#![allow(unsafe_code)]

use model_format::{Capabilities, Dense};

use super::Prepared;
use super::tiles::{self, Loops, Walk};

/// Writes the output of a layer, with one pair of loops for a whole input and one for entries.
///
/// # Safety
/// Those of [`Walk::new`] for both pairs of loops; entries may be none.
#[inline(always)]
pub(super) unsafe fn compute<C: Capabilities>(
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
