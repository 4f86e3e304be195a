//! The loop around a kernel that computes the rows of a tile together.
#![allow(unsafe_code)]

use core::array;
use core::mem::MaybeUninit;
use core::ops::Range;

use model_format::{Capabilities, DataType, Dense, Multiplier};

use super::Prepared;
use super::requantize::Output;

/// An inner loop: the prepared input from its start to its end, weights, sums of as many rows.
///
/// It adds the weighted sums of the rows to what the sums are.
pub(super) type Loop<Sums> = unsafe extern "C" fn(*const u32, *const u32, *const u8, *mut Sums);

/// The inner loops of a kernel, for the `R` rows of a tile and for one row.
pub(super) struct Loops<const R: usize> {
    pub(super) tile: Loop<[i32; R]>,
    pub(super) single: Loop<i32>,
}

/// The rows of a layer, as the inner loops walk over them.
pub(super) struct Walk<'a, const R: usize> {
    loops: Loops<R>,
    x: Range<*const u32>,
    row_len: usize,
    weights: &'a [u8],
}

impl<'a, const R: usize> Walk<'a, R> {
    /// # Safety
    /// The loops must read nothing but the prepared input and, where that leads them, the weights
    /// of their rows; the input must not be empty where they take one part of it for granted.
    #[inline(always)]
    pub(super) unsafe fn new(layer: &Dense<'a>, x: &Prepared<'a>, loops: Loops<R>) -> Self {
        let row_len = layer.layout.row_len(layer.inputs());
        Walk { loops, x: x.words.as_ptr_range(), row_len, weights: layer.weight_bytes() }
    }
}

/// Writes the output of a layer: tiles of `R` rows, then one row at a time. The sums start at the
/// biases plus `correction`.
///
/// # Shapes
/// `biases` has one entry an output, `output` as many bytes as the layer's outputs.
#[inline(always)]
pub(super) fn compute<const R: usize, C: Capabilities>(
    layer: &Dense<'_>,
    biases: &[[u8; 4]],
    correction: i32,
    output: &mut [u8],
    rows: Walk<'_, R>,
) {
    match layer.output.data_type {
        DataType::Int16 if C::OPS.int16 => {
            let output = output.as_chunks_mut().0;
            compute_as(layer, biases, correction, output, rows, |y| (y as i16).to_le_bytes())
        }
        _ => compute_as(layer, biases, correction, output, rows, |y| y as u8),
    }
}

#[inline(always)]
fn compute_as<const R: usize, Y>(
    layer: &Dense<'_>,
    biases: &[[u8; 4]],
    correction: i32,
    output: &mut [Y],
    rows: Walk<'_, R>,
    store: impl Fn(i32) -> Y,
) {
    let output_of = Output::of(layer);
    let biases = biases.as_ptr().cast::<i32>();
    let mantissas = layer.mantissas().as_ptr().cast::<i32>();
    let shifts = layer.shifts().as_ptr();
    let outputs = output.len().min(layer.outputs());
    let mut sums = MaybeUninit::<[i32; R]>::uninit();
    let (mut weights, mut row) = (rows.weights.as_ptr(), 0usize);
    while row < outputs {
        let is_tile = outputs.wrapping_sub(row) >= R;
        let count = if is_tile { R } else { 1 };
        // SAFETY: a parsed layer has an entry an output of each parameter, and that many rows of
        // weights; `Engine::new` has refused a file whose words are not aligned. `count` rows are
        // left, and as many sums are written before they are read. What the loops ask of their
        // input, whoever made `rows` has promised.
        unsafe {
            let biases = biases.add(row);
            let first: *mut i32 = sums.as_mut_ptr().cast();
            if is_tile && R <= 4 {
                sums.write(array::from_fn(|k| (*biases.add(k)).wrapping_add(correction)));
            } else {
                for k in 0..count {
                    *first.add(k) = (*biases.add(k)).wrapping_add(correction);
                }
            }
            if is_tile {
                (rows.loops.tile)(rows.x.start, rows.x.end, weights, sums.as_mut_ptr());
            } else {
                (rows.loops.single)(rows.x.start, rows.x.end, weights, first);
            }
            weights = weights.add(rows.row_len.wrapping_mul(count));
            let outputs = output.get_unchecked_mut(row..row.wrapping_add(count));
            let (mantissas, shifts) = (mantissas.add(row), shifts.add(row));
            quantize::<R, Y>(first, mantissas, shifts, outputs, &output_of, &store);
            row = row.wrapping_add(count);
        }
    }
}

/// Out of line, and so with registers of its own.
///
/// # Safety
/// There must be a sum, a mantissa and a shift for each output.
#[inline(never)]
unsafe fn quantize<const R: usize, Y>(
    sums: *const i32,
    mantissas: *const i32,
    shifts: *const u8,
    outputs: &mut [Y],
    output_of: &Output,
    store: &impl Fn(i32) -> Y,
) {
    let one = |(row, output): (usize, &mut Y)| {
        // SAFETY: the caller says so.
        let (sum, mantissa, shift) =
            unsafe { (*sums.add(row), *mantissas.add(row), *shifts.add(row) as i8) };
        *output = store(output_of.quantize(sum, Multiplier { mantissa, shift }));
    };
    match <&mut [Y; R]>::try_from(&mut *outputs) {
        // Where a product costs an instruction and less, a loop over four outputs is felt.
        Ok(tile) if cfg!(kernel_dsp) => tile.iter_mut().enumerate().for_each(one),
        _ => outputs.iter_mut().enumerate().for_each(one),
    }
}
