//! Rows that are computed one at a time, and the requantization of any rows' sums.
#![allow(unsafe_code)]

use model_format::{Capabilities, DataType, Dense, Multiplier};

use super::Prepared;
use super::requantize::Output;

/// The inner loop for a row: the prepared input from its start to its end, weights, the sum, to
/// which it adds the weighted sum of the row.
pub(super) type Loop = unsafe extern "C" fn(*const u32, *const u32, *const u8, *mut i32);

/// Rows of a layer that are computed one at a time.
#[derive(Clone, Copy)]
pub(super) struct Rest<'l> {
    /// The layer, of which the compiler knows the layout.
    pub(super) known: Dense<'l>,
    pub(super) biases: &'l [[u8; 4]],
    /// Added to the biases.
    pub(super) correction: i32,
    /// The first of the rows.
    pub(super) from: usize,
    pub(super) single: Loop,
}

/// Writes the outputs of the rest of a layer's rows, whose weights lie row by row.
///
/// # Safety
/// The loop must read nothing but the prepared input and, where that leads it, the weights of its
/// row; the input must not be empty where the loop takes one part of it for granted.
#[inline(always)]
pub(super) unsafe fn compute<C: Capabilities>(
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    rest: Rest<'_>,
    output: &mut [u8],
) {
    let Rest { known, biases, correction, from, single } = rest;
    let row_len = known.layout.row_len(known.inputs());
    let weights = known.weight_bytes().as_ptr();
    let x = x.words.as_ptr_range();
    let mut row = from;
    while let Some(bias) = biases.get(row) {
        let mut sums = [i32::from_le_bytes(*bias).wrapping_add(correction)];
        // SAFETY: a layer has a row of weights for each bias; the caller promises the rest.
        unsafe {
            single(x.start, x.end, weights.add(row.wrapping_mul(row_len)), sums.as_mut_ptr());
            quantize::<C>(layer, row, &sums, output);
        }
        row = row.wrapping_add(1);
    }
}

/// Writes the outputs of rows of narrow weights from `first` on, from their sums: of compact ones, or of
/// others.
///
/// # Safety
/// As that of [`quantize`].
#[inline(always)]
pub(super) unsafe fn quantize_narrow<C: Capabilities>(
    layer: &Dense<'_>,
    first: usize,
    sums: &[i32],
    output: &mut [u8],
) {
    match C::OPS.compact && layer.is_compact {
        true => quantize_compact(layer, first, sums, output),
        // SAFETY: the caller's promise.
        false => unsafe { quantize::<C>(layer, first, sums, output) },
    }
}

/// Writes the outputs of compact rows from `first` on, from their sums.
// Out of line, as that of other rows is.
#[inline(never)]
fn quantize_compact(layer: &Dense<'_>, first: usize, sums: &[i32], output: &mut [u8]) {
    let output_of = Output::of(layer);
    for (row, sum) in (first..).zip(sums) {
        let value = output_of.quantize(*sum, layer.multiplier(row));
        match layer.output.data_type {
            DataType::Int8 => {
                if let Some(y) = output.get_mut(row) {
                    *y = value as u8;
                }
            }
            DataType::Int16 => {
                if let Some(y) = output.as_chunks_mut().0.get_mut(row) {
                    *y = (value as i16).to_le_bytes();
                }
            }
        }
    }
}

/// Writes the outputs of rows from `first` on, from their sums.
///
/// # Safety
/// The rows must be rows of the layer, which are not compact, and `output` must have its bytes.
// Out of line, and so with registers of its own.
#[inline(never)]
pub(super) unsafe fn quantize<C: Capabilities>(
    layer: &Dense<'_>,
    first: usize,
    sums: &[i32],
    output: &mut [u8],
) {
    let output_of = Output::of(layer);
    let mut wide = *layer;
    // The caller says so.
    wide.is_compact = false;
    let mantissas = wide.mantissas().as_ptr().cast::<i32>();
    let shifts = wide.shifts().as_ptr().cast::<i8>();
    let output = output.as_mut_ptr();
    let is_int16 = C::OPS.int16 && layer.output.data_type == DataType::Int16;
    for (row, sum) in (first..).zip(sums) {
        // SAFETY: a layer has an entry of each parameter, whose words are aligned, and an output for
        // each row, of which this is one; the alignment of outputs is that of bytes.
        unsafe {
            let (mantissa, shift) = (*mantissas.add(row), *shifts.add(row));
            let value = output_of.quantize(*sum, Multiplier { mantissa, shift });
            match is_int16 {
                true => output.cast::<[u8; 2]>().add(row).write((value as i16).to_le_bytes()),
                false => output.add(row).write(value as u8),
            }
        }
    }
}
