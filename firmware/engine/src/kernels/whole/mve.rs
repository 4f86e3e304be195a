//! Layers of any number of inputs on cores with Helium, by the loops of `mve`.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;

use model_format::{LayerWords, padded};

use crate::kernels::mve::folded::{Rows, thimble_mve_copy, thimble_mve_rows};
use crate::kernels::mve::requantize::{Requantize, thimble_mve_requantize_right};
use crate::kernels::requantize::Output;

/// Rows whose sums there is always room for: whole tiles of six, and fours.
const CHUNK: usize = 24;

/// Runs a layer on `input`, with its sums behind the prepared input, if there is more room than on the
/// stack.
///
/// # Safety
/// The words must be those of a layer with folded biases, int8 values and outputs that are all shifted to
/// the right; the payload must be that of its model; input, prepared input and outputs must be valid for
/// the layer, and prepared input and outputs not overlap.
#[inline(always)]
pub(super) unsafe fn run(
    words: &LayerWords,
    input: *const u8,
    payload: *const u8,
    prepared: &mut [u32],
    output: *mut u8,
) {
    let [_, widths, clamp, zero_points, start, len, ..] = *words;
    let (inputs, outputs) = (widths as u16 as usize, (widths >> 16) as usize);
    let row_len = padded(inputs);
    let mut stack = [const { MaybeUninit::<i32>::uninit() }; CHUNK];
    let x = prepared.as_mut_ptr();
    let spare = prepared.len().wrapping_sub(row_len / 4);
    let (sums, chunk): (*mut i32, usize) = match spare > CHUNK {
        true => (x.wrapping_add(row_len / 4).cast(), spare.wrapping_sub(spare % 12)),
        false => (stack.as_mut_ptr().cast(), CHUNK),
    };
    // Biases, folded biases, mantissas, weights; shifts at the end.
    let words_of = |array: usize| outputs.wrapping_mul(4).wrapping_mul(array);
    let start = payload.wrapping_add(start as usize);
    let mut rows = Rows {
        biases: start.wrapping_add(words_of(1)).cast(),
        weights: start.wrapping_add(words_of(3)),
        x: x.cast(),
        inputs_by_64: inputs / 64,
        row_len,
        sums,
        rows: 0,
        inputs_left: inputs % 64,
    };
    let mut outputs_of = Requantize {
        sums,
        mantissas: start.wrapping_add(words_of(2)),
        shifts: start.wrapping_add(len as usize).wrapping_sub(outputs),
        outputs: output,
        rows: 0,
        output_of: Output::from_words(clamp, zero_points),
    };
    // SAFETY: the caller's promise.
    unsafe { thimble_mve_copy(input, x.cast(), inputs) };
    let mut left = outputs;
    loop {
        let count = left.min(chunk);
        (rows.rows, outputs_of.rows) = (count, count);
        // SAFETY: a layer has an entry an output of each parameter and rows of `row_len` bytes, of which
        // `left` are left; as many sums are written as are read.
        unsafe {
            thimble_mve_rows(&rows);
            thimble_mve_requantize_right(&outputs_of);
        }
        left = left.wrapping_sub(count);
        if left == 0 {
            return;
        }
        rows.biases = rows.biases.wrapping_add(count);
        rows.weights = rows.weights.wrapping_add(count.wrapping_mul(row_len));
        outputs_of.mantissas = outputs_of.mantissas.wrapping_add(count.wrapping_mul(4));
        outputs_of.shifts = outputs_of.shifts.wrapping_add(count);
        outputs_of.outputs = outputs_of.outputs.wrapping_add(count);
    }
}
