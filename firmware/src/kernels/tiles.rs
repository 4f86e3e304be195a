//! The loop around a kernel that computes the rows of a tile together.
#![allow(unsafe_code)]

use core::array;

use model_format::{Dense, Multiplier, Precision};

use crate::operators::Choice;

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
    x: &'a [u32],
    row_len: usize,
    weights: &'a [u8],
}

impl<'a, const R: usize> Walk<'a, R> {
    /// # Safety
    /// The loops must read nothing but the prepared input and, where that leads them, the weights
    /// of their rows; the input must not be empty where they take one part of it for granted.
    pub(super) unsafe fn new(layer: &Dense<'a>, x: &Prepared<'a>, loops: Loops<R>) -> Self {
        let row_len = layer.layout.row_len(layer.inputs());
        Walk { loops, x: x.words, row_len, weights: layer.weight_bytes() }
    }

    /// The weights of so many rows; the next call gets those that follow.
    #[inline(always)]
    fn take(&mut self, rows: usize) -> Option<&'a [u8]> {
        let len = self.row_len.wrapping_mul(rows);
        let (taken, rest) = self.weights.split_at_checked(len)?;
        self.weights = rest;
        Some(taken)
    }

    #[inline(always)]
    fn tile(&mut self, sums: &mut [i32; R]) {
        let Some(weights) = self.take(R) else { return };
        let x = self.x.as_ptr_range();
        // SAFETY: whoever made this has promised so for weights of R rows, which these are.
        unsafe { (self.loops.tile)(x.start, x.end, weights.as_ptr(), sums) }
    }

    #[inline(always)]
    fn single(&mut self, sum: &mut i32) {
        let Some(weights) = self.take(1) else { return };
        let x = self.x.as_ptr_range();
        // SAFETY: as above, for one row.
        unsafe { (self.loops.single)(x.start, x.end, weights.as_ptr(), sum) }
    }
}

/// Writes the output of a layer: tiles of `R` rows, then one row at a time. The sums start at the
/// biases plus `correction`.
///
/// # Shapes
/// `biases` has one entry an output, `output` as many bytes as the layer's outputs.
#[inline(always)]
pub(super) fn compute<const R: usize, C: Choice>(
    layer: &Dense<'_>,
    biases: &[[u8; 4]],
    correction: i32,
    output: &mut [u8],
    rows: Walk<'_, R>,
) {
    match layer.output.precision {
        Precision::Int8 => compute_as(layer, biases, correction, output, rows, |y| y as u8),
        Precision::Int16 if C::OPERATORS.int16 => {
            let output = output.as_chunks_mut().0;
            compute_as(layer, biases, correction, output, rows, |y| (y as i16).to_le_bytes())
        }
        Precision::Int16 => {}
    }
}

#[inline(always)]
fn compute_as<const R: usize, Y>(
    layer: &Dense<'_>,
    biases: &[[u8; 4]],
    correction: i32,
    output: &mut [Y],
    mut rows: Walk<'_, R>,
    store: impl Fn(i32) -> Y,
) {
    let output_of = Output::of(layer);
    // In arrays of R, so that nothing within a tile is checked for its length.
    let (bias_tiles, biases) = words(biases).as_chunks::<R>();
    let (mantissa_tiles, mantissas) = words(layer.mantissas()).as_chunks::<R>();
    let (shift_tiles, shifts) = layer.shifts().as_chunks::<R>();
    let (output_tiles, output) = output.as_chunks_mut::<R>();
    let mut accumulators = [0; R];
    let parameters = bias_tiles.iter().zip(mantissa_tiles).zip(shift_tiles);
    for (((biases, mantissas), shifts), outputs) in parameters.zip(output_tiles) {
        for (accumulator, bias) in accumulators.iter_mut().zip(biases) {
            *accumulator = bias.wrapping_add(correction);
        }
        rows.tile(&mut accumulators);
        quantize(&accumulators, mantissas, shifts, output_of, outputs, &store);
    }
    if output.is_empty() {
        return;
    }
    // What is left over is requantized as a tile that is filled up: one function for both.
    for (accumulator, bias) in accumulators.iter_mut().zip(biases) {
        *accumulator = bias.wrapping_add(correction);
        rows.single(accumulator);
    }
    let mantissas = array::from_fn(|k| mantissas.get(k).copied().unwrap_or(0));
    let shifts = array::from_fn(|k| shifts.get(k).copied().unwrap_or(0));
    let mut values: [Y; R] = array::from_fn(|_| store(0));
    quantize(&accumulators, &mantissas, &shifts, output_of, &mut values, &store);
    for (output, value) in output.iter_mut().zip(values) {
        *output = value;
    }
}

/// Parameters as the core reads them: it is little-endian, and `Engine::new` has refused a file
/// that does not lie on a word boundary.
fn words<'a>(parameters: &'a [[u8; 4]]) -> &'a [i32] {
    bytemuck::try_cast_slice(parameters).unwrap_or_default()
}

/// Out of line, and so once in the flash and with registers of its own.
#[inline(never)]
fn quantize<const R: usize, Y>(
    accumulators: &[i32; R],
    mantissas: &[i32; R],
    shifts: &[u8; R],
    output_of: Output,
    output: &mut [Y; R],
    store: &impl Fn(i32) -> Y,
) {
    let parameters = accumulators.iter().zip(mantissas).zip(shifts);
    for (((accumulator, mantissa), shift), output) in parameters.zip(output) {
        let multiplier = Multiplier { mantissa: *mantissa, shift: *shift as i8 };
        *output = store(output_of.quantize(*accumulator, multiplier));
    }
}
