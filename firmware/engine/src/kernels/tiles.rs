//! The loop around a kernel that computes the four rows of a tile together.
#![allow(unsafe_code)]

use core::ops::Range;

use model_format::{Capabilities, Dense};

use super::rows;

/// Rows of a tile.
const ROWS: usize = 4;

/// An inner loop: the prepared input from its start to its end, weights, sums of the rows.
///
/// It adds the weighted sums of the rows to what the sums are.
pub(super) type Loop = unsafe extern "C" fn(*const u32, *const u32, *const u8, *mut [i32; ROWS]);

/// The inner loops of a kernel, for the rows of a tile and for one row.
#[derive(Clone, Copy)]
pub(super) struct Loops {
    pub(super) tile: Loop,
    pub(super) single: rows::Loop,
}

/// Writes the output of a layer of narrow weights, whose rows may be compact: tiles, then one row at a
/// time. The sums start at the biases plus `correction`; `single` adds the weighted sum of a row.
///
/// # Safety
/// The loop must read nothing but the prepared input between these pointers and, where that leads it,
/// the weights of its rows.
#[inline(always)]
pub(super) unsafe fn compute_narrow<C: Capabilities>(
    layer: &Dense<'_>,
    input: Range<*const u32>,
    correction: i32,
    output: &mut [u8],
    tile: Loop,
    single: impl Fn(usize, &mut i32),
) {
    let layer = &layer.specialize::<C>();
    let tile_len = layer.layout.row_len(layer.inputs()).wrapping_mul(ROWS);
    let mut weights = layer.weight_bytes().as_ptr();
    let bias = |row: usize| layer.bias(row).wrapping_add(correction);
    let mut row = 0usize;
    while row.wrapping_add(ROWS) <= layer.outputs() {
        let mut sums: [i32; ROWS] = core::array::from_fn(|k| bias(row.wrapping_add(k)));
        // SAFETY: a layer has weights for each row; the caller promises the rest.
        unsafe {
            tile(input.start, input.end, weights, &mut sums);
            rows::quantize_narrow::<C>(layer, row, &sums, output);
            weights = weights.add(tile_len);
        }
        row = row.wrapping_add(ROWS);
    }
    while row < layer.outputs() {
        let mut sums = [bias(row)];
        sums.iter_mut().for_each(|sum| single(row, sum));
        // SAFETY: the row is one of the layer's.
        unsafe { rows::quantize_narrow::<C>(layer, row, &sums, output) };
        row = row.wrapping_add(1);
    }
}

/// Writes the output of a layer: tiles, then one row at a time. The sums start at the biases plus
/// `correction`.
///
/// # Shapes
/// `biases` has one entry an output, `output` as many bytes as the layer's outputs.
///
/// # Safety
/// The loops must read nothing but the prepared input and, where that leads them, the weights of
/// their rows; the input must not be empty where they take one part of it for granted.
#[cfg(any(kernel_v7m, kernel_v6m, kernel_rv32))]
#[inline(always)]
pub(super) unsafe fn compute<C: Capabilities>(
    layer: &Dense<'_>,
    x: &super::Prepared<'_>,
    biases: &[[u8; 4]],
    correction: i32,
    output: &mut [u8],
    loops: Loops,
) {
    let tile_len = layer.layout.row_len(layer.inputs()).wrapping_mul(ROWS);
    let mut weights = layer.weight_bytes().as_ptr();
    let range = x.words.as_ptr_range();
    let (tiles, _) = biases.as_chunks::<ROWS>();
    let mut row = 0usize;
    for biases in tiles {
        let mut sums = biases.map(|bias| i32::from_le_bytes(bias).wrapping_add(correction));
        // SAFETY: a layer has weights for each bias; the caller promises the rest.
        unsafe {
            (loops.tile)(range.start, range.end, weights, &mut sums);
            rows::quantize::<C>(layer, row, &sums, output);
            weights = weights.add(tile_len);
        }
        row = row.wrapping_add(ROWS);
    }
    if row == biases.len() {
        return;
    }
    let single = loops.single;
    let rest = rows::Rest { known: *layer, biases, correction, from: row, single };
    // SAFETY: the caller's promise.
    unsafe { rows::compute::<C>(layer, x, rest, output) };
}
